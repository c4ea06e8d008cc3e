"""How many statements a step, a batch and a launch cost, as the drivers themselves trace them, whatever went before."""

import sqlite3

import pytest

from fix_databases import Database
from fix_trace import Tables
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.runner import run as run_to_end
from milepost.jobs.state import Record, State
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.testing.clock import ManualClock
from milepost.wiring.open import open_store
from milepost.wiring.run import run

REJECT = RejectedRow(path="a", seq=1, stage="load", reason="no", key=[1], content={})


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path / 's.db'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url, trace):
    store = open_store(url, create=True)
    store._clock = ManualClock()  # no time passes: the sign of life that SQLite gives once a second comes once
    yield store
    store.close()


def cost(url, *, sqlite, postgres):
    return sqlite if url.startswith("sqlite") else postgres


def each(trace, act, *, few=10, many=110):
    """What one more costs, where the first ones may cost more: a driver prepares a statement that comes often."""
    difference = trace.count(lambda: act(many)) - trace.count(lambda: act(few))
    assert difference % (many - few) == 0
    return difference // (many - few)


def steps(store, name, *, fail=False):
    """A function that runs a job of so many steps."""

    def act(count):
        def main(cp):
            total = sum(cp.call(f"{name}{count}-{number}", lambda _: 1) for number in range(count))
            if fail:
                raise ValueError("on purpose")
            return total

        if fail:
            with pytest.raises(ValueError, match="on purpose"):
                run_to_end(f"{name}{count}", main, store=store)
        else:
            assert run_to_end(f"{name}{count}", main, store=store) == count

    return act


def test_a_new_step_costs_two_commits_and_nothing_else(store, url, trace) -> None:
    for number in range(8):  # so often that the driver has prepared every statement
        steps(store, f"warm {number} ")(20)
    assert each(trace, steps(store, "s")) == 2


def test_a_completed_step_costs_next_to_nothing(store, url, trace) -> None:
    steps(store, "s", fail=True)(1000)
    few = trace.count(lambda: steps(store, "s", fail=True)(1000))
    assert few < 60


WRITES = {
    "put": lambda store, lease, n: store.put(lease, Record(path="a", state=State.STARTED, attempt=n)),
    "append": lambda store, lease, n: store.append(lease, batch(n)),
    "remember": lambda store, lease, n: store.remember(lease, "a", f"name {n}", n),
    "replace": lambda store, lease, n: store.replace(lease, "a", "name", n),
}


def batch(number):
    return Entry(path="a", seq=number, low=number - 1, high=number, counts=Counts(read=1, loaded=1))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_durable_write_is_one_trip(store, url, trace, write) -> None:
    lease = store.acquire("job", holder="x", ttl=60.0)
    store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    for number in range(1, 20):
        write(store, lease, number)
    assert trace.count(lambda: write(store, lease, 20)) == 1


def test_a_batch_in_a_transaction_costs_the_beginning_the_epoch_the_entry_and_the_commit(store, url, trace) -> None:
    lease = store.acquire("job", holder="x", ttl=60.0)
    store.put(lease, Record(path="a", state=State.STARTED, attempt=1))

    def act(number, rejects=()):
        with store.transaction(lease):
            store.append(lease, batch(number), rejects)

    for number in range(1, 20):
        act(number, [REJECT])
    assert trace.count(lambda: act(20)) == 4
    assert trace.count(lambda: act(21, [REJECT])) == cost(url, sqlite=7, postgres=6)  # a savepoint; COPY and its end
    assert trace.count(lambda: act(22, [REJECT] * 900)) == cost(url, sqlite=7 + 899, postgres=6)  # each row is traced


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_batch_of_a_migration_costs_the_same_however_many_there_are(kind, request, tmp_path, trace) -> None:
    target = f"sqlite:///{tmp_path / 't.db'}" if kind == "sqlite" else request.getfixturevalue("postgres_url")
    source = tmp_path / "source.db"
    with sqlite3.connect(source) as made:
        made.execute("CREATE TABLE customers (no integer PRIMARY KEY, name text)")
        made.executemany("INSERT INTO customers VALUES (?, ?)", [(n, f"name {n}") for n in range(1110)])
    made.close()
    store = open_store(target, create=True)
    for count in (100, 1110):
        store._connection.execute(f"CREATE TABLE customer{count} (no integer PRIMARY KEY, name text)")
    store.close()

    def act(count):
        table = Table("customers", key="no", where=f"no < {count}")
        crm = Migration(f"crm{count}", source=f"sqlite:///{source}", target=target, batch_rows=10)
        crm.object("customer", source=table, target=Table(f"customer{count}", key="no"))
        run(crm)

    few, many = trace.count(lambda: act(100)), trace.count(lambda: act(1110))
    rows = (1110 - 100) if kind == "sqlite" else 0  # executemany is traced row by row
    renewals = sum("UPDATE milepost_run" in each for each in trace.statements)  # one a second at most
    assert many - few - rows - renewals <= 101 * cost(target, sqlite=4, postgres=8)


# -- the launch of a run, from opening its store to closing it


def with_batches(store, database, count):
    """A job with a step that failed after so many batches."""
    name = f"batches{count}"

    def body(cp):
        cp.append(None, 1, Counts(read=1, loaded=1))
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        run_to_end(name, lambda cp: cp.call("a", body), store=store)
    database.execute(
        f"INSERT INTO {database.prefix}ledger SELECT job, path, n, low, high, read, loaded, unchanged, filtered,"
        f" rejected, n, n, 0, 0, 0, epoch, committed_at, modified FROM {database.prefix}ledger, {numbers(count)}"
        f" WHERE job = '{name}'"
    )
    return name


def with_runs(store, database, count):
    """A job that ran so often."""
    name = f"runs{count}"
    run_to_end(name, lambda cp: cp.call("b", lambda _: None), store=store, reopen=True)
    database.execute(
        f"INSERT INTO {database.prefix}run SELECT job, n, holder, started_at, seen_at, lease_until, ended_at, outcome,"
        f" error FROM {database.prefix}run, {numbers(count)} WHERE job = '{name}'",
        f"UPDATE {database.prefix}job SET epoch = {count} WHERE name = '{name}'",
    )
    return name


def with_steps(store, database, count):
    """A job of which so many steps are complete, that calls none of them again."""
    name = f"steps{count}"
    run_to_end(name, lambda cp: cp.call("b", lambda _: None), store=store)
    columns = "job, path, state, attempt, position, result, failure_kind, failure_message, started_at, finished_at"
    database.execute(
        f"INSERT INTO {database.prefix}checkpoint ({columns}, changed_at)"
        f" SELECT {columns.replace('path', chr(39) + 'c' + chr(39) + ' || n')}, changed_at"
        f" FROM {database.prefix}checkpoint, {numbers(count)} WHERE job = '{name}' AND path = 'b'",
    )
    return name


def numbers(count):
    """From 2 on, as a table."""
    return (
        f"(WITH RECURSIVE r (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM r WHERE n < {count}) SELECT n FROM r) AS two"
    )


@pytest.mark.parametrize(
    ("history", "few", "many"), [(with_runs, 10, 1000), (with_batches, 10, 10_000), (with_steps, 10, 10_000)]
)
def test_a_launch_costs_the_same_whatever_went_before(store, url, trace, history, few, many) -> None:
    database = Tables(url)
    names = [history(store, database, count) for count in (few, few + 1, many)]
    if not url.startswith("sqlite"):
        database.execute("ANALYZE")

    def main(cp):
        return cp.call("a", lambda inner: [inner.append(n, n + 1, Counts(read=1)) for n in range(3)] and None)

    def launch(name):
        opened = open_store(url, create=True)
        run_to_end(name, main, store=opened, reopen=True)
        opened.close()

    def measured(name):
        work, rows = trace.work, database.rows_read()
        statements = trace.count(lambda: launch(name))
        return statements, trace.work - work, database.rows_read() - rows

    assert measured(names[0])[0] > 10  # the first launch may cost more
    (statements, work, rows), (statements_of_many, work_of_many, rows_of_many) = map(measured, names[1:])
    assert statements_of_many == statements
    assert work_of_many <= work * 1.1
    assert rows_of_many <= rows + many / 10


# -- a look at a source that lives on, however often it was looked at before


def living_on(source, target, deletes):
    """Customers with their orders, in batches of one row."""
    settings = {"batch_rows": 1, "max_rejects": 9, "deletes": deletes, "recheck_after": "1000h"}
    crm = Migration("crm", source=source.url, target=target.url, **settings)
    customer = crm.object(
        "customer",
        source=Table("customers", key="no", modified="changed"),
        target=Table("customer", key="no"),
        columns={"no": "no", "name": "name"},
    )
    crm.object(
        "sale",
        source=Table("orders", key="no"),
        target=Table("sale", key="no"),
        columns={"no": "no", "customer": "customer"},
        parents={"customer": customer},
    )
    return crm


@pytest.mark.parametrize("deletes", ["apply", "report"])
def test_a_look_at_the_source_costs_the_same_however_often_it_was_looked_at(url, tmp_path, trace, deletes) -> None:
    source, target = Database(f"sqlite:///{tmp_path / 'source.db'}"), Database(url)
    source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, name text, changed integer)",
        "CREATE TABLE orders (no integer PRIMARY KEY, customer integer)",
        "INSERT INTO customers VALUES (1, 'a', 0), (2, 'b', 0), (3, 'c', 0)",
        "INSERT INTO orders VALUES (10, 1), (20, 2), (30, 3)",
    )
    target.execute(
        "CREATE TABLE customer (no integer PRIMARY KEY, name text)",
        "CREATE TABLE sale (no integer PRIMARY KEY, customer integer NOT NULL REFERENCES customer (no))",
    )
    run(living_on(source, target, deletes))

    def look(number):
        """A customer is renamed; another goes and leaves its order behind, or comes again."""
        goes = number % 2
        other = "DELETE FROM customers WHERE no = 3" if goes else f"INSERT INTO customers VALUES (3, 'c', {number})"
        source.execute(f"UPDATE customers SET name = 'b{number}', changed = {number} WHERE no = 2", other)
        return trace.count(lambda: run(living_on(source, target, deletes), recheck=True))

    costs = {number: look(number) for number in range(1, 21)}
    assert target.rows("SELECT name FROM customer WHERE no = 2") == [("b20",)]
    assert target.rows("SELECT count(*) FROM sale") == [(3,)]
    renewals = 2  # signs of life, one a second at most
    assert costs[19] <= costs[3] + renewals
    assert costs[20] <= costs[4] + renewals
