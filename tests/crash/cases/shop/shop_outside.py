"""The shop, with a store that is not in the target's database: --store says where."""

from objects import BATCH_ROWS, declare

from milepost import Migration

shop = Migration("shop", max_rejects=20, batch_rows=BATCH_ROWS)
declare(shop)
