"""A job of nested steps, killed with SIGKILL wherever it can be, ends as the undisturbed one.

What must come out is written here by hand, from what the program says it does; the store is not asked.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from fix_databases import Database
from milepost.clock import SystemClock

PROGRAM = Path(__file__).parent / "jobs_program.py"
REGIONS = ("EMEA", "APAC")
ITEMS = 5
SIZE = 2
DONE = 0
KILLED = -signal.SIGKILL

PATHS = {
    "token",
    'convert["sales.xlsx"]',
    'convert["sales.xlsx"]/sheet["sales.xlsx", 0]',
    'convert["sales.xlsx"]/sheet["sales.xlsx", 1]',
    'close["2026-10"]',
    *(f'close["2026-10"]/{step}["{region}"]' for step in ("load", "send") for region in REGIONS),
}


@dataclass(frozen=True)
class Place:
    """Where one job leaves its traces: a folder, and the database that holds its store and its rows."""

    folder: Path
    url: str

    @classmethod
    def of_sqlite(cls, folder: Path) -> Place:
        folder.mkdir()
        return cls(folder, f"sqlite:///{folder / 'store.db'}")

    def rows(self, query: str) -> list[tuple]:
        return Database(self.url).rows(query)

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines() if (self.folder / name).exists() else []

    @property
    def checkpoints(self) -> str:
        return "milepost_checkpoint" if self.url.startswith("sqlite") else "milepost.checkpoint"

    def complete(self) -> set[str]:
        """The steps that the store calls complete, by plain SQL."""
        return {path for (path,) in self.rows(f"SELECT path FROM {self.checkpoints} WHERE state = 'complete'")}

    def start(self, die_at: int) -> subprocess.Popen[str]:
        command = [sys.executable, PROGRAM, self.folder, self.url, str(die_at)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode in (DONE, KILLED), err
    return process.returncode, out


def check(place: Place, kills: int, begun_when_complete: Counter[str]) -> None:
    """Compare what the job left behind with what an undisturbed run leaves."""
    loaded = place.rows("SELECT region, item FROM loaded")
    assert Counter(loaded) == Counter((region, item) for region in REGIONS for item in range(ITEMS))
    assert len(place.rows("SELECT DISTINCT now FROM loaded")) == 1
    sent = Counter(place.lines("sent"))
    assert set(sent) == {f"{region} {item}" for region in REGIONS for item in range(ITEMS)}
    assert sum(sent.values()) <= len(sent) + SIZE * kills
    assert place.lines("sales.xlsx") == ["head", "sheet 0", "sheet 1"]
    (token,) = set(place.lines("tokens"))
    ((result,),) = place.rows(f"SELECT result FROM {place.checkpoints} WHERE job = 'month-end' AND path = ''")
    assert json.loads(result) == [token, [0, 1], [[ITEMS, None]] * len(REGIONS), token]
    bodies = Counter(place.lines("bodies"))
    assert set(bodies) == PATHS
    assert place.complete() >= PATHS | {""}
    for path, begun in begun_when_complete.items():
        assert bodies[path] == begun, f"{path} was complete and ran again"


def survives(place: Place, deaths: list[int]) -> None:
    """Die once at each of these markers, one a run; then run to the end."""
    kills, begun = 0, Counter[str]()
    for die_at in [*deaths, 0]:
        status, _ = finish(place.start(die_at))
        kills += status == KILLED
        begun.update(newly_complete(place, begun))
    assert status == DONE
    check(place, kills, begun)


def newly_complete(place: Place, known: Counter[str]) -> dict[str, int]:
    """How often each step has begun that is complete for good: not below one that may be rolled back yet."""
    complete, bodies = place.complete(), Counter(place.lines("bodies"))
    final = {path for path in complete & PATHS if not path.startswith("convert") or 'convert["sales.xlsx"]' in complete}
    return {path: bodies[path] for path in final - set(known)}


def undisturbed(place: Place) -> int:
    """How many markers an undisturbed run passes; and that run is as it should be."""
    status, out = finish(place.start(0))
    assert status == DONE
    check(place, 0, Counter(PATHS))
    assert Counter(place.lines("bodies")) == Counter(PATHS)
    assert place.lines("undone") == []
    return int(out.split()[-1])


@pytest.fixture(scope="module")
def markers(tmp_path_factory) -> int:
    return undisturbed(Place.of_sqlite(tmp_path_factory.mktemp("undisturbed") / "run"))


def every_death(markers: int) -> list[list[int]]:
    """Every fifth marker once; every third of them followed by a second death early in the recovery."""
    first = range(1, markers + 1, 5)
    return [[at] if at % 3 else [at, 5 + at % 40] for at in first]


def test_a_job_killed_at_any_marker_ends_as_the_undisturbed_one(tmp_path, markers) -> None:
    deaths = every_death(markers)
    assert len(deaths) > 30
    places = [Place.of_sqlite(tmp_path / str(number)) for number in range(len(deaths))]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(survives, places, deaths))
    assert any(place.lines("undone") for place in places), "no death fell into the step that has a rollback"


def test_a_job_killed_on_postgres_ends_as_the_undisturbed_one(tmp_path, postgres_urls) -> None:
    def place() -> Place:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        return Place(folder, postgres_urls())

    markers = undisturbed(place())
    for at in range(7, markers, markers // 6):
        survives(place(), [at])


def test_a_job_killed_again_and_again_gets_there(tmp_path, markers) -> None:
    deaths = list(range(25, markers, 9))  # each run gets a little further than the one before
    survives(Place.of_sqlite(tmp_path / "run"), deaths)


def test_a_job_killed_from_outside_at_random_moments_ends_as_the_undisturbed_one(tmp_path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance, clock = random.Random(seed), SystemClock()
    place = Place.of_sqlite(tmp_path / "run")
    kills, begun, status = 0, Counter[str](), KILLED
    for attempt in range(200):
        process = place.start(0)
        assert process.stdout is not None
        process.stdout.readline()
        clock.sleep(chance.uniform(0, 0.002 * (attempt + 1)))
        process.kill()
        status, _ = finish(process)
        kills += status == KILLED
        begun.update(newly_complete(place, begun))
        if status == DONE:
            break
    assert status == DONE
    check(place, kills, begun)
