"""Negative controls: engines that are broken on purpose, in ways that a crash alone brings to light, are all caught.

The unbroken engine passes the very rounds in which a broken one is caught.
"""

from __future__ import annotations

from collections.abc import Sequence

import broken_engines
import pytest

import related_data
from matrix import Case, Prepared, Rounds, count, kill, prepared, told
from milepost.crashtest.fault import Effect, Fault, Kind, Moment, Script
from milepost.crashtest.report import Report

SHOP = Case("shop/shop.py", "sqlite", "sqlite", rolled_back=12)
LETTERS = Case("letters/letters.py", "sqlite", None, "sqlite")
NESTED = Case("nested/nested.py", None, None, "sqlite")
NESTED_ON_POSTGRES = Case("nested/nested.py", None, None, "postgres")
MAPPED = Case("related/mapped.py", "sqlite", "sqlite", fill=related_data.fill)
OWN_KIND = Case("related/own_kind.py", "sqlite", "sqlite", fill=related_data.fill)
RECHECK = Case(
    "related/living.py",
    "sqlite",
    "sqlite",
    fill=related_data.fill,
    action="recheck",
    afterwards=related_data.live_on,
)


def caught(scene: Prepared, engine: str, rounds: Rounds, monkeypatch, totals) -> Report:
    """What the broken engine came to, in rounds in which the unbroken one has nothing lost and nothing doubled."""
    broken = scene.prove(monkeypatch, rounds, f"{broken_engines.__name__}:{engine}")
    sound = scene.prove(monkeypatch, rounds, f"{broken_engines.__name__}:SOUND")
    print(told(broken))
    assert [each.script for each in sound.rounds] == [each.script for each in broken.rounds]
    assert count(sound, scene, totals) == []
    assert broken.failures
    totals["broken engines caught"] += 1
    return broken


def every(effect: Effect, moment: Moment, step: int = 1, kind: Kind = Kind.KILL) -> Rounds:
    """At every so many of these effects."""

    def rounds(effects: Sequence[Effect]) -> list[Script]:
        numbers = [number for number, each in enumerate(effects, start=1) if each is effect]
        return [Fault(kind=kind, moment=moment, number=number) for number in numbers[::step]]

    return rounds


def test_a_ledger_row_in_a_transaction_of_its_own_is_caught(tmp_path, monkeypatch, totals) -> None:
    scene = prepared(SHOP, tmp_path, str)
    broken = caught(scene, "LEDGER_APART", every(Effect.COMMIT, Moment.AFTER, 3), monkeypatch, totals)
    assert len(broken.failures) > 2


def test_a_key_map_row_in_a_transaction_of_its_own_is_caught(tmp_path, monkeypatch, totals) -> None:
    """A row that is there, and of which nobody knows any more which source row it came of."""
    scene = prepared(MAPPED, tmp_path, str)
    broken = caught(scene, "KEY_MAP_APART", every(Effect.COMMIT, Moment.AFTER, 2), monkeypatch, totals)
    assert {"the key map of person", "note"} <= {name for each in broken.failures for name in each.about}


def test_a_link_that_is_written_down_too_late_is_caught(tmp_path, monkeypatch, totals) -> None:
    """A row whose parent came after it, and was never set."""
    scene = prepared(OWN_KIND, tmp_path, str)
    broken = caught(scene, "LINKS_APART", every(Effect.COMMIT, Moment.AFTER), monkeypatch, totals)
    assert "employee" in {name for each in broken.failures for name in each.about}


def test_a_recheck_that_nobody_writes_down_is_caught(tmp_path, monkeypatch, totals) -> None:
    """What it had found gone at the source stays in the target: the next recheck sees nothing there that moved."""
    scene = prepared(RECHECK, tmp_path, str)
    broken = caught(scene, "PASS_UNRECORDED", every(Effect.COMMIT, Moment.AFTER, 2), monkeypatch, totals)
    assert "customer" in {name for each in broken.failures for name in each.about}


def test_a_rollback_that_nobody_writes_down_is_caught_in_a_migration(tmp_path, monkeypatch, totals) -> None:
    scene = prepared(SHOP, tmp_path, str)
    broken = caught(scene, "ROLLBACK_UNRECORDED", _at_the_end, monkeypatch, totals)
    assert len(broken.failures) > 2


def _at_the_end(effects: Sequence[Effect]) -> list[Script]:
    """Around the last batch: that of the object that has a rollback."""
    last = max(number for number, each in enumerate(effects, start=1) if each is Effect.TARGET_WRITE)
    return [kill(Moment.AFTER, number) for number in range(last - 3, last + 3)]


def test_a_rollback_that_nobody_writes_down_is_caught_in_nested_steps(tmp_path, monkeypatch, totals) -> None:
    """What it had made once and then undone is taken for made."""
    scene = prepared(NESTED, tmp_path, str)
    broken = caught(scene, "ROLLBACK_UNRECORDED", every(Effect.STEP, Moment.AFTER, 2), monkeypatch, totals)
    assert {"cover"} in [set(each.about) for each in broken.failures]


def test_an_intent_that_nobody_writes_down_is_caught(tmp_path, monkeypatch, totals) -> None:
    scene = prepared(LETTERS, tmp_path, str)
    caught(scene, "INTENT_FORGOTTEN", every(Effect.SINK_WRITE, Moment.AFTER), monkeypatch, totals)


@pytest.mark.parametrize("case", [NESTED, NESTED_ON_POSTGRES], ids=["SQLite", "PostgreSQL"])
def test_writing_without_the_epoch_is_caught(case, tmp_path, monkeypatch, totals, keeper_urls) -> None:
    """A run is stopped before a step's body; another takes over and completes the job; then the first goes on."""
    scene = prepared(case, tmp_path, keeper_urls)
    broken = caught(scene, "EPOCH_UNCHECKED", every(Effect.STEP, Moment.BEFORE, 6, Kind.SLEEP), monkeypatch, totals)
    assert {each.outcome for each in broken.failures} <= {"doubled", "different"}
