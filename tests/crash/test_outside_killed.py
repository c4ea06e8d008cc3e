"""A migration out of its store's reach, killed with SIGKILL wherever it writes, ends as the undisturbed one.

What must come out is written here by hand, from what the program says it does.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fix_databases import Database
from fix_totals import EVERY_POINT

PROGRAM = Path(__file__).parent / "outside_program.py"
ROWS = [(number, number % 3, number * 10) for number in range(1, 7)]
BATCHES = [[1, 2, 3], [4, 5, 6]]
STEP = 1 if EVERY_POINT else 3
COUNTS = {  # batches, read, loaded, unchanged, filtered, rejected
    "sold": (2, 6, 4, 0, 1, 1),
    "buyer": (2, 6, 3, 0, 0, 3),
    "letter": (2, 6, 6, 0, 0, 0),
}
REJECTS = [*(("buyer", [number]) for number in range(4, 7)), ("sold", [2])]


@dataclass(frozen=True)
class Place:
    """One migration's databases, and the folder of the files among them."""

    folder: Path
    target: Database

    @classmethod
    def make(cls, folder: Path, target: str | None = None) -> Place:
        folder.mkdir()
        place = cls(folder, Database(target or f"sqlite:///{folder / 'target.db'}"))
        source = Database(f"sqlite:///{folder / 'source.db'}")
        source.execute("CREATE TABLE sale (no integer PRIMARY KEY, buyer integer, total integer)")
        source.insert("sale", ROWS)
        place.target.execute(
            "CREATE TABLE sold (no integer PRIMARY KEY, buyer integer, total integer)",
            "CREATE TABLE first (buyer integer PRIMARY KEY, no integer)",
        )
        place.elsewhere.execute("CREATE TABLE letter (no integer PRIMARY KEY, total integer)")
        return place

    @property
    def store(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'store.db'}")

    @property
    def elsewhere(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'elsewhere.db'}")

    def calls(self) -> list[tuple[list[int], bool, int | None]]:
        return [tuple(json.loads(line)) for line in (self.folder / "calls").read_text().splitlines()]


def check(place: Place, kills: int) -> None:
    assert place.target.rows("SELECT * FROM sold ORDER BY no") == [row for row in ROWS if row[2] not in (20, 50)]
    assert place.target.rows("SELECT * FROM first ORDER BY buyer") == [(0, 3), (1, 1), (2, 2)]
    assert place.elsewhere.rows("SELECT * FROM letter ORDER BY no") == [(no, total) for no, _, total in ROWS]
    ledger = (
        "SELECT path, count(*), sum(read), sum(loaded), sum(unchanged), sum(filtered), sum(rejected)"
        " FROM milepost_ledger GROUP BY path"
    )
    assert {path: tuple(counts) for path, *counts in place.store.rows(ledger)} == COUNTS
    rejects = place.store.rows("SELECT path, key FROM milepost_reject ORDER BY path, seq, ordinal")
    assert [(path, json.loads(key)) for path, key in rejects] == REJECTS
    check_calls(place.calls(), kills)


def check_calls(calls: list[tuple[list[int], bool, int | None]], kills: int) -> None:
    """Every batch was sent in its own bounds, and again only as one that is in doubt."""
    seen: list[list[int]] = []
    for numbers, in_doubt, token in calls:
        assert numbers in BATCHES
        if numbers in seen:
            assert in_doubt
        assert token in (None, numbers[0])
        if not in_doubt:
            assert token is None
        seen.append(numbers)
    assert len(calls) <= len(BATCHES) + kills


def run_all(places: list[tuple[Place, list[int]]]) -> list[tuple[list[int], int]]:
    """Die at these markers, one a run, then run to the end: how each ended, how many markers the last passed."""
    lines = [json.dumps([[str(at.folder), at.target.url, at.store.url], deaths]) for at, deaths in places]
    command = [sys.executable, str(PROGRAM)]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def survive(places: list[tuple[Place, list[int]]]) -> None:
    for (place, deaths), (ends, _) in zip(places, run_all(places), strict=True):
        kills = ends.count(-signal.SIGKILL)
        assert kills
        assert ends == [-signal.SIGKILL] * kills + [0] * (len(deaths) + 1 - kills)
        check(place, kills)


def undisturbed(place: Place) -> int:
    [(ends, markers)] = run_all([(place, [])])
    assert ends == [0]
    check(place, 0)
    assert place.calls() == [(numbers, False, None) for numbers in BATCHES]
    return markers


def test_a_migration_killed_at_any_write_ends_as_the_undisturbed_one(tmp_path) -> None:
    markers = undisturbed(Place.make(tmp_path / "undisturbed"))
    deaths = [[at] if at % 3 else [at, 6 + at % 9] for at in range(1, markers + 1, STEP)]
    places = [(Place.make(tmp_path / str(number)), death) for number, death in enumerate(deaths)]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(survive, (places[::2], places[1::2])))
    assert any(doubtful for place, _ in places for _, doubtful, _ in place.calls()), "nothing was ever in doubt"


def test_a_migration_into_postgres_killed_around_a_commit_ends_as_the_undisturbed_one(
    tmp_path, postgres_urls: Callable[[], str]
) -> None:
    markers = undisturbed(Place.make(tmp_path / "undisturbed", postgres_urls()))
    deaths = range(8, markers, 1 if EVERY_POINT else 9)
    survive([(Place.make(tmp_path / str(at), postgres_urls()), [at]) for at in deaths])
