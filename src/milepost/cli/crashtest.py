"""Crash test a job and show what came of it: the command ``crashtest``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from milepost.cli.again import other_command
from milepost.cli.asked import Asked
from milepost.cli.explain import COMPLETE, FAILED, INTERRUPTED
from milepost.cli.human import duration, number
from milepost.cli.lines import write_line
from milepost.cli.report import say_on_stderr
from milepost.cli.tables import console, show, table
from milepost.clock import Clock, SystemClock
from milepost.crashtest.declared import Declared
from milepost.crashtest.fault import Fault, Kind
from milepost.crashtest.prove import prove
from milepost.crashtest.report import Report, Round
from milepost.crashtest.words import blame, failures, summary, verdict
from milepost.demo.child import stop_on_terminate

EVERY = 30.0  # seconds between two lines about the progress
MOST_FAILURES = 10  # shown whole, unless more is asked for


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The options of the command."""

    points: int | str
    random: int
    seed: int | None
    faults: tuple[str, ...]
    replay: str | None
    batch_rows: int | None
    verbose: bool


def crashtest_and_tell(asked: Asked, choice: Choice) -> int:
    """Carry it out; the exit status."""
    reference, urls, out, learn = asked.reference, asked.urls, asked.out, asked.known.extend
    progress = Progress(SystemClock(), learn)
    try:
        with stop_on_terminate():
            report = prove(
                reference,
                urls=urls,
                points=choice.points,
                random=choice.random,
                seed=choice.seed,
                faults=choice.faults,
                replay=choice.replay,
                batch_rows=choice.batch_rows,
                parameters=asked.parameters,
                tell=progress.tell,
            )
    except KeyboardInterrupt:
        say_on_stderr(progress.stopped())
        return INTERRUPTED
    again = _again(asked, choice)
    if out is not None:
        write_line(out, as_document(report, again))
    else:
        _draw(report, again, verbose=choice.verbose or choice.replay is not None)
    return COMPLETE if report.ok else FAILED


class Progress:
    """Says now and then how far it is."""

    def __init__(self, clock: Clock, learn: Callable[[Sequence[str]], None]) -> None:
        self._clock = clock
        self._learn = learn
        self._said = clock.monotonic()
        self._rounds = self._done = self._apart = self._seed = 0
        self._seconds = 0.0

    def tell(self, what: str, value: object) -> None:
        match what, value:
            case "seed", int():
                self._seed = value
                say_on_stderr(f"seed {value}")
            case "seconds", float():
                self._seconds = value
            case "declared", Declared():
                self._learn([value.store, *value.read.values(), *value.written.values()])
                say_on_stderr(f"{value.name}: copying what it reads and writes, and running it undisturbed, twice")
            case "for real", tuple():
                for line in value:
                    say_on_stderr(line)
            case "rounds", int():
                self._rounds = value
                takes = f"about {duration(self._seconds)}"
                say_on_stderr(f"{number(value)} rounds, each on copies of its own; {takes}")
            case "round", Round():
                self._count(value)

    def stopped(self) -> str:
        """What is said where it was interrupted."""
        found = "all the same" if not self._apart else f"{number(self._apart)} not the same"
        rounds = f"after {number(self._done)} of {number(self._rounds)} rounds, {found}"
        where = rounds if self._rounds else "before the first round"
        return f"stopped {where}; seed {self._seed}; the scratch copies are cleared away"

    def _count(self, each: Round) -> None:
        self._done += 1
        self._apart += not each.ok
        if self._clock.monotonic() - self._said >= EVERY:
            self._said = self._clock.monotonic()
            found = "all came out the same" if not self._apart else f"{number(self._apart)} did not come out the same"
            say_on_stderr(f"{number(self._done)} of {number(self._rounds)} rounds played, {found}")


def as_document(report: Report, again: Callable[[Round], str]) -> dict[str, Any]:
    """The report as JSON. The fields are part of the public face."""
    return {
        "job": report.job,
        "ok": report.ok,
        "seed": report.seed,
        "effects": report.effects,
        "points": report.points,
        "rows": report.rows,
        "seconds": report.seconds,
        "batch_rows": report.batch_rows,
        "outcomes": dict(report.outcomes),
        "kills": report.kills,
        "read_again": report.read_again,
        "steps": dict(report.steps),
        "rollbacks": dict(report.rollbacks),
        "suspects": [asdict(each) for each in report.suspects],
        "notes": [*report.for_real, *report.notes],
        "rounds": [_round(each, again) for each in report.rounds],
    }


def _round(each: Round, again: Callable[[Round], str]) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(each).items() if name != "script"}
    fields |= {"steps": dict(each.steps), "rollbacks": dict(each.rollbacks)}
    return {"round": each.replay, **fields, "replay": None if each.ok else again(each)}


def _again(asked: Asked, choice: Choice) -> Callable[[Round], str]:
    """The command that plays one round again."""
    urls, reference = asked.urls, asked.reference
    options = {"--source": urls.source, "--target": urls.target, "--store": urls.store}
    options["--batch-rows"] = None if choice.batch_rows is None else str(choice.batch_rows)
    given = [text for name, value in options.items() if value is not None for text in (name, value)]
    given += [text for name, value in asked.parameters.items() for text in ("-p", f"{name}={value}")]

    def command(each: Round) -> str:
        return other_command("crashtest", reference, *given, "--replay", each.replay)

    return command


def _draw(report: Report, again: Callable[[Round], str], *, verbose: bool) -> None:
    screen = console()
    show(screen, _table(report, verbose=verbose))
    screen.print()
    if report.steps or report.rollbacks:
        show(screen, _steps(report))
        screen.print()
    most = None if verbose else MOST_FAILURES
    told = failures(report, again, most=most)
    for text in (*summary(report), *map(blame, report.suspects), *told, *report.notes, verdict(report)):
        screen.print(text, soft_wrap=True)


def _table(report: Report, *, verbose: bool) -> Any:
    drawn = table("left:fault", "path:at", "rounds", "left:outcome", "kills", "runs", "read again", drop=["runs"])
    groups: dict[tuple[str, ...], list[Round]] = {}
    for each in report.rounds:
        groups.setdefault(_group(each, verbose=verbose), []).append(each)
    for key, together in groups.items():
        drawn.add_row(
            key[0],
            key[1],
            number(len(together)),
            key[2],
            number(sum(each.kills for each in together)),
            number(sum(each.restarts + 1 for each in together)),
            number(sum(each.read_again for each in together)),
        )
    return drawn


def _group(each: Round, *, verbose: bool) -> tuple[str, str, str]:
    """What stands in one row: rounds that came out the same together, by the kind of fault and of effect."""
    where = f"{each.effect} {each.at}".strip() or "at random moments"
    if isinstance(each.script, Fault) and not each.effect:
        where = "not reached"
    if verbose:
        return each.replay, where, each.outcome
    kind = each.script.kind if isinstance(each.script, Fault) else Kind.KILL
    return str(kind), (each.effect or where) if each.ok else where, each.outcome


def _steps(report: Report) -> Any:
    drawn = table("path:step", "undisturbed", "most in a round", "left:")
    parts: tuple[tuple[str, Mapping[str, int], list[Mapping[str, int]]], ...] = (
        ("", report.steps, [each.steps for each in report.rounds]),
        ("rollback", report.rollbacks, [each.rollbacks for each in report.rounds]),
    )
    for word, undisturbed, found in parts:
        for name in sorted({name for each in [undisturbed, *found] for name in each}):
            most = max((each.get(name, 0) for each in found), default=0)
            drawn.add_row(name, number(undisturbed.get(name, 0)), number(most), word)
    return drawn
