"""Prove recovery on a job: run it undisturbed, break it at every point, run it again, compare."""

from __future__ import annotations

import os
import random as chance
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from milepost.clock import SystemClock
from milepost.crashtest.action import Action
from milepost.crashtest.choose import SLOW, refuse_impossible, scripts, spread
from milepost.crashtest.compare import differences, varying
from milepost.crashtest.connections import real_place
from milepost.crashtest.content import Content, LeftOut, content_of
from milepost.crashtest.declared import Declared, declared_of
from milepost.crashtest.fault import Effect, Fault, Kind, Script, script_named
from milepost.crashtest.journal import read_journal
from milepost.crashtest.launcher import Launcher, launching
from milepost.crashtest.numbered import numbered_of
from milepost.crashtest.report import Report, Round
from milepost.crashtest.rounds import SHORT_LEASE, Course, Stage, Undisturbed, play, run_undisturbed
from milepost.crashtest.scratch import Place, Scratch, scratch_folder
from milepost.crashtest.task import Task
from milepost.crashtest.words import beyond, for_real
from milepost.errors import PlanError
from milepost.jobs.parameters import NO_PARAMETERS
from milepost.wiring.find import split
from milepost.wiring.run import NO_URLS, Urls

AT_ONCE = 2  # rounds
BY_URL = "milepost.wiring.openers:BY_URL"
ALL_FAULTS: tuple[Kind, ...] = tuple(Kind)
LONGEST = 3600.0  # seconds for an undisturbed run
APART = 1.1  # seconds between two undisturbed runs, so that a time of day shows, even SQLite's own to the second
SHORTEST = 60.0  # seconds that a run has at least before it counts as stuck

Tell = Callable[[str, object], None]
Choose = Callable[[Sequence[Effect]], list[Script]]


def say_nothing(what: str, value: object) -> None:
    """A Tell for those who only want the report."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be proven. ``points`` None: every point. ``replay``: that round alone. Limits are in seconds."""

    reference: str
    urls: Urls = NO_URLS
    points: int | None = None
    random: int = 0
    seed: int = 0
    faults: tuple[Kind, ...] = ALL_FAULTS
    choose: Choose | None = None
    replay: str | None = None
    openers: str = BY_URL
    python_path: tuple[str, ...] = ()
    batch_rows: int | None = None
    limit: float | None = None
    action: Action = Action.RUN
    changes_source: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


def prove(
    reference: str,
    *,
    urls: Urls = NO_URLS,
    points: int | str = "all",
    random: int = 0,
    seed: int | None = None,
    faults: Collection[str] = ("kill",),
    choose: Choose | None = None,
    replay: str | None = None,
    openers: str = BY_URL,
    python_path: Sequence[str] = (),
    batch_rows: int | None = None,
    limit: float | None = None,
    action: str = "run",
    changes_source: bool = False,
    parameters: Mapping[str, str] = NO_PARAMETERS,
    tell: Tell = say_nothing,
) -> Report:
    """Crash test the job that ``reference`` names (FILE, FILE:NAME or module:name) on scratch copies; the report.

    ``points``: faults at so many effects, spread over the run, or "all". ``random`` rounds are killed at moments drawn
    from ``seed`` (one is drawn and reported where none is given). ``faults`` are names of Kind. ``choose`` is given the
    undisturbed run's effects and gives the rounds instead of all that. ``replay`` plays the round of that name alone.
    ``openers`` is "module:name" of other Openers than those by URL, ``python_path`` where such modules are found.
    ``batch_rows`` makes batches small, so that there is something to break between them. ``action`` is the name of an
    Action: "run", or "recheck", "retry" or "repair" of a migration that was run before, which begins on copies of what
    there is now, the store's memory among it. ``changes_source``: the job writes into its source too, of which each
    round then gets a copy of its own. ``parameters`` are given to the job. A run that takes longer than ``limit``
    seconds counts as stuck. ``tell`` hears as they come: ("seed", int), ("declared", Declared),
    ("undisturbed", Undisturbed), ("for real", lines of what user code does for real), ("seconds", about how many are
    left), ("rounds", how many) and ("round", Round).

    Raises PlanError where the job cannot be tested: it cannot be loaded or copied, or does not complete undisturbed.
    """
    wanted = Wanted(
        reference=reference,
        urls=urls,
        points=None if points == "all" else int(points),
        random=random,
        seed=chance.SystemRandom().randrange(1_000_000) if seed is None else seed,
        faults=tuple(Kind(each) for each in faults),
        choose=choose,
        replay=replay,
        openers=openers,
        python_path=tuple(python_path),
        batch_rows=batch_rows,
        limit=limit,
        action=Action(action),
        changes_source=changes_source,
        parameters=parameters,
    )
    if replay is not None:
        script_named(replay)  # refused before anything is copied
    with ExitStack() as stack:
        root = stack.enter_context(scratch_folder())
        launcher = stack.enter_context(launching())
        launcher.clear_afterwards(root)
        return _proven(wanted, root, launcher, tell)


def _proven(wanted: Wanted, root: Path, launcher: Launcher, tell: Tell) -> Report:
    tell("seed", wanted.seed)
    declared = _ask(wanted, root, launcher)
    if wanted.changes_source:
        declared = replace(declared, read={}, written={**declared.written, **declared.read})
    tell("declared", declared)
    place, _ = split(wanted.reference)
    folder = Path(place).resolve().parent if Path(place).is_file() else None
    scratch = Scratch(
        root=root,
        declared=declared,
        folder=folder,
        on_server=launcher.drop_afterwards,
        anew=wanted.action.anew,
    )
    scratch.prepare()
    stage = Stage(
        job=declared.name,
        launcher=launcher,
        scratch=scratch,
        task=lambda where, journal: _task(wanted, declared, where, journal),
        limit=wanted.limit or LONGEST,
    )
    undisturbed = _undisturbed(stage, declared)
    tell("undisturbed", undisturbed)
    if wanted.limit is None:
        stage = replace(stage, limit=SHORTEST + 20 * undisturbed.seconds)
    effects = [effect for effect, _ in undisturbed.told.effects]
    chosen = _chosen(wanted, effects)
    report = Report(
        job=declared.name,
        seed=wanted.seed,
        effects=len(effects),
        rows=undisturbed.told.rows,
        seconds=undisturbed.seconds,
        batch_rows=wanted.batch_rows or declared.batch_rows,
        steps=undisturbed.told.steps,
        rollbacks=undisturbed.told.rollbacks,
        rounds=(),
        notes=(*scratch.notes, *_notes(undisturbed.left_out)),
        points=None if wanted.replay or wanted.choose else len(spread(len(effects), wanted.points)),
        sinks=frozenset(about for effect, about in undisturbed.told.effects if effect is Effect.SINK_WRITE),
        transactions=undisturbed.told.transactions,
    )
    real = tuple(for_real(report, len(chosen)))
    tell("for real", real)
    tell("seconds", _estimate(chosen, undisturbed.seconds))
    tell("rounds", len(chosen))
    report = replace(report, rounds=tuple(_played(stage, chosen, undisturbed, tell)))
    return replace(report, for_real=real, notes=(*report.notes, *beyond(report)))


def _estimate(chosen: list[Script], seconds: float) -> float:
    """About how long the rounds will take: most run the job one and a half times, some wait for a lease to lapse."""
    slow = sum(isinstance(each, Fault) and each.kind in SLOW for each in chosen)
    return (len(chosen) * 1.5 * seconds + slow * 3 * SHORT_LEASE) / AT_ONCE


def _chosen(wanted: Wanted, effects: list[Effect]) -> list[Script]:
    if wanted.replay is not None:
        script = script_named(wanted.replay)
        refuse_impossible(script, effects)
        return [script]
    if wanted.choose is not None:
        return wanted.choose(effects)
    return scripts(effects, kinds=wanted.faults, points=wanted.points, random=wanted.random, seed=wanted.seed)


def _played(stage: Stage, chosen: list[Script], undisturbed: Undisturbed, tell: Tell) -> Iterator[Round]:
    """The rounds in order, some at a time."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="milepost crashtest")
    try:
        waiting = [pool.submit(play, stage, script, undisturbed) for script in chosen]
        for each in waiting:
            done = each.result()
            tell("round", done)
            yield done
    except BaseException:
        stage.launcher.kill_all()  # so that the rounds end that wait for it; databases are dropped when none makes any
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ask(wanted: Wanted, root: Path, launcher: Launcher) -> Declared:
    """Let a process load the user's file, where it is, and say what it declares."""
    journal = root / "asked"
    task = Task(
        reference=wanted.reference,
        folder=str(Path.cwd()),
        journal=str(journal),
        output=str(root / "output"),
        source=wanted.urls.source,
        target=wanted.urls.target,
        store=wanted.urls.store,
        python_path=wanted.python_path,
        ask=True,
    )
    process = launcher.start(task)
    if not process.wait(SHORTEST):
        raise PlanError(f"{wanted.reference} was not loaded within {SHORTEST:.0f} seconds")
    told = read_journal(journal)
    if told.answer is None:
        raise PlanError(told.error or f"{wanted.reference} ended its process while it was loaded", hint=told.hint)
    return declared_of(told.answer)


def _task(wanted: Wanted, declared: Declared, place: Place, journal: Path) -> Task:
    file, name = split(wanted.reference)
    inside = Path(file).is_file()
    reference = str(place.folder / Path(file).name) if inside else wanted.reference
    return Task(
        reference=f"{reference}:{name}" if inside and name else reference,
        folder=str(place.folder),
        journal=str(journal),
        output=str(place.root / "output"),
        source=place.source,
        target=place.target,
        store=place.store,
        databases=place.databases,
        real=(*declared.read.values(), *declared.written.values()),
        environment={"MILEPOST_CRASHTEST": "1", **dict(_redirected(place))},
        openers=wanted.openers,
        python_path=wanted.python_path,
        batch_rows=wanted.batch_rows,
        action=wanted.action,
        parameters=dict(wanted.parameters),
    )


def _redirected(place: Place) -> Iterator[tuple[str, str]]:
    """The environment variables that hold the URL of a real database, with the scratch copy's."""
    for name, value in os.environ.items():
        scratch = place.databases.get(real_place(value) or "")
        if scratch is not None:
            yield name, scratch


def _undisturbed(stage: Stage, declared: Declared) -> Undisturbed:
    """The job run twice: what the two do not agree in is not compared."""
    first, one = run_undisturbed(stage, "undisturbed-1")
    SystemClock().sleep(APART)
    second, other = run_undisturbed(stage, "undisturbed-2")
    _refuse_incomplete(first)
    _refuse_incomplete(second)
    left_out = LeftOut(numbered=numbered_of(first.place, stage.job, declared.fills))
    contents = _both(first, second, left_out)
    left_out += varying(contents, (first.place, second.place), left_out)
    contents = _both(first, second, left_out)
    apart = differences(*contents)
    if apart:
        raise PlanError(
            f"two undisturbed runs of {stage.job} do not come to the same, so that no crash could be told from chance:"
            f" {apart[0].message}",
            hint="Let the job do the same each time; cp.now and cp.once keep what must not change.",
        )
    stage.scratch.drop(second.place)
    told = first.told()[0]
    return Undisturbed(place=first.place, told=told, content=contents[0], seconds=max(one, other), left_out=left_out)


def _both(first: Course, second: Course, left_out: LeftOut) -> tuple[Content, Content]:
    one, other = (content_of(course.place, course.stage.job, left_out) for course in (first, second))
    return one, other


def _refuse_incomplete(course: Course) -> None:
    told = course.told()[0]
    if course.stuck:
        raise PlanError(
            f"the undisturbed run did not end within {course.stage.limit:.0f} seconds",
            hint="Give it less to do (a smaller copy), or more time.",
        )
    if told.end != "complete":
        raise PlanError(
            f"the undisturbed run did not complete: {told.error or 'its process ended without a word'}",
            hint=told.hint or "Mend that first; a crash test compares with a run that completes.",
        )


def _notes(left_out: LeftOut) -> Iterator[str]:
    for table, column in sorted({*left_out.numbered.ids, *left_out.numbered.refers}):
        yield f"compared by what it stands for, not by its number: {table} ({column})"
    for table, columns in left_out.columns.items():
        yield f"not compared, since two undisturbed runs differ in it: {table} ({', '.join(columns)})"
    for what, names in (("table", left_out.tables), ("file", left_out.files), ("the result of", left_out.results)):
        for name in sorted(names):
            yield f"not compared, since two undisturbed runs differ in it: {what} {name or 'the job'}"
