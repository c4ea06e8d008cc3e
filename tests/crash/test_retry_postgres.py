"""PostgreSQL fails in passing in the middle of a migration: the same run goes on and ends with exactly the rows."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from power_loss_server import MainsServer, mains_server

from fix_databases import Database
from milepost import Fatal, LeaseHeld, Migration, PlanError, Retryable, Table
from milepost.clock import SystemClock
from milepost.jobs.event import Event, Told
from milepost.jobs.retry import Patience
from milepost.testing import ManualClock
from milepost.wiring.ends import open_target
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers
from milepost.wiring.run import run

pytestmark = pytest.mark.slow

ROWS = 400
BATCH = 40
SOON = Patience(tries=10_000, first=0.001, longest=0.02)
DATA = [
    f"INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, {ROWS}) n",
    f"INSERT INTO invoices SELECT n, 1 + n % {ROWS}, n / 7.0 FROM generate_series(1, {ROWS}) n",
]
SHAPE = [
    "CREATE TABLE customers (id int PRIMARY KEY, name text)",
    "CREATE TABLE invoices (id int PRIMARY KEY, customer int, total numeric)",
]
TARGET = [
    "CREATE TABLE customer (no int PRIMARY KEY, name text)",
    "CREATE TABLE invoice (no int PRIMARY KEY, customer int REFERENCES customer, total numeric)",
]


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[MainsServer, MainsServer]]:
    """One for the source, one for the target."""
    with mains_server() as source, mains_server() as target:
        yield source, target


class Fate(ManualClock):
    """A clock that nobody waits for; at its n-th sleep something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.acts: dict[int, Callable[[], None]] = {}

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.acts.pop(len(self.slept), lambda: None)()


@dataclass
class Scene:
    """A source, a target, and what is to happen once, when the function meets a row or a batch is loaded."""

    source: Database
    target: Database
    clock: Fate = field(default_factory=Fate)
    events: list[Event] = field(default_factory=list)
    at_row: dict[tuple[str, int], Callable[[], None]] = field(default_factory=dict)
    at_load: dict[tuple[str, int], Callable[[Any], None]] = field(default_factory=dict)
    loads: dict[str, int] = field(default_factory=dict)

    def migration(self) -> Migration:
        crm = Migration("crm", source=self.source.url, target=self.target.url, batch_rows=BATCH)

        @crm.object(source=Table("customers", key="id"), target=Table("customer", key="no"))
        def customer(row):
            self.at_row.pop(("customer", row["id"]), lambda: None)()
            return {"no": row["id"], "name": row["name"].upper()}

        @crm.object(
            source=Table("invoices", key="id"), target=Table("invoice", key="no"), parents={"customer": customer}
        )
        def invoice(row):
            self.at_row.pop(("invoice", row["id"]), lambda: None)()
            return {"no": row["id"], "customer": row["customer"], "total": row["total"]}

        return crm

    def run(self, patience: Patience | None = None, clock: Any = None) -> None:
        openers = Openers(target=lambda each, url: Loading(open_target(each, url), each.name, self))
        patience = patience or Patience(tries=10, first=1.0, longest=4.0)
        run(self.migration(), emit=self.events.append, openers=openers, clock=clock or self.clock, patience=patience)

    def told(self) -> list[str]:
        return [each.message for each in self.events if isinstance(each, Told)]

    def tries(self) -> list[str]:
        return [message for message in self.told() if "before try" in message]

    def require_exact(self) -> None:
        """By plain SQL: the rows, and one run that wrote every batch once."""
        assert self.target.rows("SELECT no, name FROM customer ORDER BY 1") == self.source.rows(
            "SELECT id, upper(name) FROM customers ORDER BY 1"
        )
        assert self.target.rows("SELECT * FROM invoice ORDER BY 1") == self.source.rows(
            "SELECT * FROM invoices ORDER BY 1"
        )
        assert self.target.rows("SELECT job, epoch, outcome FROM milepost.run") == [("crm", 1, "complete")]
        counts = "SELECT path, sum(read), sum(loaded + unchanged), sum(filtered + rejected)"
        assert self.target.rows(f"{counts} FROM milepost.ledger GROUP BY 1 ORDER BY 1") == [
            (name, ROWS, ROWS, 0) for name in ("customer", "invoice")
        ]


class Loading:
    """A target that calls on fate inside the transaction, when its rows are in and nothing is committed."""

    def __init__(self, target: Any, name: str, scene: Scene) -> None:
        self.target = target
        self.name = name
        self.scene = scene

    def load(self, connection, rows, loading):
        number = self.scene.loads[self.name] = self.scene.loads.get(self.name, 0) + 1
        loaded = self.target.load(connection, rows, loading)
        self.scene.at_load.pop((self.name, number), lambda _: None)(connection)
        return loaded

    def __getattr__(self, name):
        return getattr(self.target, name)


@pytest.fixture(params=["direct", "staged"])
def scene(request, servers) -> Scene:
    source, target = servers[0].database("source"), servers[1].database("target")
    source.execute(*SHAPE, *DATA)
    target.execute(*TARGET)
    if request.param == "staged":  # the tables are not empty, so that rows go through temporary tables
        target.execute("INSERT INTO customer VALUES (7, 'old')", "INSERT INTO invoice VALUES (7, 7, 0)")
    return Scene(source, target)


def cut(scene: Scene, *servers: MainsServer) -> Callable[..., None]:
    """What takes the servers down, and up again when the run has waited three times."""

    def act(*_) -> None:
        for server in servers:
            server.cut()
        waited = len(scene.clock.slept)
        scene.clock.acts[waited + 30] = lambda: [server.restore() for server in servers]

    return act


@pytest.mark.parametrize(
    ("scene", "name", "which", "moment"),
    [
        ("direct", "customer", "source", "reading"),
        ("direct", "customer", "target", "reading"),
        ("direct", "customer", "both", "loading"),
        ("direct", "invoice", "target", "loading"),
        ("staged", "customer", "source", "loading"),
        ("staged", "invoice", "target", "reading"),
        ("staged", "invoice", "target", "loading"),
        ("staged", "invoice", "both", "reading"),
    ],
    indirect=["scene"],
)
def test_a_server_is_restarted_in_the_middle(scene, servers, which, moment, name) -> None:
    chosen = {"source": servers[:1], "target": servers[1:], "both": servers}[which]
    if moment == "reading":
        scene.at_row[name, 3 * BATCH + 5] = cut(scene, *chosen)
    else:
        scene.at_load[name, 4] = cut(scene, *chosen)
    scene.run()
    scene.require_exact()
    assert not scene.clock.acts
    tries = scene.tries()
    assert 3 <= len(tries) <= 10
    assert any("cannot be reached" in message for message in tries)
    assert servers[0].password not in "".join(tries)


def test_the_lock_that_proves_that_the_run_lives_is_taken_again_with_the_connections(scene, servers) -> None:
    refused = []

    def end_all() -> None:
        with psycopg.connect(servers[1]._url("postgres"), autocommit=True) as keeper:
            keeper.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'target'")

    def take_over() -> None:
        other = open_store(scene.target.url, create=True)
        assert other is not None
        with contextlib.closing(other), pytest.raises(LeaseHeld) as held:
            other.acquire("crm", holder="another", ttl=60.0)
        refused.append(held.value)

    scene.at_row["customer", BATCH + 5] = end_all
    scene.at_row["customer", 2 * BATCH + 5] = take_over
    scene.run()
    assert len(refused) == 1
    scene.require_exact()


def test_a_server_that_stays_away_is_given_up_and_the_next_run_resumes(scene, servers) -> None:
    scene.at_load["customer", 4] = lambda _: servers[1].cut()
    with pytest.raises(Retryable, match=r"tried 10 times"):
        scene.run()
    assert sum(scene.clock.slept) <= 1 + 2 + 7 * 4
    servers[1].restore()
    assert scene.target.rows("SELECT count(*) FROM customer WHERE name <> 'old'") == [(3 * BATCH,)]
    scene.run()
    assert scene.target.rows("SELECT epoch, outcome FROM milepost.run ORDER BY 1") == [(1, None), (2, "complete")]


def test_sessions_are_ended_at_random_moments(scene, servers) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance, stop = random.Random(seed), threading.Event()

    def end_sessions() -> None:
        with contextlib.ExitStack() as stack:
            keepers = [
                stack.enter_context(psycopg.connect(server._url("postgres"), autocommit=True)) for server in servers
            ]
            for _ in range(60):
                stop.wait(chance.random() / 20)
                chance.choice(keepers).execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('source', 'target')"
                    " AND (%s OR random() < 0.5)",
                    [chance.random() < 0.5],
                )

    killer = threading.Thread(target=end_sessions)
    scene.at_row["customer", 5] = killer.start  # behind the rows on which the plan tries the function
    scene.at_row["invoice", ROWS] = killer.join
    try:
        scene.run(SOON, SystemClock())
    finally:
        stop.set()
        killer.join()
    scene.require_exact()
    assert scene.tries()


def when_blocked(keeper: psycopg.Connection[Any], act: Callable[[], object]) -> threading.Thread:
    """In a thread: wait until the migration waits for a lock in the target, then act."""

    def watch() -> None:
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'milepost crm%'"
        try:
            for _ in range(3000):
                if keeper.execute(f"{sessions} AND wait_event_type = 'Lock'").fetchone() == (1,):
                    break
                SystemClock().sleep(0.01)
        finally:
            act()  # whatever happens: the migration waits for it

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


@pytest.fixture
def full(servers) -> Scene:
    """A target in which every row is already, to be updated."""
    source, target = servers[0].database("source"), servers[1].database("target")
    source.execute(*SHAPE, *DATA)
    target.execute(*TARGET)
    target.execute(f"INSERT INTO customer SELECT n, 'old' FROM generate_series(1, {ROWS}) n")
    return Scene(source, target)


def test_a_deadlock_of_which_the_migration_is_the_victim_is_tried_again(full, servers) -> None:
    full.target.execute("ALTER DATABASE target SET deadlock_timeout = '2s'")
    with (
        psycopg.connect(servers[1]._url("postgres"), autocommit=True) as keeper,
        psycopg.connect(full.target.url) as other,
    ):
        threads = []

        def close_the_circle() -> None:
            other.execute("UPDATE customer SET name = 'other' WHERE no = 1")
            other.commit()

        def begin() -> None:
            other.execute("SET deadlock_timeout = '1h'")
            other.execute("UPDATE customer SET name = 'other' WHERE no = 30")
            threads.append(when_blocked(keeper, close_the_circle))

        full.at_row["customer", 6] = begin
        try:
            full.run()
        finally:
            threads[0].join()
            full.target.execute("ALTER DATABASE target RESET deadlock_timeout")
    full.require_exact()
    (told,) = full.tries()
    assert "deadlock detected" in told


def test_a_serialization_failure_is_tried_again(servers) -> None:
    """It happens under READ COMMITTED too: a parent to which a row refers moves to another partition."""
    source, target = servers[0].database("source"), servers[1].database("target")
    source.execute(*SHAPE, *DATA)
    target.execute(
        "CREATE TABLE region (no int, name text, PRIMARY KEY (no, name)) PARTITION BY LIST (name)",
        "CREATE TABLE north PARTITION OF region FOR VALUES IN ('north')",
        "CREATE TABLE south PARTITION OF region FOR VALUES IN ('south')",
        f"INSERT INTO region SELECT n, 'north' FROM generate_series(1, {ROWS}) n",
        "CREATE TABLE customer (no int PRIMARY KEY, name text, region text)",
        "ALTER TABLE customer ADD FOREIGN KEY (no, region) REFERENCES region",
    )
    events: list[Event] = []
    threads = []
    crm = Migration("crm", source=source.url, target=target.url, batch_rows=BATCH)
    with (
        psycopg.connect(servers[1]._url("postgres"), autocommit=True) as keeper,
        psycopg.connect(target.url) as other,
    ):

        @crm.object(source=Table("customers", key="id"), target=Table("customer", key="no"))
        def customer(row):
            if row["id"] == 2 * BATCH + 6 and not threads:
                other.execute("UPDATE region SET name = 'south' WHERE no = %s", [2 * BATCH + 20])
                other.execute("INSERT INTO region VALUES (%s, 'north')", [2 * BATCH + 20])
                threads.append(when_blocked(keeper, other.commit))
            return {"no": row["id"], "name": row["name"], "region": "north"}

        try:
            run(crm, emit=events.append, clock=ManualClock())
        finally:
            threads[0].join()
    (told,) = [each.message for each in events if isinstance(each, Told)]
    assert "another partition" in told
    assert "before try 2" in told
    assert target.rows("SELECT no, name FROM customer ORDER BY 1") == source.rows("SELECT * FROM customers ORDER BY 1")
    assert target.rows("SELECT epoch, outcome FROM milepost.run") == [(1, "complete")]
    assert target.rows("SELECT sum(read), sum(loaded), count(*) FROM milepost.ledger") == [(ROWS, ROWS, ROWS // BATCH)]


@pytest.mark.parametrize("which", [0, 1], ids=["source", "target"])
def test_connections_that_are_all_in_use_are_waited_for(scene, servers, which) -> None:
    url = servers[which]._url("postgres")
    taken = contextlib.ExitStack()

    def take_all() -> None:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                taken.enter_context(psycopg.connect(url, autocommit=True))

    def use_up() -> None:
        keeper = taken.enter_context(psycopg.connect(url, autocommit=True))
        take_all()
        ours = "pg_stat_activity WHERE application_name LIKE 'milepost%'"
        keeper.execute(f"SELECT pg_terminate_backend(pid) FROM {ours}")
        while keeper.execute(f"SELECT count(*) FROM {ours}").fetchone() != (0,):
            SystemClock().sleep(0.01)
        take_all()
        scene.clock.acts[len(scene.clock.slept) + 30] = taken.close

    scene.at_row["customer", 2 * BATCH + 9] = use_up
    with taken:
        scene.run()
    scene.require_exact()
    assert any("too many clients" in message for message in scene.told())


def drop_source(servers: tuple[MainsServer, MainsServer]) -> None:
    with psycopg.connect(servers[0]._url("postgres"), autocommit=True) as keeper:
        keeper.execute("DROP DATABASE source WITH (FORCE)")


def close_source(servers: tuple[MainsServer, MainsServer]) -> None:
    with psycopg.connect(servers[0]._url("postgres"), autocommit=True) as keeper:
        keeper.execute("ALTER ROLE guest PASSWORD 'another'")
        keeper.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'")


@pytest.mark.parametrize(("act", "why"), [(drop_source, "does not exist"), (close_source, "authentication failed")])
def test_what_does_not_pass_stops_at_the_last_checkpoint_once_it_is_known(servers, act, why) -> None:
    """The session is lost, which passes; connecting again is refused, which does not."""
    source, target = servers[0].database("source"), servers[1].database("target")
    source.execute(*SHAPE, *DATA)
    source.execute("DROP ROLE IF EXISTS guest", "CREATE ROLE guest LOGIN PASSWORD 'welcome'")
    source.execute("GRANT USAGE ON SCHEMA public TO guest", "GRANT SELECT ON customers, invoices TO guest")
    target.execute(*TARGET)
    url = source.url.replace(f"keeper:{servers[0].password}", "guest:welcome")
    scene = Scene(Database(url), target)
    scene.at_row["customer", 3 * BATCH + 5] = lambda: act(servers)
    try:
        with pytest.raises(PlanError, match=why) as refused:
            scene.run()
    finally:
        servers[0].database("source").execute("DROP OWNED BY guest", "DROP ROLE guest")
    assert "welcome" not in str(refused.value)
    assert len(scene.tries()) == 1
    assert target.rows("SELECT epoch, outcome FROM milepost.run") == [(1, "failed")]
    counts = target.rows("SELECT count(*) FROM customer")[0][0]
    assert counts == target.rows("SELECT sum(loaded) FROM milepost.ledger")[0][0] >= 3 * BATCH


def test_a_statement_that_somebody_cancels_is_not_tried_again(full, servers) -> None:
    with (
        psycopg.connect(servers[1]._url("postgres"), autocommit=True) as keeper,
        psycopg.connect(full.target.url) as other,
    ):
        threads = []

        def cancel() -> None:
            keeper.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

        def hold() -> None:
            other.execute("UPDATE customer SET name = 'other' WHERE no = 30")
            threads.append(when_blocked(keeper, cancel))

        full.at_row["customer", 6] = hold
        try:
            with pytest.raises(Fatal, match="canceling statement") as stopped:
                full.run()
        finally:
            threads[0].join()
    assert "same command resumes" in (stopped.value.hint or "")
    assert full.tries() == []
    assert full.target.rows("SELECT epoch, outcome FROM milepost.run") == [(1, "failed")]
