"""Parents and children by generated ids."""

from objects import BATCH_ROWS, declare_customers

from milepost import Migration

crm = Migration("ids", max_rejects=20, batch_rows=BATCH_ROWS)
declare_customers(crm)
