"""A crash while a store is made or brought up to a newer schema: it has the one or the other; the next run ends it."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fix_databases import Database
from fix_totals import EVERY_POINT
from milepost.clock import SystemClock
from milepost.databases.postgres import connect as connect_postgres
from milepost.databases.sqlite import connect as connect_sqlite
from milepost.databases.url import sqlite_path
from milepost.stores import postgres_schema, schema, sqlite_schema
from milepost.wiring.open import open_store

PROGRAM = Path(__file__).parent / "schema_program.py"
KILLED = -signal.SIGKILL
NOBODY_RELEASED_IT = """
CREATE TABLE {prefix}note (job TEXT NOT NULL PRIMARY KEY, line TEXT);
ALTER TABLE {prefix}checkpoint ADD COLUMN weight INTEGER;
UPDATE {prefix}checkpoint SET weight = attempt + 1;
INSERT INTO {prefix}note SELECT name, 'upgraded' FROM {prefix}job;
CREATE INDEX {index}by_weight ON {prefix}checkpoint (job, weight);
"""
UPGRADE = {
    "sqlite": NOBODY_RELEASED_IT.format(prefix="milepost_", index="milepost_"),
    "postgres": NOBODY_RELEASED_IT.format(prefix="milepost.", index=""),
}
SHAPE = {
    "sqlite": "SELECT type, name, sql FROM sqlite_master ORDER BY name",
    "postgres": """
        SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'milepost'
        UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'milepost' ORDER BY 1, 2""",
}
ROWS = ("SELECT name, epoch FROM {prefix}job", "SELECT job, path, state, attempt FROM {prefix}checkpoint")
NEW_ROWS = ("SELECT job, weight FROM {prefix}checkpoint", "SELECT * FROM {prefix}note")
CLOCK = SystemClock()


class Place:
    """A database in which the store is made."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.kind = "sqlite" if url.startswith("sqlite") else "postgres"
        self.database = Database(url)

    def start(self, die_at: int = 0, upgrade: str | None = "as it is", *, apart: bool = False) -> subprocess.Popen[str]:
        text = UPGRADE[self.kind] if upgrade == "as it is" else upgrade
        spec = {"url": self.url, "upgrade": text, "die_at": die_at, "apart": apart}
        command = [sys.executable, str(PROGRAM), json.dumps(spec)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, die_at: int = 0, upgrade: str | None = "as it is", *, apart: bool = False) -> int:
        """How many points it passed; -1 where it was killed."""
        return ended(self.start(die_at, upgrade, apart=apart))

    def content(self) -> list[Any]:
        """The shape of the store, its version and its rows, in plain SQL; only an empty shape where there is none."""
        shape = self.database.rows(SHAPE[self.kind])
        if not shape:
            return [shape]
        prefix = "milepost." if self.kind == "postgres" else "milepost_"
        versions = "milepost.schema_version" if self.kind == "postgres" else "milepost_schema"
        asked = [f"SELECT max(version) FROM {versions}", *(query.format(prefix=prefix) for query in ROWS)]
        if any("note" in str(row) for row in shape):
            asked += [query.format(prefix=prefix) for query in NEW_ROWS]
        return [shape, *map(self.database.rows, asked)]

    def fill(self) -> None:
        """Make a store of the schema that was released, in which a job was run."""
        store = open_store(self.url, create=True)
        assert store is not None
        store.release(store.acquire("crm", holder="somebody", ttl=60), outcome="complete")
        store.close()
        prefix = "milepost." if self.kind == "postgres" else "milepost_"
        columns = "job, path, state, attempt, changed_at"
        self.database.execute(
            f"INSERT INTO {prefix}checkpoint ({columns}) VALUES ('crm', '', 'complete', 3, '2026-11-01T00:00:00Z')"
        )


def ended(process: subprocess.Popen[str]) -> int:
    out, shown = process.communicate(timeout=60)
    assert process.returncode in (0, KILLED), shown
    return int(out.split()[-1]) if process.returncode == 0 else -1


@pytest.fixture(params=["sqlite", "postgres"])
def make(request, tmp_path) -> Callable[[], Place]:
    """Makes places."""
    if request.param == "postgres":
        make_database = request.getfixturevalue("postgres_urls")
        return lambda: Place(make_database())
    return lambda: Place(f"sqlite:///{tmp_path / str(len(list(tmp_path.iterdir())))}.db")


def begun(make: Callable[[], Place], *, older: bool) -> Place:
    place = make()
    if older:
        place.fill()
    return place


def versions(make: Callable[[], Place], *, older: bool) -> list[Any]:
    """What may be found: the content before, after the released schema, and after the one that nobody released."""
    place = begun(make, older=older)
    found = [place.content()]
    for upgrade in (None, "as it is"):
        place.run(upgrade=upgrade)
        found.append(place.content())
    assert found[0] != found[2]
    return found[:1] + ([] if older else partly(make)) + found[1:]


def partly(make: Callable[[], Place]) -> list[Any]:
    """The content after each of the released schema files but the last: each is applied by itself."""
    released = schema.steps(make().kind)
    found = []
    for number in range(1, len(released)):
        place = make()
        sqlite = place.kind == "sqlite"
        with closing(connect_sqlite(sqlite_path(place.url)) if sqlite else connect_postgres(place.url)) as connection:
            for step in released[:number]:
                (sqlite_schema if sqlite else postgres_schema)._apply(connection, place.url, *step)
        found.append(place.content())
    return found


@pytest.mark.parametrize("older", [False, True], ids=["a new store", "an older store"])
def test_killed_anywhere_a_store_has_one_schema_or_the_other_and_the_next_run_ends_it(make, older, totals) -> None:
    allowed = versions(make, older=older)
    points = begun(make, older=older).run()
    seen = set()
    for point in range(points, 0, -1 if EVERY_POINT else -(1 + points // 4)):
        place = begun(make, older=older)
        assert place.run(point) == -1, "it was not killed"
        found = place.content()
        assert found in allowed, f"killed at point {point}"
        seen.add(allowed.index(found))
        place.run()
        assert place.content() == allowed[-1], f"killed at point {point}"
        totals["crashes inside a schema upgrade"] += 1
    assert len(seen) > 1, "it was killed only before it began, or after its end"


@pytest.mark.parametrize("older", [False, True], ids=["a new store", "an older store"])
def test_of_two_that_upgrade_a_store_at_once_one_may_be_killed(make, older, totals) -> None:
    newest = versions(make, older=older)[-1]
    points = begun(make, older=older).run()
    chance = random.Random(seed := random.randrange(10**6))
    print("seed", seed)
    for _ in range(20 if EVERY_POINT else 1):
        place = begun(make, older=older)
        both = [place.start(chance.randint(1, points)), place.start()]
        assert [ended(each) for each in both][1] > 0
        assert place.content() == newest
        totals["crashes inside a schema upgrade"] += 1


@pytest.mark.parametrize("statement", range(1, 6) if EVERY_POINT else (2, 5))
def test_killed_between_two_statements_inside_the_server_nothing_of_the_upgrade_is_there(
    statement, postgres_urls, totals
) -> None:
    old, _, new = versions(lambda: Place(postgres_urls()), older=True)
    place = begun(lambda: Place(postgres_urls()), older=True)
    pieces = UPGRADE["postgres"].strip().split(";\n")
    slow = ";\n".join([*pieces[:statement], "SELECT pg_sleep(60)", *pieces[statement:]])
    process = place.start(upgrade=slow)
    wait_for_sleep(place.url)
    process.kill()
    process.communicate()

    assert place.content() == old
    place.run()  # waits until the server has noticed
    assert place.content() == new
    totals["crashes inside a schema upgrade"] += 1


def wait_for_sleep(url: str) -> None:
    question = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    with psycopg.connect(url, autocommit=True) as watch:
        for _ in range(3000):
            if watch.execute(question).fetchone() == (1,):
                return
            CLOCK.sleep(0.01)
    pytest.fail("the upgrade never came to the statement")


def test_statements_that_commit_by_themselves_are_caught(tmp_path, totals) -> None:
    names = iter(range(1000))

    def make() -> Place:
        return Place(f"sqlite:///{tmp_path}/{next(names)}.db")

    allowed, caught = versions(make, older=True), 0
    for point in range(8, 30, 3):
        place = begun(make, older=True)
        caught += place.run(point, apart=True) == -1 and place.content() not in allowed
    assert caught > 0
    totals["broken engines caught"] += 1
