"""Play one round: the script, then the job again and again until it is complete; then look at what it left."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from milepost.clock import SystemClock
from milepost.crashtest.compare import differences, rows_apart
from milepost.crashtest.content import Content, LeftOut, content_of
from milepost.crashtest.fault import Fault, Kind, RandomKills, Script
from milepost.crashtest.journal import Told, read_journal
from milepost.crashtest.launcher import Launcher, Process
from milepost.crashtest.report import Round
from milepost.crashtest.scratch import Place, Scratch
from milepost.crashtest.task import Task
from milepost.databases.url import scheme

MOST_RUNS = 5  # without any fault; then a job counts as one that does not complete
MOST_KILLS = 25  # at random moments; then it may run to its end
EARLY = 0.1  # of the random kills come before the run has begun
SHORT_LEASE = 1.0  # seconds
PATIENCE = {"sqlite": 2.0, "postgresql": 15.0}  # seconds for a takeover; nobody can break a file's lock

_CLOCK = SystemClock()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What every round needs. ``limit`` is the seconds after which a run counts as one that hangs."""

    job: str
    launcher: Launcher
    scratch: Scratch
    task: Callable[[Place, Path], Task]
    limit: float


@dataclass(frozen=True, kw_only=True)
class Undisturbed:
    """How the job goes when nothing happens to it: what it did, what it left in ``place``, in how many seconds."""

    place: Place
    told: Told
    content: Content
    seconds: float
    left_out: LeftOut


class Course:
    """The runs of one round."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.place = stage.scratch.fresh(name)
        self.kills = 0
        self.stuck = False
        self._journals: list[Path] = []

    def start(self, fault: Fault | None = None, *, lease: float | None = None) -> Process:
        """Begin another run."""
        self._journals.append(self.place.root / f"journal-{len(self._journals) + 1}")
        task = self.stage.task(self.place, self._journals[-1])
        if lease is not None:
            task = replace(task, lease_seconds=lease, stall_seconds=2 * lease)
        return self.stage.launcher.start(replace(task, fault=None if fault is None else fault.name))

    def wait(self, process: Process) -> None:
        """Let a run come to its end; one that hangs is killed."""
        if not process.wait(self.stage.limit):
            self.stuck = True
            self.kill(process)
        elif process.status == -signal.SIGKILL:
            self.kills += 1

    def kill(self, process: Process) -> None:
        process.send(signal.SIGKILL)
        process.wait(self.stage.limit)

    def told(self) -> list[Told]:
        """What the journals say, run by run."""
        return [read_journal(file) for file in self._journals]

    def complete(self) -> None:
        """Run the job until it is complete, as somebody does who types the same command again."""
        for tried in range(MOST_RUNS):
            _CLOCK.sleep(SHORT_LEASE * tried / 4)  # a lease may have to lapse first
            process = self.start()
            self.wait(process)
            if process.status == 0 or self.stuck:
                return


def run_undisturbed(stage: Stage, name: str) -> tuple[Course, float]:
    """The whole job, once."""
    course = Course(stage, name)
    began = _CLOCK.monotonic()
    course.wait(course.start())
    return course, _CLOCK.monotonic() - began


def play(stage: Stage, script: Script, wanted: Undisturbed) -> Round:
    """Play the script on a place of its own, which is cleared away afterwards."""
    course = Course(stage, script.name)
    try:
        _disturb(course, script, wanted)
        return _judged(course, script, wanted)
    finally:
        stage.scratch.drop(course.place)


def _disturb(course: Course, script: Script, wanted: Undisturbed) -> None:
    match script:
        case RandomKills():
            _kill_at_random(course, script, wanted.told.began, wanted.seconds)
        case Fault(kind=Kind.SLEEP):
            _oversleep(course, script)
        case Fault():
            process = course.start(script, lease=SHORT_LEASE if script.kind is Kind.STALL else None)
            course.wait(process)
            if process.status != 0 and not course.stuck:
                course.complete()


def _kill_at_random(course: Course, script: RandomKills, began: float, seconds: float) -> None:
    """Each run gets a moment of its own to die at, within the time that the whole job takes undisturbed."""
    chance = random.Random(script.name)  # noqa: S311 - it is to be the same again
    for _ in range(MOST_KILLS):
        process = course.start()
        if process.wait(_moment(chance, began, seconds)):
            if process.status == 0:
                return
        else:
            course.kill(process)
            course.kills += process.status == -signal.SIGKILL
            if process.status == 0:
                return
    course.complete()


def _moment(chance: random.Random, began: float, seconds: float) -> float:
    """When to kill: mostly while rows move, now and then while the job is still being loaded."""
    early = chance.random() < EARLY
    return chance.uniform(0, began) if early else chance.uniform(min(began, seconds), seconds)


def _oversleep(course: Course, script: Fault) -> None:
    """Stop a run past its lease, let another go on meanwhile, and wake it up again."""
    sleeper = course.start(script, lease=SHORT_LEASE)
    if not sleeper.wait_until_stopped(course.stage.limit):
        course.wait(sleeper)
        if sleeper.status != 0:
            course.complete()
        return
    _CLOCK.sleep(SHORT_LEASE * 1.5)
    other = course.start(lease=SHORT_LEASE)
    other.wait(PATIENCE[scheme(course.place.store)])  # it may have to wait for a lock that the sleeper holds
    sleeper.send(signal.SIGCONT)
    course.wait(sleeper)
    course.wait(other)
    if 0 not in (sleeper.status, other.status):
        course.complete()


def _judged(course: Course, script: Script, wanted: Undisturbed) -> Round:
    told = course.told()
    outcome, about, messages = _outcome(course, told, wanted)
    effect, at = next((each.hit for each in told if each.at is not None), ("", ""))
    steps, rollbacks = Counter[str](), Counter[str]()
    for each in told:
        steps.update(each.steps)
        rollbacks.update(each.rollbacks)
    return Round(
        script=script,
        effect=effect,
        at=at,
        outcome=outcome,
        kills=course.kills,
        restarts=len(told) - 1,
        read_again=max(0, sum(each.rows for each in told) - wanted.told.rows),
        steps=steps,
        rollbacks=rollbacks,
        about=about,
        messages=messages,
    )


def _outcome(course: Course, told: list[Told], wanted: Undisturbed) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    if course.stuck:
        return "stuck", (), (f"a run did not end within {course.stage.limit:.0f} seconds",)
    if not any(each.end == "complete" for each in told):
        return "failed", (), (f"run {len(told) - 1} times again, it did not complete: {told[-1].error}",)
    found = content_of(course.place, course.stage.job, wanted.left_out)
    apart = differences(wanted.content, found)
    messages: list[str] = []
    for each in apart:
        messages.append(each.message)
        if each.about in wanted.content.tables and each.about in found.tables:
            places, contents = (wanted.place, course.place), (wanted.content, found)
            messages += rows_apart(each.about, places, contents, wanted.left_out)
    return apart[0].kind if apart else "same", tuple(dict.fromkeys(each.about for each in apart)), tuple(messages)
