"""Rows that the key map alone identifies, split ones and such that refer to their own kind among them."""

from objects import BATCH_ROWS, declare_notes

from milepost import Migration

crm = Migration("mapped", max_rejects=20, batch_rows=BATCH_ROWS)
declare_notes(crm)
