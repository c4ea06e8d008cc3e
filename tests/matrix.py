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
from run_command import milepost

OVER = {"put the job complete", "release"}
CRASH = Path(__file__).parent / "crash"
RANDOM = 20  # rounds of random kills for each case of test_matrix.py, of which there are ten
Rounds = Callable[[Sequence[Effect]], list[Script]]
ACTIONS = {  # the words of the command before and after the file
    "run": (["run"], []),
    "recheck": (["run"], ["--recheck"]),
    "retry": (["rejects", "retry"], []),
    "repair": (["verify"], ["--repair"]),
}


Change = Callable[[Database, Database], None]  # of a source and a target


@dataclass(frozen=True)
class Case:
    """A job of cases/ and where it takes place. ``rolled_back`` has the rows of each object that has a rollback.

    ``ahead`` is how many rows may be read before the batch in front of them is committed: to see where a range ends.
    ``action`` is what is crash tested; all but a run come after an undisturbed run and what happens ``afterwards``.
    ``differing`` tells by plain SQL in what source and target differ where they must not.
    """

    file: str
    source: str | None
    target: str | None
    store: str | None = None  # outside the target
    rolled_back: int = 0
    ahead: int = 0
    fill: Change = shop_data.fill
    action: str = "run"
    afterwards: Change | None = None
    changes_source: bool = False
    differing: Callable[[Database, Database], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Prepared:
    """The databases of a case, filled; the crash test makes its copies of them."""

    case: Case
    urls: Urls

    def prove(self, monkeypatch: pytest.MonkeyPatch, rounds: Rounds, openers: str = proving.BY_URL) -> Report:
        """Play just these rounds."""
        monkeypatch.setattr(proving, "scripts", lambda effects, **_: rounds(effects))
        return proving.prove(
            str(self.file),
            urls=self.urls,
            openers=openers,
            python_path=[str(CRASH)],
            action=self.case.action,
            changes_source=self.case.changes_source,
        )

    @property
    def file(self) -> Path:
        return CRASH / "cases" / self.case.file

    def differences(self) -> dict[str, Any]:
        """Carry it out undisturbed, on these very databases, and tell what is not as it must be."""
        if self.case.differing is None:
            return {}
        self.act(self.case.action)
        assert self.urls.source is not None
        assert self.urls.target is not None
        return self.case.differing(Database(self.urls.source), Database(self.urls.target))

    def act(self, action: str) -> None:
        """Let a command do it, in a process of its own."""
        places = {"--source": self.urls.source, "--target": self.urls.target, "--store": self.urls.store}
        given = [text for name, url in places.items() if url is not None for text in (name, url)]
        before, after = ACTIONS[action]
        done = milepost(self.file.parent, *before, self.file.name, *after, *given)
        assert done.status == 0, (done.out, done.err)

    def rework(self, round_: Round, report: Report) -> tuple[int, int]:
        """Rows that were read again, but for those that a rollback asked for; and the most that may be.

        A command that is given again when all is done, and only that not yet said, does all of it again; but for a run.
        A repair looks for rows too many from the beginning each time, and knows no more whether that was it.
        """
        undone = sum(round_.rollbacks.values()) * self.case.rolled_back
        at_random = isinstance(round_.script, RandomKills)
        after_all = self.case.action != "run" and (at_random or round_.at in OVER)
        over = after_all or self.case.action == "repair"
        blows = round_.kills if at_random else 1
        return max(0, round_.read_again - undone), (report.batch_rows + self.case.ahead) * blows + (
            report.rows * blows if over else 0
        )


def prepared(case: Case, folder: Path, make_postgres: Callable[[], str]) -> Prepared:
    """Make the databases of the case."""

    def url(kind: str | None, name: str) -> str | None:
        return make_postgres() if kind == "postgres" else kind and f"sqlite:///{folder / name}.db"

    source, target, store = url(case.source, "source"), url(case.target, "target"), url(case.store, "store")
    scene = Prepared(case, Urls(source=source, target=target, store=store))
    if source and target:
        case.fill(Database(source), Database(target))
        if case.afterwards is not None:
            scene.act("run")
            case.afterwards(Database(source), Database(target))
    elif source:
        shop_data.fill_source(Database(source))
    return scene


def every_kill(seed: int, at_random: int = RANDOM) -> Rounds:
    """Killed before and after every effect, and at random moments; where not all are tried, some from everywhere."""
    return _every_kill(seed, at_random) if EVERY_POINT else _some_kills(seed)


def _every_kill(seed: int, at_random: int) -> Rounds:
    def rounds(effects: Sequence[Effect]) -> list[Script]:
        at = [kill(moment, number) for number in range(1, len(effects) + 1) for moment in Moment]
        return [*at, *(RandomKills(seed=seed, number=number) for number in range(1, at_random + 1))]

    return rounds


def _some_kills(seed: int) -> Rounds:
    def rounds(effects: Sequence[Effect]) -> list[Script]:
        chance = random.Random(seed)
        numbers = sorted(chance.sample(range(1, len(effects) + 1), min(5, len(effects))))
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
        again, most = prepared.rework(each, report)
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
