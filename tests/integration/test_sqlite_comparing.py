"""Rows are compared with a SQLite table exactly, and nothing of its file is written."""

import hashlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.comparing import SqliteComparing
from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.errors import PlanError
from milepost.migration.target import Compared, Difference


def make(file: Path, script: str) -> None:
    connection = connect(file)
    connection.executescript(script)
    connection.close()


def comparing(file: Path, columns=("id", "v"), key=("id",), name="t") -> SqliteComparing:
    return SqliteTarget(f"sqlite:///{file}", name=name, key=key).comparing(columns, key)


def bytes_of(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


def told(compared: Compared) -> dict[int, dict]:
    return {each.index: dict(each.columns) for each in compared.differing}


def test_missing_differing_and_equal_rows_are_told_apart_with_both_values(tmp_path: Path) -> None:
    make(
        tmp_path / "new.db",
        """CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, v, n INTEGER, w TEXT COLLATE NOCASE);
           INSERT INTO t VALUES ('a', 1, 1, 'x'), ('b', 1, 1, 'x'), ('c', NULL, 1, 'x'), ('d', x'00', 1, 'x'),
               ('e', 'a' || char(0) || 'b', 1, 'x'), ('f', 1, 1, 'x'), ('g', 1, 2, 'x'), ('h', 1, 1, 'x')""",
    )
    rows = [
        ("a", 1, 1, "x"),
        ("b", 1.0, 1.0, "x"),  # a real number now; but the column n makes it an integer
        ("c", 0, 1, None),
        ("d", b"\x01", 1, "x"),
        ("e", "a\0c", 1, "X"),
        ("F", 1, 1, "x"),  # the key is written differently
        ("z", 1, 1, "x"),
        (None, 1, 1, "x"),
        ("g", 1, "007", "x"),
        ("h", 2**70, 1, "x"),
    ]
    one = comparing(tmp_path / "new.db", ("id", "v", "n", "w"))
    compared = one.compare(rows)
    one.close()
    assert (compared.equal, compared.missing) == (1, (6,))
    assert told(compared) == {
        1: {"v": (1, 1.0)},
        2: {"v": (None, 0), "w": ("x", None)},
        3: {"v": ("\\x00", "\\x01")},
        4: {"v": ("a\0b", "a\0c"), "w": ("x", "X")},
        5: {"id": ("f", "F")},
    }
    assert isinstance(told(compared)[1]["v"][1], float)
    reasons = {each.index: (each.stage, each.reason) for each in compared.refused}
    assert sorted(reasons) == [7, 8, 9]
    assert reasons[7] == ("load", "column id is part of the key and holds NULL")
    assert "the text '007' would become the number 7" in reasons[8][1]
    assert "beyond SQLite's 64-bit integers" in reasons[9][1]


def test_what_was_loaded_is_equal_and_one_flipped_byte_is_found_wherever_it_is(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    file = tmp_path / "new.db"
    make(file, "CREATE TABLE t (a INTEGER, b TEXT, v TEXT COLLATE NOCASE, w, PRIMARY KEY (b, a)) WITHOUT ROWID")
    rows = [
        (n, f"k{n % 7}", chance.choice([None, "é", "aé b", "x" * 90]), chance.choice([n, n / 3, chance.randbytes(9)]))
        for n in range(500)
    ]
    with sqlite3.connect(file) as connection:
        connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    one = comparing(file, ("a", "b", "v", "w"), ("a", "b"))
    assert one.compare(rows) == Compared(equal=500)
    assert one.compare([]) == Compared(equal=0)
    place = chance.randrange(500)
    before = rows[place][3]
    flipped = bytes([before[0] ^ 1, *before[1:]]) if isinstance(before, bytes) else before + 1
    connection.execute("UPDATE t SET w = ? WHERE a = ?", (flipped, place))
    connection.commit()
    connection.close()
    found = one.compare(rows)
    assert (found.equal, list(told(found)), list(told(found)[place])) == (499, [place], ["w"])
    one.close()


def test_nothing_of_the_file_or_its_log_changes(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    writer = connect(file)
    writer.executescript(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v); CREATE TABLE p (id INTEGER PRIMARY KEY, k UNIQUE)"
    )
    writer.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 100) for n in range(2000)])
    before = bytes_of(tmp_path)
    assert len((tmp_path / "new.db-wal").read_bytes()) > 100_000
    one = comparing(file)
    one.compare([(n, "y") for n in range(3000)])
    one.find("p", ("k",), ("id",), [("a",)])
    one.expect([(n,) for n in range(1000)])
    assert one.extra(2) == (1000, [(1000,), (1001,)])
    assert one.count() == 2000
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        one._connection.execute("DELETE FROM t")
    after = bytes_of(tmp_path)
    del before["new.db-shm"], after["new.db-shm"]  # the locks of those who read
    assert before == after
    one.close()
    assert bytes_of(tmp_path).keys() >= before.keys()
    writer.close()
    assert [each.name for each in tmp_path.iterdir()] == ["new.db"]


def test_rows_that_nobody_expects_are_counted_and_the_first_named(tmp_path: Path) -> None:
    make(
        tmp_path / "new.db",
        """CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, v, UNIQUE (a, b));
           INSERT INTO t VALUES ('x', 1, 0), ('X', 2, 0), ('y', 1, 0), ('z', 1, 0), (NULL, 1, 0), ('z', 3, 0)""",
    )
    one = comparing(tmp_path / "new.db", ("a", "b", "v"), ("a", "b"))
    one.expect([("X", 1), ("gone", 5), ("x", 2.0), ("x", 2**70)])
    assert one.extra(10) == (4, [(None, 1), ("y", 1), ("z", 1), ("z", 3)])
    one.expect([("z", 1)])
    one.expect([])
    assert one.extra(2) == (3, [(None, 1), ("y", 1)])
    assert one.extra(0) == (3, [])
    one.close()


def test_text_that_is_not_utf8_is_compared_and_shown(tmp_path: Path) -> None:
    make(tmp_path / "new.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, x'61ff')")
    connection = sqlite3.connect(tmp_path / "new.db")
    connection.execute("UPDATE t SET v = CAST(v AS TEXT)")
    connection.commit()
    connection.close()
    one = comparing(tmp_path / "new.db")
    assert one.compare([(1, "a?")]).differing == (Difference(index=0, columns={"v": ("a\\xff", "a?")}),)
    one.close()


def test_a_wide_table_is_compared_column_by_column(tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(1500)]
    make(tmp_path / "new.db", f"CREATE TABLE t (id INTEGER PRIMARY KEY, {', '.join(names)})")
    connection = sqlite3.connect(tmp_path / "new.db")
    connection.execute(f"INSERT INTO t VALUES ({', '.join(map(str, range(1501)))})")
    connection.commit()
    connection.close()
    one = comparing(tmp_path / "new.db", ("id", *names))
    row = list(range(1501))
    assert one.compare([tuple(row)]) == Compared(equal=1)
    row[1] = row[1500] = -1
    assert told(one.compare([tuple(row)])) == {0: {"c0": (1, -1), "c1499": (1500, -1)}}
    one.close()


def test_a_table_or_column_that_is_not_there_is_named_and_the_file_let_go(tmp_path: Path) -> None:
    make(tmp_path / "new.db", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    with pytest.raises(PlanError, match="no column 'v'"):
        comparing(tmp_path / "new.db")
    with pytest.raises(PlanError, match="no table 'u'"):
        comparing(tmp_path / "new.db", name="u")
    with pytest.raises(PlanError, match="there is no file"):
        comparing(tmp_path / "none.db")


EXPECT_MANY = """
import resource, sys
from milepost.connectors.sql.sqlite.target import SqliteTarget
one = SqliteTarget(sys.argv[1], name="t", key=("id",)).comparing(("id",), ("id",))
one.compare([("z",)])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for start in range(0, 600_000, 2000):
    one.expect([(f"{n * 7919 % 600_000:040d}",) for n in range(start, start + 2000)])
print(one.extra(3))
one.close()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_keys_that_are_expected(tmp_path: Path) -> None:
    make(tmp_path / "new.db", "CREATE TABLE t (id TEXT PRIMARY KEY); INSERT INTO t VALUES (printf('%040d', 5)), ('z')")
    url = f"sqlite:///{tmp_path / 'new.db'}"
    said = subprocess.run([sys.executable, "-c", EXPECT_MANY, url], capture_output=True, text=True, check=True).stdout
    extra, kilobytes = said.splitlines()
    assert extra == "(1, [('z',)])"
    assert int(kilobytes) < 16_000  # the keys alone are 24 million bytes
