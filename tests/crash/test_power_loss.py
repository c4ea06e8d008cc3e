"""The power fails under a job on SQLite, between any two things that SQLite does to its files.

What the job had told of (an event, which comes after the commit) must be there when the power is back, the files must
be whole, and the run that follows must end as the undisturbed one. Negative controls: with fewer fsyncs than the
product asks for, the same rounds find losses.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import power_loss_program
import pytest
from power_loss import SECTOR, Change, File, PowerSupply, library_in_use

import shop_data
from fix_databases import Database
from fix_totals import EVERY_POINT
from promised import done_twice, forgotten

CASES = Path(__file__).parent / "cases"
KILLED = -signal.SIGKILL
SHARES = 2 if EVERY_POINT else 1  # so that they can be tried beside each other
SHORT = 7  # points, where not every third is tried
SENT = {"0": "0 1", "2": "2 3", "4": "4"}
Spec = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """How a run ended and what it told before."""

    status: int
    events: list[dict[str, Any]]
    end: dict[str, int]  # how many points and syncs it had, where it came to its end
    shown: str


class Scene:
    """A job in a folder of its own, not begun."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.job = name, "nested" if name == "nested" else "shop"
        self.folder = folder
        folder.mkdir()
        self.source = Database(f"sqlite:///{folder / 'source.db'}")
        self.target = Database(f"sqlite:///{folder / 'target.db'}")
        self.store = Database(f"sqlite:///{folder / 'store.db'}") if name == "shop_outside" else self.target
        if self.job == "shop":
            shop_data.fill(self.source, self.target)

    def run(self, fail_at: int = 0, seed: int | None = None, synchronous: str | None = None) -> Ran:
        spec: Spec = {"file": str(CASES / self.job / f"{self.name}.py"), "folder": str(self.folder)}
        spec |= {"source": self.source.url, "target": self.target.url, "store": self.store.url}
        spec |= {"fail_at": fail_at, "seed": seed, "synchronous": synchronous}
        command = [sys.executable, power_loss_program.__file__, json.dumps(spec)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return Ran(done.returncode, lines, lines.pop() if done.returncode == 0 else {}, done.stderr)

    def wrong_in_the_end(self) -> Iterator[str]:
        """What a completed job has left otherwise than the undisturbed one does."""
        if self.name == "nested":
            yield from self._wrong_in_nested()
            return
        for query, (lost, surplus) in shop_data.differences(self.target).items():
            yield f"{query}: lost {lost}, doubled {surplus}"
        if sorted(self.store.rows("SELECT line FROM shop_journal")) != sorted(shop_data.JOURNAL):
            yield "the steps did not run once each"
        read = dict(self.store.rows("SELECT path, sum(read) FROM milepost_ledger GROUP BY path"))
        if read != shop_data.OBJECTS:
            yield f"the ledger counts {read}"

    def _wrong_in_nested(self) -> Iterator[str]:
        rows = Counter(self.target.rows("SELECT region, item FROM loaded"))
        if rows != Counter((region, item) for region in ("EMEA", "APAC") for item in range(5)):
            yield f"loaded holds {rows}"
        if (self.folder / "book").read_text() != "sheet 0\nsheet 1\nsheet 2\n":
            yield "the book is another"
        if not (self.folder / "cover").exists():
            yield "what was made once and undone was not made again"
        if (self.folder / "token").read_text() != "the same":
            yield "a value made once was made twice"
        for first, sent in SENT.items():
            for region in ("EMEA", "APAC"):
                if (self.folder / f"sent-{region}-{first}").read_text() != sent:
                    yield f"batch {first} of {region} was sent otherwise"

    def wrong_after(self, events: list[dict[str, Any]]) -> Iterator[str]:
        """What was told of and is not there, or a file that is not whole."""
        try:
            for file in (self.target, self.store):
                if (said := file.rows("PRAGMA integrity_check")) != [("ok",)]:
                    yield f"the file is not whole: {said}"
            yield from forgotten(self.store, self.job, events)
        except sqlite3.DatabaseError as error:
            yield f"the file is not whole: {error}"


def failures(scene: Scene, point: int, seed: int | None, totals: Counter[str]) -> list[str]:
    """The power fails at that point, and at another one of the run that follows; then the job is run to its end."""
    told: list[dict[str, Any]] = []
    found: list[str] = []
    for fail_at in (point, point // 3 + 1, 0):
        ran = scene.run(fail_at, seed)
        told += ran.events
        if ran.status not in (0, KILLED):
            return [*found, f"the run after the power loss ended with {ran.status}: {ran.shown}"]
        totals["power losses"] += ran.status == KILLED
        found += scene.wrong_after(told)
    if ran.status != 0:
        found.append("it does not come to an end")
    totals["rounds of power loss"] += 1
    return [*found, *done_twice(told), *scene.wrong_in_the_end()]


@pytest.fixture(autouse=True)
def power_supply() -> None:
    """Some builds of Python carry SQLite inside: nothing can stand between it and its files. CI refuses the skip."""
    try:
        library_in_use()
    except LookupError as error:
        pytest.skip(str(error))


def points_to_try(points: int, share: int) -> range:
    step = 3 if EVERY_POINT else points // SHORT
    return range(1 + share * step, points + 1, step * SHARES)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("name", ["shop", "shop_outside", "nested"])
def test_what_was_told_of_survives_power_loss_anywhere(name, share, tmp_path, totals) -> None:
    undisturbed = Scene(name, tmp_path / "undisturbed")
    ran = undisturbed.run()
    assert (ran.status, list(undisturbed.wrong_in_the_end())) == (0, []), ran.shown
    assert ran.end["syncs"] > 20
    base = random.randrange(10**6)
    print("seeds from", base)
    for point in points_to_try(ran.end["points"], share):
        seed = base + point if point % 8 > 3 else None
        scene = Scene(name, tmp_path / f"{point}-{seed}")
        assert failures(scene, point, seed, totals) == [], f"point {point}, seed {seed}"
    assert totals["power losses"] > 5


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_too_few_fsyncs_are_caught_losing_what_was_told_of(synchronous, tmp_path, totals) -> None:
    """In the very rounds that the product passes."""
    caught = Counter[str]()
    undisturbed = Scene("shop", tmp_path / "undisturbed").run(synchronous=synchronous)
    assert undisturbed.status == 0, undisturbed.shown
    points = undisturbed.end["points"]
    for point in range(points // 4, points, points // 6):
        weak, sound = Scene("shop", tmp_path / f"weak-{point}"), Scene("shop", tmp_path / f"sound-{point}")
        caught["weak"] += any(weak.wrong_after(weak.run(point, None, synchronous).events))
        caught["sound"] += any(sound.wrong_after(sound.run(point).events))
    print(caught)
    assert caught["weak"] > 2
    assert caught["sound"] == 0
    totals["broken engines caught"] += 1


def test_a_file_is_left_with_those_changes_that_reached_the_disk() -> None:
    file = File(b"abcdef", [Change(8, b"xy"), Change(1, b"B"), Change(9, None)])
    assert file.settle(lambda change: []) == b"abcdef"
    assert file.settle(lambda change: [change]) == b"aBcdef\0\0x"
    assert file.settle(lambda change: [change] if change.data else []) == b"aBcdef\0\0xy"


def test_by_chance_a_write_reaches_the_disk_or_does_not_or_is_torn() -> None:
    power, page = PowerSupply(seed=1), Change(4096, bytes(8 * SECTOR))
    fates = Counter(sum(len(part.data or b"") for part in power._survivors(page)) for _ in range(200))
    assert fates[0] > 20
    assert fates[8 * SECTOR] > 20
    assert len(fates) > 4
    assert all(size % SECTOR == 0 for size in fates)
    assert {PowerSupply()._survivors(page) == [] for _ in range(20)} == {True}
