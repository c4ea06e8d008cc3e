"""A migration that deletes what vanished at the source: for what is done to it after it is complete."""

from objects import BATCH_ROWS, declare_customers

from milepost import Migration

crm = Migration("living", max_rejects=20, batch_rows=BATCH_ROWS, deletes="apply")
declare_customers(crm)
