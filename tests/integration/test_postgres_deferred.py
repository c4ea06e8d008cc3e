"""What PostgreSQL would check only at the commit is checked in the batch: its rows are found, and all others stay."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from fix_databases import Database
from milepost import Migration, Table
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.migration.target import Loaded, Loading
from milepost.wiring.run import run

WAYS: dict[str, dict[str, Any]] = {
    "directly": {"fresh": True},
    "staged": {"fresh": False},
    "last wins": {"fresh": True, "last_wins": True},
}
LATE = "DEFERRABLE INITIALLY DEFERRED"


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


def load(url: str, rows: list[tuple[Any, ...]], way: str) -> Loaded:
    loading = Loading(columns=("id", "other"), key=("id",), **WAYS[way])
    with connect(url) as connection, connection.transaction():
        return PostgresTarget(url, name="t", key=("id",)).load(connection, rows, loading)


def refused(loaded: Loaded) -> list[int]:
    return [one.index for one in loaded.refused]


def ids(plain: psycopg.Connection) -> list[int]:
    return [number for (number,) in plain.execute("SELECT id FROM t ORDER BY id").fetchall()]


ROWS = [(number, 1) for number in range(50)]


@pytest.mark.parametrize("way", WAYS)
def test_a_parent_that_is_missing_is_found_although_it_is_asked_for_at_the_commit(
    plain: psycopg.Connection, postgres_url: str, way: str
) -> None:
    plain.execute("CREATE TABLE parent (id int PRIMARY KEY)")
    plain.execute("INSERT INTO parent VALUES (1)")
    plain.execute(f"CREATE TABLE t (id int PRIMARY KEY, other int REFERENCES parent {LATE})")
    rows = [*ROWS]
    rows[7], rows[33] = (7, 99), (33, 98)
    loaded = load(postgres_url, rows, way)
    assert refused(loaded) == [7, 33]
    assert '"parent"' in loaded.refused[0].reason
    assert "(99)" in loaded.refused[0].reason
    assert ids(plain) == [number for number in range(50) if number not in (7, 33)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("when", ["", LATE])
def test_a_row_before_its_parent_in_the_same_batch_stays_beside_rows_that_are_refused(
    plain: psycopg.Connection, postgres_url: str, way: str, when: str
) -> None:
    plain.execute(f"CREATE TABLE t (id int PRIMARY KEY CHECK (id <> 20), other int REFERENCES t {when})")
    rows: list[tuple[Any, ...]] = [(number, min(number + 1, 49)) for number in range(50)]  # each waits for the next
    rows[19] = (19, 19)
    rows[40] = (40, 99)
    loaded = load(postgres_url, rows, way)
    assert refused(loaded) == [*range(20, 41)]  # 20 itself, and all that wait for 40
    assert ids(plain) == [*range(20), *range(41, 50)]


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_refer_to_each_other_go_together(plain: psycopg.Connection, postgres_url: str, way: str) -> None:
    plain.execute(f"CREATE TABLE t (id int PRIMARY KEY, other int REFERENCES t {LATE})")
    loaded = load(postgres_url, [(1, 2), (2, 1), (3, 1)], way)
    assert refused(loaded) == []
    assert ids(plain) == [1, 2, 3]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_trigger_finds_at_the_commit_is_laid_to_its_row(
    plain: psycopg.Connection, postgres_url: str, way: str
) -> None:
    plain.execute(
        f"""CREATE TABLE t (id int PRIMARY KEY, other int UNIQUE {LATE});
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN IF new.id = 5 THEN RAISE 'not five'; END IF; RETURN new; END $$;
            CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t {LATE} FOR EACH ROW EXECUTE FUNCTION refuse()"""
    )
    rows = [(number, number if number != 9 else 8) for number in range(20)]
    loaded = load(postgres_url, rows, way)
    assert refused(loaded) == [5, 9]
    assert "not five" in loaded.refused[0].reason
    assert "t_other_key" in loaded.refused[1].reason
    assert ids(plain) == [number for number in range(20) if number not in (5, 9)]


@pytest.mark.parametrize("way", WAYS)
def test_a_constraint_of_another_table_that_a_trigger_writes_to_is_checked_too(
    plain: psycopg.Connection, postgres_url: str, way: str
) -> None:
    plain.execute(
        f"""CREATE TABLE t (id int PRIMARY KEY, other int);
            CREATE TABLE kind (id int PRIMARY KEY);
            INSERT INTO kind VALUES (1);
            CREATE TABLE log (kind int REFERENCES kind {LATE});
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN INSERT INTO log VALUES (new.other); RETURN new; END $$;
            CREATE TRIGGER noted AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note()"""
    )
    rows = [*ROWS]
    rows[12] = (12, 2)
    assert refused(load(postgres_url, rows, way)) == [12]
    assert plain.execute("SELECT count(*), min(kind) FROM log").fetchone() == (49, 1)


def test_a_migration_keeps_such_a_row_as_a_reject_and_goes_on(
    plain: psycopg.Connection, postgres_url: str, tmp_path: Any
) -> None:
    source = Database(f"sqlite:///{tmp_path / 'old.db'}")
    source.execute("CREATE TABLE s (id INTEGER PRIMARY KEY, other INTEGER)")
    source.insert("s", [*ROWS[:7], (7, 99), *ROWS[8:]])
    plain.execute("CREATE TABLE parent (id int PRIMARY KEY)")
    plain.execute("INSERT INTO parent VALUES (1)")
    plain.execute(f"CREATE TABLE t (id int PRIMARY KEY, other int REFERENCES parent {LATE})")
    crm = Migration("crm", source=source.url, target=postgres_url, batch_rows=10, max_rejects=1)
    crm.object("t", source=Table("s", key="id"), target=Table("t", key="id"))

    run(crm)

    assert ids(plain) == [number for number in range(50) if number != 7]
    assert plain.execute("SELECT seq, stage, key FROM milepost.reject").fetchall() == [(1, "load", "[7]")]
