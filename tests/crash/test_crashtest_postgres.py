"""The same on PostgreSQL: scratch databases are made beside the real ones, and none is left."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import psycopg
import pytest

from fix_databases import Database
from fix_postgres import ROLE, PostgresServer
from milepost.clock import SystemClock
from milepost.crashtest.choose import scripts
from milepost.crashtest.content import digest
from milepost.crashtest.fault import Effect, Kind, Script
from milepost.crashtest.postgres_copy import drop_all, new_database, rows_in
from milepost.crashtest.prove import prove
from milepost.errors import PlanError
from run_command import command

CRM = """
from milepost import Migration, Table

crm = Migration("crm", source="{source}", target="{target}", batch_rows=16, max_rejects=20)


@crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
def customer(row):
    return {{"no": row["no"], "name": row["name"].strip()}}


@crm.object(source=Table("invoices", key="no"), target=Table("invoice", key="no"), parents={{"customer_no": customer}})
def invoice(row):
    return row
"""


@pytest.fixture
def made_urls(postgres_server: PostgresServer, postgres_urls: Callable[[], str]) -> Iterator[Callable[[], str]]:
    """As ``postgres_urls``; the role may make databases meanwhile."""
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute(f"ALTER ROLE {ROLE} CREATEDB")
        yield postgres_urls
        keeper.execute(f"ALTER ROLE {ROLE} NOCREATEDB")


def databases_of(server: PostgresServer) -> set[str]:
    with psycopg.connect(server.keeper_url("postgres")) as keeper:
        return {row[0] for row in keeper.execute("SELECT datname FROM pg_database")}


def make(folder: Path, source_url: str, target_url: str) -> tuple[Database, Database]:
    """100 customers, 90 invoices of which 9 have no customer; the invoices' ids are the target's own."""
    source, target = Database(source_url), Database(target_url)
    source.execute(
        "CREATE TABLE customers (no INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE invoices (no INTEGER PRIMARY KEY, customer_no INTEGER, total NUMERIC(9, 2))",
    )
    source.insert("customers", [(no, f" name {no}") for no in range(1, 101)])
    source.insert("invoices", [(no, 999 if no % 10 == 0 else no, f"{no}.50") for no in range(1, 91)])
    target.execute(
        "CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT NOT NULL, made TIMESTAMPTZ DEFAULT now())",
        "CREATE TABLE invoice (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, no INTEGER UNIQUE,"
        " customer_no INTEGER REFERENCES customer (no), total NUMERIC(9, 2))",
    )
    (folder / "crm.py").write_text(CRM.format(source=source_url, target=target_url), encoding="utf-8")
    return source, target


def some(kind: Kind, step: int) -> Callable[[Sequence[Effect]], list[Script]]:
    """Rounds with that fault at every so manyth effect."""

    def choose(effects: Sequence[Effect]) -> list[Script]:
        return scripts(effects, kinds=[kind], points=None, random=0, seed=0)[::step]

    return choose


@pytest.mark.parametrize("by", ["pg_dump", "template"])
def test_postgres_to_postgres_is_the_same_after_kills_and_leaves_nothing_behind(
    by, made_urls, postgres_server, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(postgres_server.binaries) if by == "pg_dump" else str(tmp_path))
    source, target = make(tmp_path, made_urls(), made_urls())
    before = databases_of(postgres_server), source.rows("TABLE invoices"), target.rows("TABLE pg_namespace")

    report = prove(str(tmp_path / "crm.py"), choose=some(Kind.KILL, 4 if by == "pg_dump" else 20))

    assert [each.messages for each in report.failures] == []
    assert report.kills == len(report.rounds)
    assert max(each.read_again for each in report.rounds) == 16
    assert "customer (made)" in " ".join(report.notes)
    assert "invoice (id)" in " ".join(report.notes)
    assert target.rows("SELECT count(*) FROM customer") == [(0,)]
    after = databases_of(postgres_server), source.rows("TABLE invoices"), target.rows("TABLE pg_namespace")
    assert after == before


@pytest.mark.parametrize("fault", [Kind.DROP, Kind.LOST_ANSWER, Kind.SLEEP])
def test_lost_connections_and_leases_lose_nothing(fault, made_urls, postgres_server, tmp_path):
    make(tmp_path, made_urls(), made_urls())
    report = prove(str(tmp_path / "crm.py"), choose=some(fault, 9))

    assert [each.messages for each in report.failures] == []
    assert all(each.effect for each in report.rounds)


def test_a_database_in_use_that_can_only_be_copied_whole_is_refused(made_urls, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    source, _ = make(tmp_path, made_urls(), made_urls())
    with psycopg.connect(source.url), pytest.raises(PlanError, match="pg_dump and psql are not found"):
        prove(str(tmp_path / "crm.py"), points=1)


@pytest.mark.parametrize("by", ["pg_dump", "template"])
def test_a_name_among_the_parameters_of_a_url_leads_no_copy_back_to_the_real_database(
    by, made_urls, postgres_server, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(postgres_server.binaries) if by == "pg_dump" else str(tmp_path))
    source_url, target_url = made_urls(), made_urls()
    server, _, name = target_url.rpartition("/")
    _, target = make(tmp_path, source_url, target_url)
    text = (tmp_path / "crm.py").read_text(encoding="utf-8")
    (tmp_path / "crm.py").write_text(text.replace(target_url, f"{server}/?dbname={name}"), encoding="utf-8")
    target.execute("CREATE SCHEMA milepost", "CREATE TABLE milepost.kept (no integer)")

    assert prove(str(tmp_path / "crm.py"), points=2).ok

    assert target.rows("SELECT count(*) FROM milepost.kept") == [(0,)]
    assert target.rows("SELECT count(*) FROM customer") == [(0,)]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_the_real_database_is_not_opened_under_another_name_of_its_server(host, made_urls, tmp_path):
    make(tmp_path, made_urls(), target_url := made_urls())
    with (tmp_path / "crm.py").open("a", encoding="utf-8") as file:
        file.write(
            "import psycopg\n\n@crm.before\ndef count():\n"
            f"    psycopg.connect({target_url.replace('127.0.0.1', host)!r}).close()\n"
        )
    with pytest.raises(PlanError, match="opens the real database"):
        prove(str(tmp_path / "crm.py"), points=1)


def test_a_control_character_does_not_hide_that_a_value_went_into_the_next_column(postgres_url):
    database = Database(postgres_url)
    database.execute("CREATE TABLE one (a text, b text)", "CREATE TABLE other (a text, b text)")
    database.execute("INSERT INTO one VALUES (E'x\\x1fy', 'z')", "INSERT INTO other VALUES ('x', E'y\\x1fz')")
    one, other = (next(rows_in(postgres_url, name, ("a", "b"))) for name in ("one", "other"))
    assert digest(one) != digest(other)


def test_what_a_database_is_set_to_its_copies_are_set_to(made_urls, tmp_path):
    source, target = make(tmp_path, made_urls(), made_urls())
    for database in (source, target):
        database.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = elsewhere, public', current_database());"
            " END $$",
            "CREATE SCHEMA elsewhere",
        )
    source.execute("ALTER TABLE customers SET SCHEMA elsewhere")
    target.execute("ALTER TABLE customer SET SCHEMA elsewhere")

    report = prove(str(tmp_path / "crm.py"), points=1)

    assert report.ok
    assert report.rows == 190


def test_a_role_that_may_not_make_databases_is_told_what_it_needs(postgres_urls, tmp_path):
    make(tmp_path, postgres_urls(), postgres_urls())
    with pytest.raises(PlanError, match="no scratch database can be made") as caught:
        prove(str(tmp_path / "crm.py"), points=1)
    assert "CREATEDB" in caught.value.hint


def of_crash_tests(server: PostgresServer) -> set[str]:
    return {name for name in databases_of(server) if name.startswith("milepost_crashtest_")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("least", [1, 4])
def test_however_the_command_ends_no_database_is_left(number, least, made_urls, postgres_server, tmp_path):
    make(tmp_path, made_urls(), made_urls())
    process = subprocess.Popen(
        command("crashtest", "crm.py"), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = SystemClock().monotonic() + 60
    while len(of_crash_tests(postgres_server)) < least:
        assert process.poll() is None, process.communicate()
        assert SystemClock().monotonic() < deadline
        SystemClock().sleep(0.01)
    process.send_signal(number)
    process.communicate(timeout=60)  # the pipe's end: that of the process that clears away, too
    assert of_crash_tests(postgres_server) == set()


def test_a_database_that_the_server_is_still_making_is_not_left_either(made_urls, postgres_server):
    url, other, name = made_urls(), made_urls(), "milepost_crashtest_0a1b_1"
    busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE%' AND wait_event_type = 'Lock'"
    with (
        psycopg.connect(postgres_server.keeper_url("postgres")) as keeper,
        psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as watcher,
        ThreadPoolExecutor(2) as pool,
    ):
        keeper.execute("LOCK TABLE pg_database IN SHARE MODE")  # nobody can finish making one
        making = pool.submit(new_database, url, name, like=other)
        while watcher.execute(busy).fetchone() == (0,):
            assert not making.done(), making.result()
            SystemClock().sleep(0.01)
        dropping = pool.submit(drop_all, url, "milepost_crashtest_0a1b_")
        wait([dropping], timeout=30)
        keeper.rollback()
        dropping.result()
        with pytest.raises(PlanError, match="terminating connection"):
            making.result()
    assert of_crash_tests(postgres_server) == set()
