"""Tables with very many columns are loaded into SQLite like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.migration.target import Loaded, Loading

WIDTH = 1500
LATE = "REFERENCES mother DEFERRABLE INITIALLY DEFERRED"
COLUMNS = ("id", "p", *(f"c{number}" for number in range(WIDTH)))


@pytest.mark.parametrize("fresh", [False, True], ids=["upsert", "fresh"])
def test_a_table_of_1500_columns_is_loaded_and_every_column_of_it_compared(tmp_path: Path, fresh: bool) -> None:
    connection = connect(tmp_path / "new.db")
    connection.execute("CREATE TABLE mother (id INTEGER PRIMARY KEY)")
    connection.execute("INSERT INTO mother VALUES (1)")
    names = ", ".join(f"{name} CHECK ({name} <> 'bad')" for name in COLUMNS[2:])
    connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, p {LATE}, {names})")
    target = SqliteTarget(f"sqlite:///{tmp_path / 'new.db'}", name="t", key=("id",))

    def load(rows: list[tuple], *, fresh: bool) -> Loaded:
        connection.execute("BEGIN IMMEDIATE")
        loaded = target.load(connection, rows, Loading(columns=COLUMNS, key=("id",), fresh=fresh))
        connection.execute("COMMIT")
        return loaded

    values = tuple(f"v{number}" for number in range(WIDTH))
    bad = (3, 1, *values[:-1], "bad")
    first = load([(1, 1, *values), (2, 9, *values), bad, (4, 1, *values)], fresh=fresh)
    assert first.loaded == 2
    assert {each.index: each.stage for each in first.refused} == {1: "parent", 2: "load"}
    changed = (4, 1, *values[:-1], "new")
    assert load([(1, 1, *values), changed], fresh=False) == Loaded(loaded=1, unchanged=1)
    assert connection.execute("SELECT * FROM t ORDER BY id").fetchall() == [(1, 1, *values), changed]
    connection.close()
