"""A report in sentences: what came of it, which steps are to blame, how to play a failure again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from milepost.crashtest.report import Report, Round, Suspect

Again = Callable[[Round], str]


def summary(report: Report) -> Iterator[str]:
    """How many rounds of what, and by which seed."""
    same = report.outcomes["same"]
    came = "all came out as the undisturbed run" if report.ok else f"{same:,} came out as the undisturbed run"
    yield (
        f"{len(report.rounds):,} rounds, {came}; {report.kills:,} kills, {report.read_again:,} rows read again"
        f" (a batch has {report.batch_rows:,})"
    )
    undisturbed = f"{report.effects:,} points, {report.rows:,} rows, {report.seconds:.1f} seconds"
    yield f"seed {report.seed}; undisturbed: {undisturbed}"


def blame(suspect: Suspect) -> str:
    """What is wrong with the step, and what to do about it."""
    differs = ", ".join(name or "the job" for name in suspect.about) or "the outcome"
    times = "1 round" if suspect.rounds == 1 else f"{suspect.rounds:,} rounds"
    return (
        f"{suspect.step or 'the job'} is not safe to run twice: in {times} it ran more than once, and {differs}"
        " differs. A step that a crash interrupts is run again: let it begin anew, write in cp.transaction(), or undo"
        " it in its rollback."
    )


def failures(report: Report, again: Again, *, most: int | None = None) -> Iterator[str]:
    """Each round that did not come out the same, with the command that plays it again, and what differed."""
    shown = report.failures[:most]
    for _, alike in groupby(shown, key=lambda each: each.messages):
        together = list(alike)
        for each in together:
            yield f"{each.outcome} after {each.replay}{_where(each)}: {again(each)}"
        yield from (f"    {text}" for text in together[0].messages)
    if len(report.failures) > len(shown):
        yield f"and {len(report.failures) - len(shown):,} more; --verbose shows all"


def _where(each: Round) -> str:
    where = f"{each.effect} {each.at}".strip()
    return f" ({where})" if where else ""
