"""Reading by key, on random tables: from any position, every row exactly once, in SQLite's own order."""

import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from milepost.connectors.sql.sqlite.source import SqliteSource
from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.migration.target import Loading

TEXTS = st.text(alphabet=st.sampled_from("aAbB 0159.-+eé\0🙂"), max_size=3)
VALUES = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([2**53, 2**53 + 1, -(2**63), 2**63 - 1]),
    st.sampled_from([0.5, 1.0, 2.0, float(2**53), 1e300, float("inf"), float("-inf")]),
    TEXTS,
    st.binary(max_size=2),
)
DECLARED = st.sampled_from(["", "INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB", "DATE"])
COLLATED = st.sampled_from(["", " COLLATE NOCASE", " COLLATE RTRIM"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[str], list[tuple]]:
    """The key's columns as declared, what makes the table, the rows offered."""
    width = draw(st.integers(1, 3))
    declared = [f"k{place} {draw(DECLARED)}{draw(COLLATED)} NOT NULL" for place in range(width)]
    keys = ", ".join(f"k{place}" for place in range(width))
    unique = draw(st.sampled_from([f", PRIMARY KEY ({keys})", f", UNIQUE ({keys})", ""]))
    end = ") WITHOUT ROWID" if "PRIMARY" in unique and draw(st.booleans()) else ")"
    script = [f"CREATE TABLE t ({', '.join(declared)}, v{unique}{end}"]
    rows = draw(st.lists(st.tuples(*[VALUES] * width, VALUES), max_size=14))
    return [f"k{place}" for place in range(width)], script, rows


def fill(file: Path, key: list[str], script: list[str], rows: list[tuple]) -> list[tuple]:
    """Make the table, and give its rows in the order of the key, as SQLite says."""
    connection = sqlite3.connect(file)
    connection.execute(script[0])
    keys = ", ".join(key)
    for row in rows:
        with suppress(sqlite3.IntegrityError):  # a rowid takes integers only
            connection.execute(f"INSERT OR IGNORE INTO t VALUES ({', '.join('?' * len(row))})", row)
    doubled = f"DELETE FROM t WHERE ({keys}) IN (SELECT {keys} FROM t GROUP BY {keys} HAVING count(*) > 1)"
    connection.execute(doubled)
    connection.commit()
    found = connection.execute(f"SELECT {keys}, v FROM t ORDER BY {keys}").fetchall()
    connection.close()
    return found


@settings(max_examples=60)
@given(tables(), st.integers(1, 5))
@example((["k0"], ["CREATE TABLE t (k0 TEXT NOT NULL, v)"], [("5", 1), ("05", 2), (b"5", 3)]), 1)
@example((["k0", "k1"], ["CREATE TABLE t (k0 COLLATE NOCASE NOT NULL, k1 NOT NULL, v)"], [("a", 1, 1), ("A", 2, 2)]), 1)
def test_every_row_is_read_exactly_once_from_any_position(table, chunk: int) -> None:
    key, script, offered = table
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "s.db"
        rows = fill(file, key, script, offered)
        source = SqliteSource(f"sqlite:///{file}", name="t", sql=None, key=tuple(key), columns=None, where=None)
        source.check_key()
        keys = [row[:-1] for row in rows]
        assert source.highest() == (keys[-1] if keys else None)

        def read(after, upto) -> list[tuple]:
            return [row for some in source.read(after, upto, chunk) for row in some]

        assert same(read(None, None), rows)
        for place, at in enumerate(keys):
            assert same(read(None, at), rows[: place + 1])
            assert same(read(at, keys[-1]), rows[place + 1 :])
            assert source.count(at) == place + 1
        source.close()


def same(one: list[tuple], other: list[tuple]) -> bool:
    """Equal, and of the same types: 1 is not 1.0."""
    return repr(one) == repr(other)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[VALUES | st.none()] * 3), max_size=12), st.tuples(DECLARED, DECLARED, DECLARED), st.booleans()
)
def test_every_value_is_carried_from_sqlite_to_sqlite_with_its_type_and_bytes(rows, declared, fresh: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        columns = ", ".join(f"c{place} {each}" for place, each in enumerate(declared))
        there, here = Path(folder) / "s.db", Path(folder) / "t.db"
        for file in (there, here):
            connection = sqlite3.connect(file)
            connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns})")
            if file is there:
                connection.executemany("INSERT INTO t (c0, c1, c2) VALUES (?, ?, ?)", rows)
            connection.commit()
            connection.close()
        source = SqliteSource(f"sqlite:///{there}", name="t", sql=None, key=("id",), columns=None, where=None)
        target = SqliteTarget(f"sqlite:///{here}", name="t", key=("id",))
        connection = connect(here)
        connection.execute("BEGIN IMMEDIATE")
        loading = Loading(columns=source.columns, key=("id",), fresh=fresh)
        for some in source.read(None, None, 5):
            loaded = target.load(connection, some, loading)
            assert (loaded.loaded, loaded.refused) == (len(some), ())
        connection.execute("COMMIT")
        connection.close()
        source.close()
        assert dump(here) == dump(there)


def dump(file: Path) -> list[tuple]:
    connection = sqlite3.connect(file)
    values = ", ".join(f"typeof(c{place}), quote(c{place}), hex(c{place})" for place in range(3))
    try:
        return connection.execute(f"SELECT id, {values} FROM t ORDER BY id").fetchall()
    finally:
        connection.close()
