"""A job of nested steps, killed with SIGKILL wherever it can be, ends as the undisturbed one.

What must come out is written here by hand, from what the program says it does; the store is not asked.
"""

import json
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

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


def start(folder: Path, die_at: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, PROGRAM, folder, str(die_at)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode in (DONE, KILLED), err
    return process.returncode, out


def complete_paths(folder: Path) -> set[str]:
    """The steps that the store calls complete, by plain SQL."""
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        rows = connection.execute("SELECT path FROM milepost_checkpoint WHERE state = 'complete'").fetchall()
    return {path for (path,) in rows}


def lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines() if (folder / name).exists() else []


def check(folder: Path, kills: int, begun_when_complete: Counter[str]) -> None:
    """Compare what the job left behind with what an undisturbed run leaves."""
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        loaded = connection.execute("SELECT region, item FROM loaded").fetchall()
        moments = connection.execute("SELECT DISTINCT now FROM loaded").fetchall()
        (result,) = connection.execute(
            "SELECT result FROM milepost_checkpoint WHERE job = 'month-end' AND path = ''"
        ).fetchone()
    assert Counter(loaded) == Counter((region, item) for region in REGIONS for item in range(ITEMS))
    assert len(moments) == 1
    sent = Counter(lines(folder, "sent"))
    assert set(sent) == {f"{region} {item}" for region in REGIONS for item in range(ITEMS)}
    assert sum(sent.values()) <= len(sent) + SIZE * kills
    assert lines(folder, "sales.xlsx") == ["head", "sheet 0", "sheet 1"]
    (token,) = set(lines(folder, "tokens"))
    assert json.loads(result) == [token, [0, 1], [[ITEMS, None]] * len(REGIONS), token]
    bodies = Counter(lines(folder, "bodies"))
    assert set(bodies) == PATHS
    assert complete_paths(folder) >= PATHS | {""}
    for path, begun in begun_when_complete.items():
        assert bodies[path] == begun, f"{path} was complete and ran again"


def survives(folder: Path, deaths: list[int]) -> None:
    """Die once at each of these markers, one a run; then run to the end."""
    folder.mkdir()
    kills, begun = 0, Counter[str]()
    for die_at in [*deaths, 0]:
        status, _ = finish(start(folder, die_at))
        kills += status == KILLED
        begun.update(newly_complete(folder, begun))
    assert status == DONE
    check(folder, kills, begun)


def newly_complete(folder: Path, known: Counter[str]) -> dict[str, int]:
    """How often each step has begun that is complete for good: not below one that may be rolled back yet."""
    complete = complete_paths(folder)
    bodies = Counter(lines(folder, "bodies"))
    final = {path for path in complete & PATHS if not path.startswith("convert") or 'convert["sales.xlsx"]' in complete}
    return {path: bodies[path] for path in final - set(known)}


@pytest.fixture(scope="module")
def markers(tmp_path_factory) -> int:
    """How many markers an undisturbed run passes; and that run is as it should be."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    folder.mkdir()
    status, out = finish(start(folder, 0))
    assert status == DONE
    check(folder, 0, Counter(PATHS))
    assert Counter(lines(folder, "bodies")) == Counter(PATHS)
    assert lines(folder, "undone") == []
    return int(out.split()[-1])


def every_death(markers: int) -> list[list[int]]:
    """Every third marker once; every third of them followed by a second death early in the recovery."""
    first = range(1, markers + 1, 3)
    return [[at] if at % 9 != 1 else [at, 5 + at % 40] for at in first]


def test_a_job_killed_at_any_marker_ends_as_the_undisturbed_one(tmp_path, markers) -> None:
    deaths = every_death(markers)
    assert len(deaths) > 40
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(survives, [tmp_path / str(place) for place in range(len(deaths))], deaths))
    undone = sum(len(lines(tmp_path / str(place), "undone")) for place in range(len(deaths)))
    assert undone > 0, "no death fell into the step that has a rollback"


def test_a_job_killed_again_and_again_gets_there(tmp_path, markers) -> None:
    deaths = list(range(25, markers, 9))  # each run gets a little further than the one before
    survives(tmp_path / "run", deaths)


def test_a_job_killed_from_outside_at_random_moments_ends_as_the_undisturbed_one(tmp_path) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    chance, clock = random.Random(seed), SystemClock()
    tmp_path = tmp_path / "run"
    tmp_path.mkdir()
    kills, begun, status = 0, Counter[str](), KILLED
    for attempt in range(200):
        process = start(tmp_path, 0)
        assert process.stdout is not None
        process.stdout.readline()
        clock.sleep(chance.uniform(0, 0.002 * (attempt + 1)))
        process.kill()
        status, _ = finish(process)
        kills += status == KILLED
        begun.update(newly_complete(tmp_path, begun))
        if status == DONE:
            break
    assert status == DONE
    check(tmp_path, kills, begun)
