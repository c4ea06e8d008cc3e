"""Two objects that refer to each other."""

from objects import BATCH_ROWS, declare_staff

from milepost import Migration

crm = Migration("circle", max_rejects=20, batch_rows=BATCH_ROWS)
declare_staff(crm, departments=True)
