"""Rows that refer to their own kind: set by a second pass."""

from objects import BATCH_ROWS, declare_staff

from milepost import Migration

crm = Migration("own-kind", max_rejects=20, batch_rows=BATCH_ROWS)
declare_staff(crm, departments=False)
