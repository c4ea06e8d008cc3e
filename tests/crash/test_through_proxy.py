"""A migration whose connections break at any byte ends with exactly the rows, rejects and counts of one left alone.

Each round breaks once, at a place drawn by a seed that is printed, before the source, the target or both. Once a run
holds the lease it gets over the fault by itself; one that was hit before is started again, as its user would.
MILEPOST_PROXY_ROUNDS=20 plays twenty rounds for each kind of fault and place.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from fault_proxy import KINDS, Fault, FaultProxy, Kind, Traffic, drawn
from fix_databases import Database
from milepost import Migration, Reject, Retryable, Table
from milepost.clock import SystemClock
from milepost.jobs.event import Event, RunStarted
from milepost.jobs.retry import Patience
from milepost.wiring.run import run

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("MILEPOST_PROXY_ROUNDS", "2"))
CUSTOMERS, INVOICES, BATCH = 60, 240, 40
SECONDS = 120.0  # a round takes one or two
CLOCK = SystemClock()
SOON = Patience(tries=10_000, first=0.001, longest=0.02)
# The source, and before what a proxy stands; where it is the store, that is outside the target.
PLACES = {
    "from SQLite, before PostgreSQL": ("sqlite", ("target",)),
    "before the source": ("postgres", ("source",)),
    "before the target": ("postgres", ("target",)),
    "before both": ("postgres", ("source", "target")),
    "before the store": ("sqlite", ("store",)),
    "before store and target": ("sqlite", ("store", "target")),
}
FAULTS = [(place, kind) for place in PLACES for kind in KINDS if (place, kind) != ("before the source", "lose commit")]

SOURCE = (
    "CREATE TABLE customers (no integer PRIMARY KEY, email text)",
    "CREATE TABLE invoices (no integer PRIMARY KEY, customer_no integer, total integer)",
    "CREATE TABLE notes (no integer PRIMARY KEY, said text)",
)
TARGET = (
    "DROP SCHEMA IF EXISTS milepost CASCADE",
    "DROP TABLE IF EXISTS note, invoice, customer",
    "CREATE TABLE customer (no integer PRIMARY KEY, email text)",
    "CREATE TABLE invoice (no integer PRIMARY KEY, customer_no integer REFERENCES customer, total integer)",
    "ALTER TABLE invoice ADD CHECK (total <> 77)",
    "CREATE TABLE note (no integer PRIMARY KEY, said text)",
)
# What must arrive, said in SQL on the source. A customer without e-mail is rejected, and each of its invoices with it.
RICH = "FROM invoices i JOIN customers c ON c.no = i.customer_no WHERE c.email IS NOT NULL AND i.total"
EXPECTED = {
    "customer": "SELECT no, email FROM customers WHERE email IS NOT NULL ORDER BY 1",
    "invoice": f"SELECT i.no, i.customer_no, i.total {RICH} NOT IN (0, 77) ORDER BY 1",
    "note": "SELECT no, said FROM notes ORDER BY 1",
}
ARRIVED = {
    "customer": "SELECT no, email FROM customer ORDER BY 1",
    "invoice": "SELECT no, customer_no, total FROM invoice ORDER BY 1",
    "note": "SELECT no, said FROM note ORDER BY 1",
}
REJECTED = f"""
    SELECT 'customer', 'restructure', '[' || no || ']' FROM customers WHERE email IS NULL
    UNION ALL SELECT 'invoice', 'parent', '[' || i.no || ']'
        FROM invoices i JOIN customers c ON c.no = i.customer_no WHERE c.email IS NULL AND i.total <> 0
    UNION ALL SELECT 'invoice', 'load', '[' || i.no || ']' {RICH} = 77 ORDER BY 1, 2, 3
"""
KEPT_REJECTS = "SELECT path, stage, key FROM milepost.reject ORDER BY 1, 2, 3"
COUNTS = """
    SELECT path, sum(read), sum(loaded), sum(unchanged), sum(filtered), sum(rejected), count(*), max(seq)
    FROM milepost.ledger GROUP BY path ORDER BY path
"""


@dataclass
class Scene:
    """A source, a target, and the proxies through which a run reaches one or both."""

    source: Database
    target: Database
    proxies: dict[str, FaultProxy]
    store: Database | None = None  # where it is outside the target

    @property
    def records(self) -> Database:
        return self.store or self.target

    def migration(self) -> Migration:
        databases = {"source": self.source, "target": self.target, "store": self.store}
        urls = {name: database and database.url for name, database in databases.items()}
        urls |= {name: proxy.url for name, proxy in self.proxies.items()}
        crm = Migration("crm", **urls, batch_rows=BATCH, max_rejects=INVOICES)

        @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
        def customer(row: dict[str, Any]) -> dict[str, Any]:
            if row["email"] is None:
                raise Reject("no e-mail")
            return row

        @crm.object(
            source=Table("invoices", key="no"), target=Table("invoice", key="no"), parents={"customer_no": customer}
        )
        def invoice(row: dict[str, Any]) -> dict[str, Any] | None:
            return None if row["total"] == 0 else row

        crm.object("note", source=Table("notes", key="no"), target=Table("note", key="no"))
        return crm

    def traffic(self) -> dict[str, Traffic]:
        """What passes through each proxy when nothing breaks; and it arrives as it must."""
        self.play({})
        self.must_be_as_left_alone()
        return {name: proxy.traffic for name, proxy in self.proxies.items()}

    def play(self, faults: dict[str, Fault]) -> None:
        """Migrate into an empty target while these faults come to pass."""
        print(faults)
        self.target.execute(*TARGET)
        self.records.execute(TARGET[0])
        for name, proxy in self.proxies.items():
            proxy.arm(*([faults[name]] if name in faults else []))
        with ThreadPoolExecutor(1) as pool:
            pool.submit(self.run).result(SECONDS)

    def run(self) -> None:
        """Run until it is complete. A run that held the lease must not need another."""
        for _ in range(20):
            events: list[Event] = []
            try:
                run(self.migration(), emit=events.append, patience=SOON)
            except Retryable:
                assert not any(isinstance(event, RunStarted) for event in events), "it did not go on by itself"
                CLOCK.sleep(0.05)
            else:
                return
        raise AssertionError("it does not get there")

    def expected(self) -> Any:
        rejects = self.source.rows(REJECTED)
        gone = {path: [row for row in rejects if row[0] == path] for path in EXPECTED}
        counts = []
        for (path, query), read in zip(EXPECTED.items(), (CUSTOMERS, INVOICES, INVOICES), strict=True):
            loaded, rejected = len(self.source.rows(query)), len(gone[path])
            batches = -(-read // BATCH)
            counts.append((path, read, loaded, 0, read - loaded - rejected, rejected, batches, batches))
        return {name: self.source.rows(query) for name, query in EXPECTED.items()}, rejects, counts

    def must_be_as_left_alone(self) -> None:
        rows = {name: self.target.rows(query) for name, query in ARRIVED.items()}
        assert (rows, self.records.rows(KEPT_REJECTS), self.records.rows(COUNTS)) == self.expected()


@pytest.fixture
def make_scene(tmp_path, postgres_urls, fault_proxies) -> Callable[[str], Scene]:
    def make(place: str) -> Scene:
        kind, through = PLACES[place]
        source = Database(f"sqlite:///{tmp_path / 'source.db'}" if kind == "sqlite" else postgres_urls())
        target = Database(postgres_urls())
        source.execute(*SOURCE)
        customers = [(no, None if no % 20 == 7 else f"c{no}@example.org") for no in range(1, CUSTOMERS + 1)]
        totals = [0 if no % 30 == 1 else 77 if no % 50 == 3 else no * 100 for no in range(1, INVOICES + 1)]
        source.insert("customers", customers)
        source.insert("invoices", [(no, no % CUSTOMERS + 1, total) for no, total in enumerate(totals, start=1)])
        source.insert("notes", [(no, "note " * (no % 30)) for no in range(1, INVOICES + 1)])
        databases = {"source": source, "target": target}
        if "store" in through:
            databases["store"] = Database(postgres_urls())
        proxies = {name: fault_proxies(databases[name].url) for name in through}
        return Scene(source, target, proxies, databases.get("store"))

    return make


@pytest.mark.parametrize(("place", "kind"), FAULTS)
def test_a_migration_gets_over_a_broken_connection(make_scene, place: str, kind: Kind) -> None:
    scene = make_scene(place)
    left_alone = scene.traffic()
    for _ in range(ROUNDS):
        seed = random.SystemRandom().randrange(2**32)
        print(f"seed {seed}")
        chance = random.Random(seed)
        able = [name for name in scene.proxies if kind != "lose commit" or left_alone[name].commits]
        scene.play({name: replace(drawn(chance, left_alone[name], kind), seconds=0.1) for name in able})
        scene.must_be_as_left_alone()


def test_every_commit_of_a_migration_may_lose_its_answer(make_scene) -> None:
    scene = make_scene("before the target")
    commits = scene.traffic()["target"].commits
    assert commits > 2 * INVOICES // BATCH
    for number in range(1, commits + 1):
        scene.play({"target": Fault("lose commit", number)})
        assert [fault.at for fault in scene.proxies["target"].struck] == [number]
        scene.must_be_as_left_alone()


def test_a_server_that_answers_no_more_does_not_hold_a_run_for_ever(make_scene) -> None:
    scene = make_scene("before the target")
    proxy = scene.proxies["target"]
    sent = scene.traffic()["target"].client
    proxy.arm(Fault("stall", sent // 2, seconds=math.inf))
    scene.target.execute(*TARGET)
    shortened = Scene(scene.source, scene.target, {"target": SimpleNamespace(url=f"{proxy.url}?connect_timeout=2")})

    with ThreadPoolExecutor(1) as pool:
        twice = Patience(tries=2, first=0.001, longest=0.02)
        running = pool.submit(run, shortened.migration(), patience=twice, lease_seconds=1.0)
        try:
            ended = running.exception(SECONDS)
        finally:
            proxy.release()
    assert isinstance(ended, Retryable)

    assert len(proxy.struck) == 1
    scene.run()
    scene.must_be_as_left_alone()
