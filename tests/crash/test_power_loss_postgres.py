"""The power of the PostgreSQL server fails under a migration, after any of the events it tells.

What it had told of must be there when the power is back, and the run that follows must end as the undisturbed one. The
negative control commits without waiting for the WAL, and is caught in the same rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import power_loss_program
import pytest
from power_loss_server import MainsServer, mains_server

import shop_data
from fix_totals import EVERY_POINT
from promised import done_twice, forgotten

CASE = Path(__file__).parent / "cases/shop/shop.py"
EVENTS = 51  # of an undisturbed run
SHORT = (15, 30, 45)


@pytest.fixture(scope="module")
def mains() -> Iterator[MainsServer]:
    with mains_server() as server:
        yield server


class Scene:
    """The shop in two fresh databases of the server, not begun."""

    def __init__(self, mains: MainsServer, folder: Path) -> None:
        self.mains = mains
        self.folder = folder
        self.source, self.target = mains.database("source"), mains.database("target")
        shop_data.fill(self.source, self.target)

    def run(self, cut_after: int | None, synchronous: str | None = None) -> list[dict[str, Any]]:
        """What it told. Its power is cut after so many events (None: never), and it is killed with it."""
        spec = {"file": str(CASE), "folder": str(self.folder), "source": self.source.url, "target": self.target.url}
        spec |= {"store": None, "fail_at": None, "seed": None, "synchronous": synchronous}
        command = [sys.executable, power_loss_program.__file__, json.dumps(spec)]
        lines: list[str] = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line)
                if len(lines) == cut_after:
                    self.mains.cut()
                    process.kill()
            assert process.stderr is not None
            shown = process.stderr.read()
        if cut_after is None:
            assert process.returncode == 0, shown
        else:
            assert len(lines) >= cut_after, shown
            self.mains.restore()
        told = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in told if "event" in event]  # at its end it says something else

    def wrong_in_the_end(self) -> Iterator[str]:
        yield from map(str, shop_data.differences(self.target).items())
        if sorted(self.target.rows("SELECT line FROM shop_journal")) != sorted(shop_data.JOURNAL):
            yield "the steps did not run once each"
        read = dict(self.target.rows("SELECT path, sum(read)::int FROM milepost.ledger GROUP BY path"))
        if read != shop_data.OBJECTS:
            yield f"the ledger counts {read}"


def test_what_was_told_of_survives_a_server_without_power(mains, tmp_path, totals) -> None:
    for point in range(1, EVENTS) if EVERY_POINT else SHORT:
        scene = Scene(mains, tmp_path)
        told = scene.run(point)
        assert list(forgotten(scene.target, "shop", told)) == [], f"cut after {point} events"
        told += scene.run(None)
        wrong = [*forgotten(scene.target, "shop", told), *done_twice(told), *scene.wrong_in_the_end()]
        assert wrong == [], f"cut after {point} events"
        totals["power losses of a server"] += 1


def test_commits_that_nobody_waits_for_are_caught_lost(mains, tmp_path, totals) -> None:
    caught = Counter[str]()
    for point in SHORT:
        for what, setting in (("weak", "OFF"), ("sound", None)):
            scene = Scene(mains, tmp_path)
            told = scene.run(point, setting)
            caught[what] += any(forgotten(scene.target, "shop", told))
    print(caught)
    assert caught["weak"] > 1
    assert caught["sound"] == 0
    totals["broken engines caught"] += 1
