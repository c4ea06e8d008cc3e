"""What a store refuses, what it only looks at, and stores that an older Milepost made."""

import sqlite3
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from milepost.errors import Fatal, LeaseHeld, PlanError, Retryable, StoreError
from milepost.jobs.ledger import Counts, Entry
from milepost.jobs.state import Failure, Record, State
from milepost.wiring.open import open_store

HERE = Path(__file__).parent


class Sqlite:
    """A database to make trouble in."""

    prefix, schema = "milepost_", "milepost_schema"

    def __init__(self, path):
        self.path = path
        self.url = f"sqlite:///{path}"

    def run(self, *statements):
        connection = sqlite3.connect(self.path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    def load(self, script):
        connection = sqlite3.connect(self.path)
        connection.executescript(script)
        connection.close()

    def digest(self):
        """Of the file; sidecars of SQLite that hold no data do not count."""
        files = [file for file in self.path.parent.iterdir() if not file.name.endswith("-shm") and file.stat().st_size]
        return {file.name: sha256(file.read_bytes()).hexdigest() for file in files}


class Postgres:
    prefix, schema = "milepost.", "milepost.schema_version"

    def __init__(self, url):
        self.url = url

    def run(self, *statements):
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    load = run

    def digest(self):
        with psycopg.connect(self.url) as connection:
            return connection.execute("SELECT relname, relfilenode FROM pg_class ORDER BY oid").fetchall()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Sqlite(tmp_path / "data.db")
    return Postgres(request.getfixturevalue("postgres_url"))


def make(database):
    open_store(database.url, create=True).close()


@pytest.mark.parametrize("create", [True, False])
def test_a_store_of_a_newer_schema_is_refused_with_both_numbers(database, create):
    make(database)
    database.run(f"INSERT INTO {database.schema} VALUES (7, '2030-01-01')")
    before = database.digest()
    with pytest.raises(StoreError, match=r"schema 7.* up to 2") as refused:
        open_store(database.url, create=create)
    assert "pip install --upgrade milepost" in refused.value.hint
    assert database.digest() == before


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("table", ["run", "schema"])
def test_tables_of_somebody_else_under_our_names_are_refused(database, create, table):
    if isinstance(database, Postgres):
        database.run("CREATE SCHEMA milepost")
    name = database.schema if table == "schema" else f"{database.prefix}run"
    database.run(f"CREATE TABLE {name} (distance integer)")
    before = database.digest()
    with pytest.raises(StoreError, match=f"{name}, which is not of a Milepost store"):
        open_store(database.url, create=create)
    assert database.digest().keys() == before.keys() if isinstance(before, dict) else database.digest() == before


@pytest.mark.parametrize("create", [True, False])
def test_a_damaged_store_is_refused_naming_what_is_missing(database, create):
    make(database)
    database.run(f"ALTER TABLE {database.prefix}ledger DROP COLUMN total_read")
    with pytest.raises(StoreError, match="ledger lacks total_read"):
        open_store(database.url, create=create)
    database.run(f"DROP TABLE {database.prefix}ledger")
    with pytest.raises(StoreError, match="no table ledger"):
        open_store(database.url, create=create)


def test_looking_where_no_store_is_finds_none_and_makes_nothing(database, tmp_path):
    database.run("CREATE TABLE customer (id integer)")
    before = database.digest()
    assert open_store(database.url, create=False) is None
    assert database.digest() == before
    assert open_store(f"sqlite:///{tmp_path / 'nothing.db'}", create=False) is None
    assert not (tmp_path / "nothing.db").exists()


def test_a_store_opened_to_look_writes_nothing(database):
    make(database)
    before = database.digest()
    store = open_store(database.url, create=False)
    assert (store.jobs(), store.checkpoints("crm"), store.recall("crm", "")) == ([], [], {})
    with pytest.raises(StoreError):
        store.acquire("crm", holder="me", ttl=60.0)
    store.close()
    assert database.digest() == before


def test_a_file_that_is_not_sqlite_is_refused_and_kept(tmp_path):
    file = tmp_path / "letter.txt"
    file.write_text("Dear Sir or Madam, " * 100)
    before = file.read_bytes()
    for create in (True, False):
        with pytest.raises((StoreError, PlanError), match=r"letter\.txt"):
            open_store(f"sqlite:///{file}", create=create)
    assert file.read_bytes() == before


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PlanError, match=r"no/such/folder"):
        open_store(f"sqlite:///{tmp_path}/no/such/folder/x.db", create=True)


def test_a_user_who_may_not_make_the_schema_is_told_what_to_ask_for(postgres_server, postgres_url):
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_server.keeper_url(name), autocommit=True) as keeper:
        keeper.execute(f"ALTER DATABASE {name} OWNER TO CURRENT_USER")
        keeper.execute(f"REVOKE CREATE ON DATABASE {name} FROM PUBLIC")
    with pytest.raises(StoreError, match="permission denied") as refused:
        open_store(postgres_url, create=True)
    assert "CREATE SCHEMA milepost" in refused.value.hint
    assert postgres_server.password not in str(refused.value)


def test_a_full_disk_is_said_in_words_and_takes_nothing_that_was_committed(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'full.db'}", create=True)
    lease = store.acquire("crm", holder="me", ttl=60.0)
    store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    with store.transaction(lease) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Fatal, match="full"):
        store.put(lease, Record(path="b", state=State.STARTED, position="x" * 100_000))
    assert [record.path for record in store.checkpoints("crm")] == ["a"]
    with store.transaction(lease) as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    store.put(lease, Record(path="b", state=State.STARTED, position="x" * 100_000))
    store.close()


def test_a_connection_that_the_server_ended_is_a_passing_fault_and_is_made_anew(postgres_server, postgres_url):
    store = open_store(postgres_url, create=True)
    lease = store.acquire("crm", holder="me", ttl=60.0)
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'milepost'")
    with pytest.raises(Retryable) as lost:
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    assert postgres_server.password not in str(lost.value) + store.url
    with pytest.raises(Retryable):
        store.renew(lease)
    store.renew(lease)
    store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    other = open_store(postgres_url, create=True)
    with pytest.raises(LeaseHeld):  # the renewal took the lock again
        other.acquire("crm", holder="you", ttl=60.0)
    other.close()
    store.close()


def test_what_the_database_refuses_only_at_the_commit_is_said_in_words_and_keeps_nothing(database):
    make(database)
    reference = "REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED"
    database.run("CREATE TABLE parent (id integer PRIMARY KEY)", f"CREATE TABLE child (parent integer {reference})")
    store = open_store(database.url, create=True)
    lease = store.acquire("crm", holder="me", ttl=60.0)

    def write(parent):
        with store.transaction(lease) as connection:
            store.put(lease, Record(path="a", state=State.STARTED, position=parent))
            connection.execute(f"INSERT INTO child VALUES ({parent})")

    with pytest.raises(Fatal, match=r"refused the commit, and nothing .*(?i:foreign key)") as refused:
        write(5)
    assert not isinstance(refused.value, StoreError | Retryable)
    assert "DEFERRED" in refused.value.hint
    assert store.get("crm", "a") is None
    with store.transaction(lease) as connection:
        connection.execute("INSERT INTO parent VALUES (5)")
    write(5)
    assert store.get("crm", "a").position == 5
    with store.transaction(lease) as connection:
        assert connection.execute("SELECT parent FROM child").fetchall() == [(5,)]
    store.close()


def test_a_store_of_schema_one_can_still_be_read_and_used(database):
    database.load((HERE / f"store_0001_{type(database).__name__.lower()}.sql").read_text(encoding="utf-8"))
    store = open_store(database.url, create=True)
    root, customer, invoice = store.checkpoints("crm")
    assert (root.path, root.state, root.attempt) == ("", State.STARTED, 1)
    assert (customer.state, customer.position, customer.result) == (State.COMPLETE, ["C200"], [1])
    assert customer.counts == Counts(read=200, loaded=157, unchanged=40, filtered=1, rejected=2)
    assert (invoice.position, invoice.failure) == ({"after": 5}, Failure(kind="error", message="no"))
    assert [row.content for row in store.rejects("crm")] == [
        {"cust_no": key, "name": "\u00c9mile \x00"} for key in ("C7", "C9")
    ]
    assert store.recall("crm", "") == {"now": "2026-01-02T03:04:05+00:00"}
    assert [(run.epoch, run.outcome) for run in store.runs("crm")] == [(1, "failed")]
    lease = store.acquire("crm", holder="host:2", ttl=60.0)
    assert lease.epoch == 2
    store.append(lease, Entry(path="customer", seq=3, low=["C200"], high=["C201"], counts=Counts(read=1, loaded=1)))
    store.put(lease, Record(path="new", state=State.STARTED, attempt=1))
    assert [record.path for record in store.checkpoints("crm")] == ["", "customer", "invoice", "new"]
    store.close()


def test_a_store_of_schema_two_can_still_be_read_and_used(database):
    database.load((HERE / f"store_0002_{type(database).__name__.lower()}.sql").read_text(encoding="utf-8"))
    store = open_store(database.url, create=True)
    assert [(record.path, record.state) for record in store.checkpoints("crm")] == [
        ("", State.STARTED),
        ("employee", State.COMPLETE),
        ("employee/links", State.FAILED),
    ]
    assert [entry.modified for entry in store.ledger("crm", "employee")] == [
        [{"datetime": "2026-11-01T12:00:00+00:00"}],
        None,
    ]
    mended, waiting = store.rejects("crm")
    assert (mended.key, mended.target_key, mended.parent) == (["E7"], ["E7"], None)
    assert (waiting.key, waiting.target_key, waiting.parent) == (["E9"], [9], [["employee", ["E7"]]])
    assert store.find_rejects("crm", "employee", [["E7"]]) == [mended]
    assert store.mapped("crm", "employee", ['["E1"]', '["E101"]', '["E3"]']) == {'["E1"]': [1], '["E101"]': [101]}
    assert store.mapped_by("crm", "employee", [("employee", 1)]) == [('["E1"]', [1]), ('["E2"]', [2])]
    assert store.mapped_from("crm", "employee", [[101]]) == [('["E101"]', [101])]
    assert list(store.links("crm", "employee", (1, 0))) == [(1, 1, {"child": [1], "parents": {"manager_id": None}})]
    lease = store.acquire("crm", holder="host:2", ttl=60.0)
    store.unmap(lease, "employee", ['["E1"]'])
    assert store.forget_rejects(lease, "employee", keys=[["E7"]], batches=[("employee", 1)]) == 2
    assert store.rewind(lease, "employee") == 2
    assert list(store.links("crm", "employee")) == []
    assert store.mapped_by("crm", "employee", [("employee", -1)]) == [('["E101"]', [101]), ('["E2"]', [2])]
    store.close()
