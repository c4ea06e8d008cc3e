"""Rows of PostgreSQL are updated where they differ, and deleted by key; those that cannot be are found."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.migration.target import Loaded, Loading

pytestmark = pytest.mark.every_postgres

TABLE = """
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 9);
CREATE TABLE t (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES parent,
  amount numeric(10,2) CHECK (amount < 100), note text UNIQUE, kept text DEFAULT 'as it was', later float
);
INSERT INTO t (id, parent, amount, note) OVERRIDING SYSTEM VALUE SELECT n, 1, n, 'n' || n FROM generate_series(1, 40) n
"""
COLUMNS = ("id", "parent", "amount", "note")
MISSING = ("load", "there is no row with this key to be updated")


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(TABLE)
        yield connection


@pytest.fixture
def connection(postgres_url: str, plain: psycopg.Connection):
    with connect(postgres_url) as connection:
        yield connection


def update(connection: psycopg.Connection, rows: list[tuple], *, name: str = "t", **how: Any) -> Loaded:
    loading = Loading(**({"columns": COLUMNS, "key": ("id",), "fresh": False} | how))
    with connection.transaction():
        done = PostgresTarget(connection.info.dsn, name=name, key=loading.key).update(connection, rows, loading)
    return counted(done, len(rows))


def delete(connection: psycopg.Connection, keys: list[tuple], *, name: str = "t", key: Any = ("id",)) -> Loaded:
    with connection.transaction():
        done = PostgresTarget(connection.info.dsn, name=name, key=key).delete(connection, keys)
    return counted(done, len(keys))


def counted(done: Loaded, size: int) -> Loaded:
    assert done.loaded + done.unchanged + len(done.refused) == size
    assert len({one.index for one in done.refused}) == len(done.refused)
    assert [one.index for one in done.refused] == sorted(one.index for one in done.refused)
    return done


def reasons(done: Loaded) -> dict[int, tuple[str, str]]:
    return {one.index: (one.stage, one.reason) for one in done.refused}


@pytest.mark.parametrize("fresh", [True, False])
def test_each_bad_row_is_refused_with_its_reason_and_all_others_are_updated(
    plain: psycopg.Connection, connection: psycopg.Connection, fresh: bool
) -> None:
    rows: list[tuple] = [(number, 2, number, f"N{number}") for number in range(41)]
    rows[3] = (3, 2, 100, "N3")
    rows[5] = (5, 99, 5, "N5")
    rows[8] = (8, 2, 8, "a\0b")
    rows[13] = (13, 2, 1.005, "N13")
    rows[21] = (21, 2, 21, "N20")
    rows[24] = (None, 2, 24, "N24")
    rows[33] = (2**40, 2, 33, "N33")
    done = update(connection, rows, fresh=fresh)
    found = reasons(done)
    assert sorted(found) == [0, 3, 5, 8, 13, 21, 24, 33]
    assert found[0] == MISSING
    assert "t_amount_check" in found[3][1]
    assert "t_parent_fkey" in found[5][1]
    assert "1.005 has more than the 2" in found[13][1]
    assert "t_note_key" in found[21][1]
    assert "holds NULL" in found[24][1]
    assert done.loaded == 33
    updated = plain.execute("SELECT id FROM t WHERE note = 'N' || id AND parent = 2 ORDER BY id").fetchall()
    assert updated == [(number,) for number in range(41) if number not in found]
    assert plain.execute("SELECT count(*), count(*) FILTER (WHERE kept = 'as it was') FROM t").fetchone() == (40, 40)


def test_only_rows_that_really_differ_are_updated(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    plain.execute(
        "CREATE TABLE fired (id int); CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NULL; END $$;"
        "CREATE TRIGGER tell AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell();"
        "UPDATE t SET later = '-0'; TRUNCATE fired"
    )
    columns = {"columns": ("later", "id", "parent")}
    rows = [(-0.0, 1, 1), (0.0, 2, 1), (None, 3, 1), (-0.0, 4, None), (-0.0, 5, 1), (1.0, 99, 1)]
    done = update(connection, rows, **columns)
    assert (done.loaded, done.unchanged, reasons(done)) == (3, 2, {5: MISSING})
    assert plain.execute("SELECT id FROM fired ORDER BY id").fetchall() == [(2,), (3,), (4,)]
    assert plain.execute("SELECT later::text, parent FROM t WHERE id IN (2, 3, 4) ORDER BY id").fetchall() == [
        ("0", 1),
        (None, 1),
        ("-0", None),
    ]
    assert update(connection, rows[:5], **columns) == Loaded(loaded=0, unchanged=5)


def test_of_rows_with_one_key_the_later_is_refused_or_the_last_wins(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    columns = {"columns": ("id", "parent", "note")}
    done = update(connection, [(1, 1, "a"), (2, 1, "b"), (1, 1, "c"), (77, 1, "x")], **columns)
    assert {index: stage for index, (stage, _) in reasons(done).items()} == {2: "duplicate", 3: "load"}
    assert plain.execute("SELECT id, note FROM t WHERE id < 3 ORDER BY id").fetchall() == [(1, "a"), (2, "b")]
    done = update(connection, [(1, 1, "d"), (2, 1, "b"), (1, 1, "e")], last_wins=True, **columns)
    assert done == Loaded(loaded=2, unchanged=1)
    assert plain.execute("SELECT id, note FROM t WHERE id < 3 ORDER BY id").fetchall() == [(1, "e"), (2, "b")]


def test_rows_of_composite_keys_and_of_keys_alone(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    plain.execute('CREATE TABLE u (a text, "5%" int, c int, PRIMARY KEY ("5%", a)); INSERT INTO u VALUES (\'x\', 1, 0)')
    how = {"name": "u", "key": ("a", "5%")}
    rows = [("x", 1, 5), ("x", 2, 5), ("y", 1, 5)]
    done = update(connection, rows, columns=("a", "5%", "c"), **how)
    assert (done.loaded, reasons(done)) == (1, {1: MISSING, 2: MISSING})
    done = update(connection, [row[:2] for row in rows], columns=("a", "5%"), **how)
    assert (done.loaded, done.unchanged, reasons(done)) == (0, 1, {1: MISSING, 2: MISSING})
    assert plain.execute("SELECT * FROM u").fetchall() == [("x", 1, 5)]


def test_a_row_that_a_trigger_keeps_as_it_is_is_refused(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF OLD.id = 2 THEN RETURN NULL; END IF; RETURN coalesce(NEW, OLD); END $$;"
        "CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    done = update(connection, [(1, 1, 1, "a"), (2, 1, 2, "b"), (3, 1, 3, "n3")])
    assert (done.loaded, done.unchanged) == (1, 1)
    assert "a trigger or rule keeps it out" in reasons(done)[1][1]
    done = delete(connection, [(1,), (2,), (3,)])
    assert done.loaded == 2
    assert reasons(done) == {1: ("load", "the database did not delete the row: a trigger or rule keeps it")}
    assert plain.execute("SELECT array_agg(id) FROM t WHERE id < 4").fetchone() == ([2],)


def test_references_to_rows_of_the_same_table_are_set(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE TABLE employee (id int PRIMARY KEY, manager int REFERENCES employee DEFERRABLE INITIALLY DEFERRED);"
        "INSERT INTO employee SELECT n FROM generate_series(1, 50) n"
    )
    rows = [(number, number // 2 or None) for number in range(1, 51)]
    rows[10] = (11, 99)
    done = update(connection, rows, name="employee", columns=("id", "manager"))
    assert (done.loaded, done.unchanged, list(reasons(done))) == (48, 1, [10])
    assert plain.execute("SELECT count(*) FROM employee WHERE manager = id / 2").fetchone() == (48,)


def test_rows_are_deleted_by_key_and_those_that_are_not_there_are_counted(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    done = delete(connection, [(1,), (2,), (77,), ("x",), (2,), (2**40,), (3,), ("4",)])
    assert done == Loaded(loaded=4, unchanged=4)
    assert plain.execute("SELECT min(id), count(*) FROM t").fetchone() == (5, 36)
    assert delete(connection, []) == Loaded(loaded=0, unchanged=0)
    plain.execute(
        "CREATE TABLE u (a uuid, b char(4), UNIQUE (a, b));"
        "INSERT INTO u SELECT md5(n::text)::uuid, 'x' FROM generate_series(1, 9) n"
    )
    made = [row[0] for row in plain.execute("SELECT a FROM u ORDER BY a")]
    keys: list[tuple] = [(made[0], "x"), ("no uuid", "x"), (made[1], "x   "), (made[0], "x  "), (made[2], "\0")]
    assert delete(connection, keys, name="u", key=("a", "b")) == Loaded(loaded=2, unchanged=3)
    assert [row[0] for row in plain.execute("SELECT a FROM u ORDER BY a")] == made[2:]


@pytest.mark.parametrize(
    "action", ["", "ON DELETE RESTRICT", "ON DELETE CASCADE", "ON DELETE SET NULL", "DEFERRABLE INITIALLY DEFERRED"]
)
def test_a_row_that_others_refer_to_is_refused_whatever_the_foreign_key_would_do(
    plain: psycopg.Connection, connection: psycopg.Connection, action: str
) -> None:
    plain.execute(
        f"CREATE TABLE line (t int REFERENCES t {action}); INSERT INTO line VALUES (3), (3), (17), (NULL);"
        f"CREATE TABLE other (t int, note text REFERENCES t (note) {action}); INSERT INTO other VALUES (8, 'n20')"
    )
    found = reasons(delete(connection, [(number,) for number in range(1, 41)]))
    assert {index + 1: reason for index, reason in found.items()} == {
        3: ("load", "rows of line still refer to it (t)"),
        17: ("load", "rows of line still refer to it (t)"),
        20: ("load", "rows of other still refer to it (note)"),
    }
    assert plain.execute("SELECT array_agg(id ORDER BY id) FROM t").fetchone() == ([3, 17, 20],)
    assert plain.execute("SELECT array_agg(t ORDER BY t) FROM line").fetchone() == ([3, 3, 17, None],)


@pytest.mark.parametrize("action", ["", "ON DELETE RESTRICT", "ON DELETE CASCADE", "DEFERRABLE INITIALLY DEFERRED"])
def test_rows_that_refer_to_each_other_go_together(
    plain: psycopg.Connection, connection: psycopg.Connection, action: str
) -> None:
    plain.execute(
        f"CREATE TABLE employee (id int PRIMARY KEY, manager int REFERENCES employee {action});"
        "INSERT INTO employee VALUES (1, NULL), (2, 1), (3, 2), (4, 3), (5, 4), (6, 6), (7, 1), (8, 7), (9, NULL)"
    )
    seed = random.randrange(2**32)
    print(f"{seed=}")
    keys = [(number,) for number in (2, 3, 6, 1, 7, 4, 9)]
    random.Random(seed).shuffle(keys)
    found = reasons(delete(connection, keys, name="employee"))
    # 5 stays, and so 4, 3, 2 and 1, each of which the next one refers to; 8 stays, and so 7
    assert {keys[index] for index in found} == {(1,), (2,), (3,), (4,), (7,)}
    assert plain.execute("SELECT array_agg(id ORDER BY id) FROM employee").fetchone() == ([1, 2, 3, 4, 5, 7, 8],)
    every = [(number,) for number in (1, 2, 3, 4, 5, 7, 8)]
    assert delete(connection, every, name="employee") == Loaded(loaded=7, unchanged=0)


def test_what_a_trigger_forbids_is_found_without_giving_up_the_others(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF OLD.id % 10 = 0 THEN RAISE 'not %', OLD.id; END IF; RETURN OLD; END $$;"
        "CREATE TRIGGER forbid BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION forbid()"
    )
    found = reasons(delete(connection, [(number,) for number in range(1, 41)]))
    assert found == {number - 1: ("load", f"not {number}") for number in (10, 20, 30, 40)}
    assert plain.execute("SELECT array_agg(id ORDER BY id) FROM t").fetchone() == ([10, 20, 30, 40],)
