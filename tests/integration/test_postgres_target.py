"""Rows go into PostgreSQL in the caller's transaction; those that it refuses are found, and all others stay."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.fault import is_rows
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.errors import Fatal, PlanError, Retryable
from milepost.migration.description import Kind
from milepost.migration.target import Loaded, Loading

pytestmark = pytest.mark.every_postgres

COLUMNS = ("id", "parent", "amount", "note")
TABLE = """
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent SELECT generate_series(1, 9);
CREATE TABLE t (
  id int PRIMARY KEY, parent int REFERENCES parent, amount numeric(10,2) CHECK (amount < 100), note text UNIQUE
)
"""
WAYS: dict[str, dict[str, Any]] = {
    "directly": {"fresh": True},
    "staged": {"fresh": False},
    "last wins": {"fresh": True, "last_wins": True},
}


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(TABLE)
        yield connection


@pytest.fixture
def connection(postgres_url: str, plain: psycopg.Connection):
    with connect(postgres_url) as connection:
        yield connection


def load(connection: psycopg.Connection, rows: list[tuple], *, name: str = "t", **how: Any) -> Loaded:
    settings = {"columns": COLUMNS, "key": ("id",), "fresh": True} | how
    loading = Loading(**settings)
    with connection.transaction():
        loaded = PostgresTarget(connection.info.dsn, name=name, key=loading.key).load(connection, rows, loading)
    assert loaded.loaded + loaded.unchanged + len(loaded.refused) == len(rows)
    assert len({one.index for one in loaded.refused}) == len(loaded.refused)
    return loaded


def reasons(loaded: Loaded) -> dict[int, tuple[str, str]]:
    return {one.index: (one.stage, one.reason) for one in loaded.refused}


@pytest.mark.parametrize("way", WAYS)
def test_each_bad_row_is_refused_with_its_reason_and_all_others_are_loaded(
    plain: psycopg.Connection, connection: psycopg.Connection, way: str
) -> None:
    rows: list[tuple] = [(number, 1, 1, f"n{number}") for number in range(40)]
    rows[3] = (3, 1, 100, "n3")
    rows[5] = (5, 99, 1, "n5")
    rows[8] = (8, "x", 1, "n8")
    rows[13] = (13, 1, 1.005, "n13")
    rows[14] = (14, 1, 1, "a\0b")
    rows[15] = (15, 1, 1, "\ud800")
    rows[21] = (21, None, 1, "n20")
    rows[22] = (2**31, 1, 1, "n22")
    rows[23] = (None, 1, 1, "n23")
    rows[24] = (24, 1, object(), "n24")
    found = reasons(load(connection, rows, **WAYS[way]))
    assert sorted(found) == [3, 5, 8, 13, 14, 15, 21, 22, 23, 24]
    assert found[3] == ("load", 'new row for relation "t" violates check constraint "t_amount_check"')
    assert found[5][0] == "load"
    assert "t_parent_fkey" in found[5][1]
    assert "column parent" in found[8][1]
    assert found[13][1].startswith("column amount: 1.005 has more than the 2")
    assert "t_note_key" in found[21][1]
    assert "out of range" in found[22][1]
    assert found[23] == ("load", "column id is part of the key and holds NULL")
    assert all(
        "\n" not in reason and len(reason) <= 300 and "Failing row" not in reason for _, reason in found.values()
    )
    assert plain.execute("SELECT array_agg(id ORDER BY id) FROM t").fetchone() == (
        [number for number in range(40) if number not in found],
    )


def test_of_rows_with_one_key_the_later_is_refused(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    rows = [(1, 1, 1, "a"), (2, 1, 1, "b"), (1, 1, 2, "c"), (1, 1, 3, "d")]
    for number, way in enumerate(WAYS):
        if way == "last wins":
            continue
        plain.execute("TRUNCATE t")
        found = reasons(load(connection, rows, **WAYS[way]))
        assert found == dict.fromkeys([2, 3], ("duplicate", "another row already has this key")), (number, way)
        assert plain.execute("SELECT id, note FROM t ORDER BY id").fetchall() == [(1, "a"), (2, "b")]


@pytest.mark.parametrize("way", [way for way in WAYS if way != "last wins"])
def test_a_key_that_a_refused_row_did_not_take_is_free(
    plain: psycopg.Connection, connection: psycopg.Connection, way: str
) -> None:
    rows = [(1, 1, 100, "a"), (2, 1, 1, "b"), (1, 1, 2, "c"), (1, 1, 3, "d")]
    assert sorted(reasons(load(connection, rows, **WAYS[way]))) == [0, 3]
    assert plain.execute("SELECT id, note FROM t ORDER BY id").fetchall() == [(1, "c"), (2, "b")]


def test_the_last_of_rows_with_one_key_wins_where_it_should(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    rows = [(1, 1, 1, "a"), (2, 1, 1, "b"), (1, 1, 2, "c")]
    assert load(connection, rows, last_wins=True) == Loaded(loaded=3, unchanged=0)
    assert load(connection, [(2, 1, 1, "z"), (1, 1, 2, "c")], last_wins=True) == Loaded(loaded=1, unchanged=1)
    assert plain.execute("SELECT id, note FROM t ORDER BY id").fetchall() == [(1, "c"), (2, "z")]


def test_in_a_fresh_table_a_key_of_an_earlier_batch_makes_a_duplicate(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    assert load(connection, [(1, 1, 1, "a")]) == Loaded(loaded=1, unchanged=0)
    found = reasons(load(connection, [(2, 1, 1, "b"), (1, 1, 2, "c")]))
    assert found == {1: ("duplicate", "another row already has this key")}
    assert plain.execute("SELECT id, note FROM t ORDER BY id").fetchall() == [(1, "a"), (2, "b")]


def test_only_rows_that_really_differ_are_updated(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    plain.execute(
        "CREATE TABLE fired (id int); CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NULL; END $$;"
        "CREATE TRIGGER tell AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell()"
    )
    load(connection, [(1, 1, 1, "a"), (2, None, None, None), (3, 1, 3, "c")])
    again = load(connection, [(1, 1, 1, "a"), (2, None, None, None), (3, 1, None, "c"), (4, 1, 1, "d")], fresh=False)
    assert again == Loaded(loaded=2, unchanged=2)
    assert plain.execute("SELECT id FROM fired").fetchall() == [(3,)]
    assert plain.execute("SELECT amount FROM t WHERE id = 3").fetchone() == (None,)


def test_what_equals_but_differs_is_updated(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    pairs = [
        ("interval", "1 mon", "30 days"),
        ("double precision", -0.0, 0.0),
        ("json", "[1]", "[1 ]"),
        ("numeric", "1.1", "1.10"),
        ("point", "(0,1)", "(0,2)"),
    ]
    loose = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
    with contextlib.suppress(psycopg.errors.FeatureNotSupported):  # a server without ICU has no such collation
        plain.execute(loose)
        pairs.append(("text COLLATE loose", "a", "A"))
    for native, one, other in pairs:
        plain.execute(f"DROP TABLE IF EXISTS u; CREATE TABLE u (id int PRIMARY KEY, v {native})")
        how = {"name": "u", "columns": ("id", "v"), "fresh": False}
        assert load(connection, [(1, one)], **how) == Loaded(loaded=1, unchanged=0), native
        assert load(connection, [(1, other)], **how) == Loaded(loaded=1, unchanged=0), native
        assert load(connection, [(1, other)], **how) == Loaded(loaded=0, unchanged=1), native


def test_a_table_of_keys_alone_is_upserted(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE u (a int, b int, PRIMARY KEY (b, a))")
    how = {"name": "u", "columns": ("a", "b"), "key": ("a", "b"), "fresh": False}
    assert load(connection, [(1, 1), (1, 2)], **how) == Loaded(loaded=2, unchanged=0)
    assert load(connection, [(1, 1), (1, 3)], **how) == Loaded(loaded=1, unchanged=1)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_row_may_have_its_parent_in_its_own_batch(
    plain: psycopg.Connection, connection: psycopg.Connection, fresh: bool
) -> None:
    plain.execute("CREATE TABLE u (id int PRIMARY KEY, boss int REFERENCES u)")
    rows = [(2, 1), (1, None), (3, 3), (4, 9), (5, 4), (6, 5), (7, 2)]
    how = {"name": "u", "columns": ("id", "boss"), "fresh": fresh}
    found = reasons(load(connection, rows, **how))
    assert sorted(found) == [3, 4, 5]
    assert all("u_boss_fkey" in reason for _, reason in found.values())
    assert load(connection, [(8, 7), (4, 8)], **how) == Loaded(loaded=2, unchanged=0)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_row_that_a_trigger_keeps_out_is_refused(
    plain: psycopg.Connection, connection: psycopg.Connection, fresh: bool
) -> None:
    plain.execute(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.id = 3 THEN RETURN NULL; ELSIF NEW.id = 5 THEN RAISE 'five is %', NEW.note; END IF; "
        "RETURN NEW; END $$;"
        "CREATE TRIGGER keep BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION keep()"
    )
    found = reasons(load(connection, [(number, 1, 1, f"n{number}") for number in range(9)], fresh=fresh))
    assert sorted(found) == [3, 5]
    assert "trigger" in found[3][1]
    assert found[5] == ("load", "five is n5")


KEEP = """
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.note = lower(NEW.note); IF NEW.note LIKE 'no%' THEN RETURN NULL; END IF; RETURN NEW; END $$;
"""


@pytest.mark.parametrize("event", ["INSERT", "UPDATE", "INSERT OR UPDATE"])
@pytest.mark.parametrize("kind", ["table", "partition"])
@pytest.mark.parametrize("slices", [False, True])
def test_a_row_whose_update_a_trigger_keeps_out_is_refused_and_none_that_it_only_changes(
    plain: psycopg.Connection, connection: psycopg.Connection, event: str, kind: str, slices: bool
) -> None:
    plain.execute(
        f"""CREATE TABLE u (id int PRIMARY KEY, amount int CHECK (amount < 100), note text) PARTITION BY RANGE (id);
            CREATE TABLE part PARTITION OF u DEFAULT;
            INSERT INTO u VALUES (1, 1, 'old'), (2, 1, 'old'), (3, 1, 'old'), (4, 1, 'old'), (5, 1, 'no more');
            {KEEP} CREATE TRIGGER keep BEFORE {event} ON {"u" if kind == "table" else "part"}
            FOR EACH ROW EXECUTE FUNCTION keep()"""
    )
    rows = [(1, 1, "old"), (2, 1, "OLD"), (3, 1, "No"), (4, 1, "NEW"), (5, 1, "no more"), (6, 1, "six")]
    if slices:
        rows.append((7, 100, "seven"))
    loaded = load(connection, rows, name="u", columns=("id", "amount", "note"), fresh=False)
    found = reasons(loaded)
    assert sorted(found) == ([2, 6] if slices else [2])
    assert found[2][0] == "load"
    assert "a trigger or rule keeps it out" in found[2][1]
    assert loaded.loaded == (3 if event == "UPDATE" else 2)  # where only UPDATE changes the note, OLD is not yet old
    assert plain.execute("SELECT id, amount, note FROM u ORDER BY id").fetchall() == [
        (1, 1, "old"),
        (2, 1, "old"),
        (3, 1, "old"),
        (4, 1, "new"),
        (5, 1, "no more"),
        (6, 1, "six"),
    ]


def test_the_triggers_of_a_row_that_is_refused_leave_nothing_behind(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        f"""CREATE TABLE fired (id int); INSERT INTO t VALUES (1, 1, 1, 'old'), (2, 1, 1, 'two');
            {KEEP} CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION keep();
            CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NULL; END $$;
            CREATE TRIGGER tell AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tell()"""
    )
    loaded = load(connection, [(1, 1, 1, "OLD"), (2, 1, 1, "no"), (3, 1, 1, "x")], fresh=False)
    assert (loaded.loaded, loaded.unchanged, sorted(reasons(loaded))) == (1, 1, [1])
    assert plain.execute("SELECT count(*) FROM fired").fetchone() == (0,)


@pytest.mark.parametrize("way", ["fresh", "upsert", "last wins"])
def test_names_may_hold_whatever_a_name_can_hold(
    plain: psycopg.Connection, connection: psycopg.Connection, way: str
) -> None:
    columns = ("key %", "growth %", "%s", "%(low)s", "{x}", ":name", 'quo"te', "it's", "a\\b", "%")
    listed = ", ".join('"' + each.replace('"', '""') + '" text' for each in columns[2:])
    plain.execute(
        f"""CREATE TABLE "parent %s" ("id %" int PRIMARY KEY); INSERT INTO "parent %s" VALUES (1);
            CREATE DOMAIN "whole %" AS int;
            CREATE TABLE "t % %s" ("key %" int PRIMARY KEY, "growth %" "whole %" REFERENCES "parent %s", {listed})"""
    )
    how: dict[str, Any] = {"name": "t % %s", "columns": columns, "key": ("key %",)}
    how |= {"fresh": way != "upsert", "last_wins": way == "last wins"}
    rows = [(1, 1, *columns[2:]), (2, 9, *columns[2:]), (3, None, *columns[2:])]
    [(index, (stage, reason))] = reasons(load(connection, rows, **how)).items()
    assert (index, stage) == (1, "load")
    assert "violates foreign key constraint" in reason
    with connection.transaction():
        target = PostgresTarget(connection.info.dsn, name="parent %s", key=("id %",))
        assert target.find(connection, "t % %s", ("key %", "%"), ("%s",), [(3, "%"), (2, "%")]) == [("%s",), None]
    assert plain.execute('SELECT * FROM "t % %s" ORDER BY 1').fetchall() == [rows[0], rows[2]]


def test_a_mistake_in_a_statement_is_no_rows_fault() -> None:
    assert not is_rows(psycopg.ProgrammingError("only '%s', '%b', '%t' are allowed as placeholders"))


def test_defaults_identities_and_generated_columns_are_told_and_filled(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE TABLE u (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int DEFAULT 7, n int NOT NULL,"
        " twice int GENERATED ALWAYS AS (n * 2) STORED)"
    )
    for fresh in (True, False):
        assert load(connection, [(int(fresh), 5)], name="u", columns=("id", "n"), fresh=fresh).loaded == 1
    assert plain.execute("SELECT id, a, n, twice FROM u ORDER BY id").fetchall() == [(0, 7, 5, 10), (1, 7, 5, 10)]


def test_a_description_tells_what_fills_itself(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute(
        "CREATE TABLE u (id serial PRIMARY KEY, n int NOT NULL, twice int GENERATED ALWAYS AS (n * 2) STORED)"
    )
    described = PostgresTarget(postgres_url, name="u", key=("id",)).describe()
    assert [(each.fills_itself, each.writable, each.nullable) for each in described.columns] == [
        (True, True, False),
        (False, True, False),
        (True, False, True),
    ]
    assert described.unique_keys == (frozenset({"id"}),)
    assert described.columns[0].kind is Kind.INTEGER


def test_a_table_that_is_not_there_is_named(postgres_url: str, plain: psycopg.Connection) -> None:
    with pytest.raises(PlanError, match=r"no table parrent(.|\n)*Did you mean parent"):
        PostgresTarget(postgres_url, name="parrent", key=("id",)).describe()


def test_emptiness_is_seen_inside_the_transaction(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    target = PostgresTarget(connection.info.dsn, name="t", key=("id",))
    with connection.transaction():
        assert target.is_empty(connection)
        connection.execute("INSERT INTO t (id) VALUES (1)")
        assert not target.is_empty(connection)


def test_a_stage_survives_a_transaction_that_is_given_up(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    target = PostgresTarget(connection.info.dsn, name="t", key=("id",))
    loading = Loading(columns=COLUMNS, key=("id",), fresh=False)
    for commit in (False, True, False, True):
        with connection.transaction(force_rollback=not commit):
            assert target.load(connection, [(1, 1, 1, "a"), (2, 1, 1, "b")], loading).refused == ()
            again = target.load(connection, [(2, 1, 1, "b"), (3, 1, 1, "c")], loading)
            assert (again.loaded + again.unchanged, again.refused) == (2, ())
    assert plain.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_nothing_is_committed_by_loading(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    target = PostgresTarget(connection.info.dsn, name="t", key=("id",))
    for how in WAYS.values():
        with connection.transaction(force_rollback=True):
            target.load(connection, [(1, 1, 1, "a")], Loading(columns=COLUMNS, key=("id",), **how))
        assert plain.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_lost_connection_is_retryable(plain: psycopg.Connection, connection: psycopg.Connection, fresh: bool) -> None:
    plain.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
    target = PostgresTarget(connection.info.dsn, name="t", key=("id",))
    with pytest.raises(Retryable, match="t: "):
        target.load(connection, [(1, 1, 1, "a")], Loading(columns=COLUMNS, key=("id",), fresh=fresh))


def test_a_lock_that_is_not_granted_is_retryable_and_no_rows_fault(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    connection.execute("SET lock_timeout = '20ms'")
    with plain.transaction():
        plain.execute("LOCK TABLE t IN EXCLUSIVE MODE")
        with pytest.raises(Retryable, match="lock"):
            load(connection, [(1, 1, 1, "a")])


def test_a_server_that_only_reads_is_fatal(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(Fatal, match="read-only"):
        load(connection, [(1, 1, 1, "a")])


@pytest.mark.slow
@pytest.mark.parametrize("way", ["directly", "staged"])
def test_thousands_of_bad_rows_are_found(plain: psycopg.Connection, connection: psycopg.Connection, way: str) -> None:
    rows = [(number, 1, 100 if number % 3 == 0 else 1, None) for number in range(6000)]
    loaded = load(connection, rows, **WAYS[way])
    assert [one.index for one in loaded.refused] == list(range(0, 6000, 3))
    assert plain.execute("SELECT count(*), min(id % 3) FROM t").fetchone() == (4000, 1)
