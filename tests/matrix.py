"""The crash matrix: which jobs are crash tested, on which databases, and what is counted of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import shop_data
from fix_databases import Database
from fix_totals import EVERY_POINT, LARGEST
from milepost.crashtest import prove as proving
from milepost.crashtest.choose import DURABLE
from milepost.crashtest.fault import Effect, Fault, Kind, Moment, RandomKills, Script
from milepost.crashtest.report import Report, Round
from milepost.wiring.run import Urls

CRASH = Path(__file__).parent / "crash"
RANDOM = 20  # rounds of random kills for each case, of which there are ten
Rounds = Callable[[Sequence[Effect]], list[Script]]


@dataclass(frozen=True)
class Case:
    """A job of cases/ and where it takes place. ``rolled_back`` has the rows of each object that has a rollback."""

    file: str
    source: str | None
    target: str | None
    store: str | None = None  # outside the target
    rolled_back: int = 0


@dataclass(frozen=True)
class Prepared:
    """The databases of a case, filled; the crash test makes its copies of them."""

    case: Case
    urls: Urls

    def prove(self, monkeypatch: pytest.MonkeyPatch, rounds: Rounds, openers: str = proving.BY_URL) -> Report:
        """Play just these rounds."""
        monkeypatch.setattr(proving, "scripts", lambda effects, **_: rounds(effects))
        return proving.prove(
            str(CRASH / "cases" / self.case.file), urls=self.urls, openers=openers, python_path=[str(CRASH)]
        )

    def rework(self, round_: Round, batch_rows: int) -> tuple[int, int]:
        """Rows that were read again, but for those that a rollback asked for; and the most that may be."""
        undone = sum(round_.rollbacks.values()) * self.case.rolled_back
        blows = round_.kills if isinstance(round_.script, RandomKills) else 1
        return max(0, round_.read_again - undone), batch_rows * blows


def prepared(case: Case, folder: Path, make_postgres: Callable[[], str]) -> Prepared:
    """Make the databases of the case."""

    def url(kind: str | None, name: str) -> str | None:
        return make_postgres() if kind == "postgres" else kind and f"sqlite:///{folder / name}.db"

    source, target, store = url(case.source, "source"), url(case.target, "target"), url(case.store, "store")
    if source and target:
        shop_data.fill(Database(source), Database(target))
    elif source:
        shop_data.fill_source(Database(source))
    return Prepared(case, Urls(source=source, target=target, store=store))


def every_kill(seed: int) -> Rounds:
    """Killed before and after every effect, and at random moments; where not all are tried, some from everywhere."""
    return _every_kill(seed) if EVERY_POINT else _some_kills(seed)


def _every_kill(seed: int) -> Rounds:
    def rounds(effects: Sequence[Effect]) -> list[Script]:
        at = [kill(moment, number) for number in range(1, len(effects) + 1) for moment in Moment]
        return [*at, *(RandomKills(seed=seed, number=number) for number in range(1, RANDOM + 1))]

    return rounds


def _some_kills(seed: int) -> Rounds:
    def rounds(effects: Sequence[Effect]) -> list[Script]:
        chance = random.Random(seed)
        numbers = sorted(chance.sample(range(1, len(effects) + 1), 5))
        return [*(kill(chance.choice(list(Moment)), number) for number in numbers), RandomKills(seed=seed, number=1)]

    return rounds


def other_faults(seed: int) -> Rounds:
    """An error that is nobody's, a lost connection, a lost answer to a commit: one of them at every effect, by lot."""

    def rounds(effects: Sequence[Effect]) -> list[Script]:
        chance = random.Random(seed)
        numbers = range(1, len(effects) + 1)
        chosen = numbers if EVERY_POINT else sorted(chance.sample(numbers, 4))
        return [chance.choice(list(_others(number, effects[number - 1]))) for number in chosen]

    return rounds


def _others(number: int, effect: Effect) -> Iterator[Fault]:
    yield Fault(kind=Kind.ERROR, moment=Moment.BEFORE, number=number)
    yield Fault(kind=Kind.ERROR, moment=Moment.AFTER, number=number)
    yield Fault(kind=Kind.DROP, moment=Moment.BEFORE, number=number)
    if effect in DURABLE:
        yield Fault(kind=Kind.LOST_ANSWER, moment=Moment.AFTER, number=number)


def kill(moment: Moment, number: int) -> Fault:
    return Fault(kind=Kind.KILL, moment=moment, number=number)


def count(report: Report, prepared: Prepared, totals: Counter[str]) -> list[str]:
    """Add up what the rounds came to; what is wrong with them, in words."""
    wrong = [f"{each.replay} ({each.effect}): {each.outcome}: {each.messages}" for each in report.failures]
    for each in report.rounds:
        again, most = prepared.rework(each, report.batch_rows)
        totals["rounds"] += 1
        totals["kills"] += each.kills
        totals["of them at random moments"] += each.kills if isinstance(each.script, RandomKills) else 0
        totals["other faults"] += isinstance(each.script, Fault) and each.script.kind is not Kind.KILL
        totals["restarts"] += each.restarts
        totals["lost"] += each.outcome == "lost"
        totals["doubled"] += each.outcome == "doubled"
        totals["otherwise not as undisturbed"] += each.outcome not in {"same", "lost", "doubled"}
        totals["steps run again"] += sum((Counter(each.steps) - Counter(report.steps)).values())
        totals["rollbacks run"] += sum(each.rollbacks.values())
        totals["rows read again"] += again
        if each.kills:
            name = f"{LARGEST}rows read again for a kill"
            totals[name] = max(totals[name], -(-again // each.kills))
        if again > most:
            wrong.append(f"{each.replay} ({each.effect}): {again} rows were read again, and {most} may be")
    return wrong


def told(report: Report) -> Any:
    """For a test that fails: how the rounds ended."""
    return {each.replay: (each.effect, each.outcome, each.messages) for each in report.rounds}
