"""What a range of a SQLite source holds: as many rows, and the same highest `modified`, as reading it tells."""

import random
import sqlite3
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.source import SqliteSource
from milepost.errors import PlanError
from milepost.migration.keys import encode
from milepost.migration.source import Extent


def make(file: Path, script: str, rows: list[tuple] = []) -> None:  # noqa: B006 - never written to
    connection = sqlite3.connect(file)
    connection.executescript(script)
    connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    connection.commit()
    connection.close()


def source(file: Path, **more: object) -> SqliteSource:
    settings = {"name": "t", "sql": None, "key": ("id",), "columns": None, "where": None, "modified": "m"} | more
    return SqliteSource(f"sqlite:///{file}", **settings)


def as_read(source: SqliteSource, after, upto) -> Extent:
    """The same from the rows, by Python's max; None where types cannot be compared."""
    rows = [row for chunk in source.read(after, upto, 7) for row in chunk]
    values = [row[source.columns.index("m")] for row in rows if row[source.columns.index("m")] is not None]
    try:
        highest = encode([max(values)]) if values else None
    except TypeError:
        highest = None
    return Extent(rows=len(rows), modified=highest)


def test_a_range_is_counted_with_its_highest_modified(tmp_path: Path) -> None:
    make(
        tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, m TEXT)", [(1, "b"), (2, None), (3, "a"), (5, "c")]
    )
    one = source(tmp_path / "a.db")
    assert one.extent(None, None) == Extent(rows=4, modified=["c"])
    assert one.extent((1,), (3,)) == Extent(rows=2, modified=["a"])
    assert one.extent((1,), (2,)) == Extent(rows=1)
    assert one.extent((5,), None) == Extent(rows=0)
    assert source(tmp_path / "a.db", modified=None).extent(None, (3,)) == Extent(rows=3)
    assert source(tmp_path / "a.db", where="id <> 5").extent(None, None) == Extent(rows=3, modified=["b"])


def test_it_is_what_reading_the_range_tells_whatever_the_values_are(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    families = [
        lambda: chance.choice([None, chance.randrange(-9, 9), chance.random() * 9, 2**62 + chance.randrange(9)]),
        lambda: (
            chance.choice([None, "", "a", "A", "é", "é", "z ", "\U0001f600", "\uffff", "\0"]) or chance.choice("xYz")
        ),
        lambda: chance.randbytes(chance.randrange(3)),
        lambda: chance.choice([None, 1, 1.5, "a", b"a"]),
    ]
    for number, values in enumerate(families):
        for collation in ("BINARY", "NOCASE"):
            file = tmp_path / f"{number}{collation}.db"
            make(
                file,
                f"CREATE TABLE t (id INTEGER PRIMARY KEY, m COLLATE {collation})",
                [(n, values()) for n in range(60)],
            )
            one = source(file)
            for low in range(0, 60, 4):
                for width in (1, 2, 4, 60):
                    after, upto = (low - 1,), (low - 1 + width,)
                    assert one.extent(after, upto) == as_read(one, after, upto), (number, collation, low, width)


def test_text_that_is_not_utf8_is_encoded_as_the_reader_gives_it(tmp_path: Path) -> None:
    make(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, m); INSERT INTO t VALUES (1, CAST(x'ff' AS TEXT))")
    one = source(tmp_path / "a.db")
    assert one.extent(None, None) == as_read(source(tmp_path / "a.db"), None, None)
    assert one.extent(None, None).modified is not None


def test_only_the_range_is_looked_at(tmp_path: Path) -> None:
    make(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, m)", [(n, n) for n in range(9)])
    one = source(tmp_path / "a.db")
    ran: list[str] = []
    one._connection.set_trace_callback(ran.append)
    assert one.extent((3,), (5,)) == Extent(rows=2, modified=[5])
    one._connection.set_trace_callback(None)
    (query,) = [each for each in ran if "count(*)" in each and "sqlite_master" not in each]
    assert "SEARCH main.t" in str(
        one._connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    ) or "SEARCH t" in str(one._connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())


def test_a_column_of_modified_that_is_not_there_is_named(tmp_path: Path) -> None:
    make(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, m)")
    with pytest.raises(PlanError, match="no column 'changed', which modified= names"):
        source(tmp_path / "a.db", modified="changed").describe()
