"""Rows are compared with a table of PostgreSQL exactly, on a connection that can write temporary tables only."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.compare import PostgresComparing
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.errors import PlanError, Retryable
from milepost.migration.target import Compared, Difference, Loading

pytestmark = pytest.mark.every_postgres

TABLE = """
CREATE TABLE t (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric(10,2), note text, ratio float,
  own timestamptz DEFAULT now()
);
INSERT INTO t (id, amount, note, ratio) OVERRIDING SYSTEM VALUE
SELECT n, n / 4.0, 'n' || n, n FROM generate_series(1, 40) n
"""
COLUMNS = ("id", "amount", "note", "ratio")


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(TABLE)
        yield connection


@contextlib.contextmanager
def comparing(url: str, columns: Any = COLUMNS, key: Any = ("id",), name: str = "t") -> Iterator[PostgresComparing]:
    opened = PostgresTarget(url, name=name, key=key).comparing(columns, key)
    try:
        yield opened
    finally:
        opened.close()


def rows(*numbers: int) -> list[tuple]:
    return [(number, Decimal(number) / 4, f"n{number}", float(number)) for number in numbers]


def test_each_row_is_equal_missing_differing_or_refused(postgres_url: str, plain: psycopg.Connection) -> None:
    given = rows(*range(1, 46))
    given[3] = (4, 1, "m4", 4.0)
    given[7] = (8, Decimal("2.01"), None, -0.0)
    given[9] = (10, Decimal("1.005"), "n10", 10.0)
    given[11] = (12, 3, "a\0b", 12.0)
    given[13] = ("x", 3, "n14", 14.0)
    given[15] = (None, 3, "n16", 16.0)
    given[17] = (18, Decimal("4.5"), None, 18.0)
    plain.execute("UPDATE t SET note = NULL WHERE id = 20")
    given[19] = (20, 5, None, 20.0)
    with comparing(postgres_url) as one:
        done = one.compare(given)
        again = one.compare(rows(5, 6))
    assert done.missing == (40, 41, 42, 43, 44)
    assert done.differing == (
        Difference(index=3, columns={"note": ("n4", "m4")}),
        Difference(index=7, columns={"amount": ("2.00", "2.01"), "note": ("n8", None), "ratio": (8.0, -0.0)}),
        Difference(index=17, columns={"note": ("n18", None)}),
    )
    assert [(one.index, one.stage) for one in done.refused] == [(9, "load"), (11, "load"), (13, "load"), (15, "load")]
    assert "1.005 has more than the 2" in done.refused[0].reason
    assert done.equal == 45 - 5 - 3 - 4
    assert again == Compared(equal=2)


def test_what_equals_but_differs_is_told(postgres_url: str, plain: psycopg.Connection) -> None:
    pairs = [
        ("interval", "1 mon", "30 days"),
        ("double precision", -0.0, 0.0),
        ("json", "[1]", "[1 ]"),
        ("numeric", "1.1", "1.10"),
        ("point", "(0,1)", "(0,2)"),
        ("int[]", "{1}", "[2:2]={1}"),
        ("bytea", b"\0\1", b"\0\2"),
        ("timestamptz", "infinity", "-infinity"),
    ]
    with contextlib.suppress(psycopg.errors.FeatureNotSupported):  # a server without ICU has no such collation
        plain.execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        pairs.append(("text COLLATE loose", "a", "A"))
    for native, one, other in pairs:
        plain.execute(f"DROP TABLE IF EXISTS u; CREATE TABLE u (id int PRIMARY KEY, v {native})")
        plain.execute("INSERT INTO u VALUES (1, %s), (2, %s)", [one, other])
        with comparing(postgres_url, ("id", "v"), name="u") as opened:
            done = opened.compare([(1, other), (2, other), (1, one)])
        assert (done.equal, [each.index for each in done.differing]) == (2, [0]), native
        there, wanted = done.differing[0].columns["v"]
        assert (str(there), str(wanted)) == tuple(
            str(value) if not isinstance(value, bytes) else "\\x" + value.hex() for value in (one, other)
        ) or native in {"int[]", "numeric"}, native


def test_comparing_agrees_with_what_an_upsert_would_change(postgres_url: str, plain: psycopg.Connection) -> None:
    seed = random.randrange(2**32)
    print(f"{seed=}")
    chance = random.Random(seed)
    given = [
        (number, Decimal(number + chance.choice([0, 0, 1])) / 4, f"n{number}", chance.choice([float(number), None]))
        for number in chance.sample(range(1, 60), 40)
    ]
    with comparing(postgres_url) as one:
        found = one.compare(given)
        with connect(postgres_url) as connection, connection.transaction():
            target = PostgresTarget(postgres_url, name="t", key=("id",))
            loaded = target.load(connection, given, Loading(columns=COLUMNS, key=("id",), fresh=False))
        assert loaded.loaded == len(found.missing) + len(found.differing)
        assert loaded.unchanged == found.equal
        assert one.compare(given) == Compared(equal=40)


def test_a_flipped_byte_in_many_rows_is_found(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE big (a int, b text, data bytea, PRIMARY KEY (b, a))")
    plain.execute(
        "INSERT INTO big SELECT n, 'k' || n % 7, decode(md5(n::text), 'hex') FROM generate_series(1, 20000) n"
    )
    given = plain.execute("SELECT a, b, data FROM big ORDER BY b, a").fetchall()
    plain.execute("UPDATE big SET data = set_byte(data, 15, get_byte(data, 15) # 1) WHERE a = 17423")
    with comparing(postgres_url, ("a", "b", "data"), ("b", "a"), "big") as one:
        found = [(start, one.compare(given[start : start + 3000])) for start in range(0, 20000, 3000)]
    told = [(given[start + each.index], each.columns) for start, done in found for each in done.differing]
    assert sum(done.equal for _, done in found) == 19999
    [(row, columns)] = told
    there = plain.execute("SELECT '\\x' || encode(data, 'hex') FROM big WHERE a = 17423").fetchone()
    assert (row[0], columns) == (17423, {"data": (there[0], "\\x" + row[2].hex())})


def test_wide_tables_and_odd_names_are_compared(postgres_url: str, plain: psycopg.Connection) -> None:
    names = [f'c {number}%s"' for number in range(1100)]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    plain.execute(f'CREATE TABLE wide ("50%" int PRIMARY KEY, {", ".join(f"{name} int2" for name in quoted)})'.encode())
    plain.execute(f"INSERT INTO wide VALUES (1, {', '.join('7' for _ in names)})")
    with comparing(postgres_url, ("50%", *names), ("50%",), "wide") as one:
        values = [7] * 1100
        assert one.compare([(1, *values)]) == Compared(equal=1)
        values[0] = values[600] = values[1099] = 8
        [difference] = one.compare([(1, *values), (2, *values)]).differing
    assert difference.columns == {names[0]: (7, 8), names[600]: (7, 8), names[1099]: (7, 8)}


def test_rows_nobody_expected_are_counted_and_told(postgres_url: str, plain: psycopg.Connection) -> None:
    with comparing(postgres_url) as one:
        assert one.count() == 40
        assert one.extra(2) == (40, [(1,), (2,)])
        for start in range(1, 40, 5):
            one.expect([(number,) for number in range(start, start + 5) if number not in {7, 21, 33}])
        one.expect([("x",), (2**40,), (99,), (1,)])
        assert one.extra(2) == (3, [(7,), (21,)])
        assert one.extra(0) == (3, [])
        one.compare(rows(1, 2, 3))
        plain.execute("INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (5000)")
        assert one.extra(20) == (4, [(7,), (21,), (33,), (5000,)])
        assert one.count() == 41
    plain.execute(
        "CREATE TABLE u (a uuid, b text UNIQUE);INSERT INTO u SELECT md5(n::text)::uuid, n FROM generate_series(1, 9) n"
    )
    plain.execute("INSERT INTO u VALUES (NULL, 'null')")
    made = [row[0] for row in plain.execute("SELECT a FROM u WHERE a IS NOT NULL ORDER BY a")]
    with comparing(postgres_url, ("a", "b"), ("a",), "u") as one:
        one.expect([(each,) for each in made[1:]])
        one.expect([("no uuid",), ("\0",), ("\ud800",)])
        assert one.extra(5) == (2, [(made[0],), (None,)])


def test_rows_of_any_table_are_found(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE parent (id int, code text UNIQUE); INSERT INTO parent VALUES (1, 'a'), (2, 'b')")
    with comparing(postgres_url) as one:
        assert one.find("parent", ("code",), ("id",), [("b",), ("c",), ("a",)]) == [(2,), None, (1,)]
        with pytest.raises(PlanError, match="there is no table parents"):
            one.find("parents", ("code",), ("id",), [("b",)])


def test_its_connection_cannot_write_a_table_that_stays(postgres_url: str, plain: psycopg.Connection) -> None:
    with comparing(postgres_url) as one:
        one.compare(rows(1, 2, 99))
        one.expect([(1,)])
        one.extra(1)
        inside = one._connection
        for statement in (
            "DELETE FROM t",
            "UPDATE t SET note = 'x'",
            "INSERT INTO t (note) VALUES ('x')",
            "CREATE TABLE made (id int)",
            "TRUNCATE t",
            "SELECT nextval(pg_get_serial_sequence('t', 'id'))",
            "COPY t (note) FROM STDIN",
        ):
            for block in (contextlib.nullcontext(), inside.transaction()):
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), block:
                    inside.execute(statement)
        # Whoever wanted to could only do so on purpose.
        assert one.compare(rows(1, 2, 99)) == Compared(equal=2, missing=(2,))
    assert plain.execute("SELECT count(*), min(note) FROM t").fetchone() == (40, "n1")


def test_catalogs_do_not_grow_with_batches_and_nothing_stays(postgres_url: str, plain: psycopg.Connection) -> None:
    catalogs = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
    temporary = "SELECT count(*), max(oid::bigint) FROM pg_class WHERE relpersistence = 't'"
    with comparing(postgres_url) as one:
        one.compare(rows(*range(1, 30)))
        one.expect([(1,)])
        one.extra(1)
        before = plain.execute(temporary).fetchall() + plain.execute(catalogs).fetchall()
        for _ in range(60):
            assert one.compare(rows(*range(1, 30))).equal == 29
            one.expect([(1,)])
        assert plain.execute(temporary).fetchall() + plain.execute(catalogs).fetchall() == before
        assert before[0][0] <= 4  # two, and where their long values go
    for _ in range(100):  # the session ends a moment after its connection
        if plain.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").fetchone() == (0,):
            break
        plain.execute("SELECT pg_sleep(0.1)")
    else:
        pytest.fail("temporary tables stayed")


def test_the_index_is_used_however_few_the_rows_and_large_the_table(
    postgres_url: str, plain: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE TABLE large (id int PRIMARY KEY, v int);INSERT INTO large SELECT n, n FROM generate_series(1, 60000) n"
    )
    plain.execute("ANALYZE large")
    scans = "SELECT pg_stat_clear_snapshot(), seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = 'large'"
    with comparing(postgres_url, ("id", "v"), name="large") as one:
        for start in range(1, 60000, 20000):
            assert one.compare([(n, n) for n in range(start, start + 20000)]).equal == 20000
            found = one.find("large", ("id",), ("v",), [(n,) for n in range(start, start + 20000)])
            assert found == [(n,) for n in range(start, start + 20000)]
    for _ in range(100):  # statistics come in a moment after
        _, by_table, by_index = plain.execute(scans).fetchone()
        if by_index >= 120000:
            break
        plain.execute("SELECT pg_sleep(0.1)")
    assert (by_table, by_index) == (0, 120000)


def test_a_column_or_table_that_is_not_there_is_named_and_the_connection_let_go(
    postgres_url: str, plain: psycopg.Connection
) -> None:
    with pytest.raises(PlanError, match="t has no column nothing"), comparing(postgres_url, ("id", "nothing")):
        pass
    with pytest.raises(PlanError, match="there is no table u "), comparing(postgres_url, name="u"):
        pass
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'milepost'"
    for _ in range(100):
        if plain.execute(count).fetchone() == (0,):
            break
        plain.execute("SELECT pg_sleep(0.1)")
    else:
        pytest.fail("a connection stayed open")


def test_a_lost_connection_is_retryable(postgres_url: str, plain: psycopg.Connection) -> None:
    with comparing(postgres_url) as one:
        pid = one._connection.info.backend_pid
        plain.execute(
            "SELECT pg_terminate_backend(%s, 5000)"
            if plain.info.server_version >= 140000
            else "SELECT pg_terminate_backend(%s)",
            [pid],
        )
        with pytest.raises(Retryable):
            one.compare(rows(1))
