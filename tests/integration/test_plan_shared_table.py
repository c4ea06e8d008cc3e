"""Two objects may fill one table: what becomes of rows of both that have one key is told before anything moves."""

from __future__ import annotations

from fix_databases import Pair
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.run import plan


def test_that_rows_of_one_object_take_the_place_of_anothers_is_told_beforehand(pair: Pair) -> None:
    for database, table in ((pair.source, "xs"), (pair.source, "ys"), (pair.source, "zs")):
        database.execute(f"CREATE TABLE {table} (code varchar(9) PRIMARY KEY, name text)")
    for table in ("ware", "other"):
        pair.target.execute(f"CREATE TABLE {table} (code varchar(9) PRIMARY KEY, name text)")
    wares = Migration("wares", source=pair.source.url, target=pair.target.url)
    columns = {"code": "code", "name": "name"}
    for name, target in (("xs", "ware"), ("ys", "ware"), ("zs", "other")):
        wares.object(name, source=Table(name, key="code"), target=Table(target, key="code"), columns=columns)
    told = {each.name: [note for note in each.notes if "takes its place" in note] for each in plan(wares).objects}
    assert told["xs"] == told["zs"] == []
    [note] = told["ys"]
    assert note.startswith("xs fills ware too: a row of ys that has a key of theirs takes its place")
