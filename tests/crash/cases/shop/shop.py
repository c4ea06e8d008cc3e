"""The shop, with the store in the target's database; one object is rolled back where it was left half done."""

from objects import BATCH_ROWS, declare

from milepost import Migration

shop = Migration("shop", max_rejects=20, batch_rows=BATCH_ROWS)
tag = declare(shop)


@tag.rollback
def take_tags_away(cp):
    with cp.transaction() as connection:
        connection.execute("DELETE FROM tag")
