"""The retry of rejects, killed with SIGKILL wherever it writes and begun again, ends as the undisturbed one.

What must come out is said in plain SQL on the source, and again by an undisturbed retry.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fix_databases import Database
from fix_totals import EVERY_POINT
from milepost.wiring.run import run
from retry_data import MENDED, arrived, expected, kept, make, migration, rejected, waiting

PROGRAM = Path(__file__).parent / "retry_program.py"
SOME = 6  # of the points of a run, about so many are tried


@dataclass(frozen=True)
class Shop:
    """The databases of one round. ``folder`` holds those that are files."""

    folder: Path
    target: Database
    outside: bool

    @property
    def source(self) -> Database:
        return Database(f"sqlite:///{self.folder / 'source.db'}")

    @property
    def store(self) -> str:
        return f"sqlite:///{self.folder / 'store.db'}" if self.outside else self.target.url

    def begin(self) -> None:
        """A migration that was run, and mended after it."""
        self.folder.mkdir(exist_ok=True)
        make(self.source, self.target)
        run(migration(self.source.url, self.target.url, self.store))
        self.source.execute(*MENDED)

    def retry(self, die_at: int = 0) -> int:
        """How many points it passed; -1 where it was killed."""
        spec = {"source": self.source.url, "target": self.target.url, "store": self.store, "die_at": die_at}
        command = [sys.executable, str(PROGRAM), json.dumps(spec)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return int(done.stdout.split()[-1]) if done.returncode == 0 else -1

    def found(self) -> tuple[object, ...]:
        """Rows and rejects, without ids and times."""
        reasons = sorted((one.path.partition("/")[0], one.key[0], one.stage, one.reason) for one in kept(self.store))
        return arrived(self.target), reasons

    def is_right(self) -> None:
        assert arrived(self.target) == expected(self.source)
        assert rejected(self.store) == waiting(self.source)


def points(passed: int) -> range:
    return range(1, passed + 1, 1 if EVERY_POINT else max(1, passed // SOME))


@pytest.mark.parametrize("outside", [False, True], ids=["together", "the store outside"])
def test_killed_anywhere_it_ends_as_undisturbed(outside: bool, tmp_path: Path, totals) -> None:
    def shop(name: str) -> Shop:
        return Shop(tmp_path / name, Database(f"sqlite:///{tmp_path / name / 'target.db'}"), outside)

    template = shop("template")
    template.begin()
    undisturbed = copy(template, shop("undisturbed"))
    passed = undisturbed.retry()
    undisturbed.is_right()
    for at in points(passed):
        broken = copy(template, shop(str(at)))
        assert broken.retry(die_at=at) == -1, "it was not killed"
        assert broken.retry() > 0
        broken.is_right()
        assert broken.found() == undisturbed.found(), f"killed at point {at}"
        totals["crashes of a retry of rejects"] += 1
        shutil.rmtree(broken.folder)


def copy(template: Shop, made: Shop) -> Shop:
    """Where the databases are files beside each other."""
    shutil.copytree(template.folder, made.folder, dirs_exist_ok=True)
    return made


def test_killed_again_and_again_it_still_ends_as_undisturbed(tmp_path: Path, totals) -> None:
    shop = Shop(tmp_path / "a", Database(f"sqlite:///{tmp_path / 'a' / 'target.db'}"), outside=False)
    shop.begin()
    kills = 0
    while shop.retry(die_at=30) == -1:
        kills += 1
    assert kills > 1
    shop.is_right()
    totals["crashes of a retry of rejects"] += kills


@pytest.mark.parametrize("outside", [False, True], ids=["together", "the store outside"])
def test_killed_in_postgres_it_ends_as_undisturbed(outside: bool, tmp_path: Path, postgres_urls, totals) -> None:
    first = Shop(tmp_path / "first", Database(postgres_urls()), outside)
    first.begin()
    passed = first.retry()
    for at in range(5, passed, 1 if EVERY_POINT else max(1, passed // 2)):
        shop = Shop(tmp_path / str(at), Database(postgres_urls()), outside)
        shop.begin()
        assert shop.retry(die_at=at) == -1, "it was not killed"
        assert shop.retry() > 0
        shop.is_right()
        assert shop.found() == first.found(), f"killed at point {at}"
        totals["crashes of a retry of rejects"] += 1
