"""A report in sentences: what came of it, which steps are to blame, how to play a failure again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from milepost.crashtest.report import Report, Round, Suspect

Again = Callable[[Round], str]

MOST_NAMED = 10  # steps
ADVICE = {
    "sink": "A batch of which nobody knows whether it came through is handed to it again: upsert on its key, or ask by"
    " cp.in_doubt / cp.settle_by.",
    "rollback": "Its rollback ran and left {differs} other than it was before the step: let it undo all that a"
    " half-done attempt can have done.",
    "transaction": "It is run again from its position: save the position inside the transaction: cp.save(…) in"
    " cp.transaction(), with the rows that it stands for.",
    "step": "A step that a crash interrupts is run again: let it begin anew, write in cp.transaction(), or undo it in"
    " its rollback.",
}


def summary(report: Report) -> Iterator[str]:
    """How many rounds of what, and by which seed."""
    same = report.outcomes["same"]
    came = "all came out as the undisturbed run" if report.ok else f"{same:,} came out as the undisturbed run"
    batch = f" (a batch has {report.batch_rows:,})" if report.batch_rows else ""  # a Job of steps has none
    kills = f"{report.kills:,} kills, {report.read_again:,} rows read again{batch}"
    yield f"{len(report.rounds):,} rounds, {came}; {kills}"
    undisturbed = f"{report.effects:,} points, {report.rows:,} rows, {report.seconds:.1f} seconds"
    yield f"seed {report.seed}; undisturbed: {undisturbed}"
    if report.points is not None and report.points < report.effects:
        some = f"{report.points:,} of {report.effects:,} points"
        yield f"{some}, spread over the run; --points all for every one"


def for_real(report: Report, rounds: int) -> Iterator[str]:
    """What the user's functions do for real in that many rounds, before they are played; many steps are summed up."""
    for name, times in list(report.steps.items())[:MOST_NAMED]:
        does = "sends" if name in report.sinks else "runs"
        about = times * (rounds + 2)  # two undisturbed runs; a round runs most of them once, and one of them again
        yield f"{name}'s function {does} for real, about {about:,} times in all; it can tell by MILEPOST_CRASHTEST=1"
    if len(report.steps) > MOST_NAMED:
        yield f"and so do {len(report.steps) - MOST_NAMED:,} more steps"


def beyond(report: Report) -> list[str]:
    """What ran more than once, and may have done what no comparison sees."""
    told = []
    for name, rounds in report.repeated.items():
        did, wrote = ("was handed a batch again", "wrote") if name in report.sinks else ("ran more than once", "did")
        times = "1 round" if rounds == 1 else f"{rounds:,} rounds"
        told.append(f"{name} {did} in {times}; what it {wrote} outside the scratch copies was not compared")
    more = len(told) - MOST_NAMED
    return [*told[:MOST_NAMED], *([f"and so it is with {more:,} more steps"] if more > 0 else [])]


def verdict(report: Report) -> str:
    """All of it in the last line."""
    if not report.ok:
        return f"{len(report.failures):,} of {len(report.rounds):,} rounds did not come out as the undisturbed run"
    return "same as far as could be compared" if report.repeated else "same as the undisturbed run"


def blame(suspect: Suspect) -> str:
    """What is wrong with the step, and what to do about it."""
    differs = ", ".join(name or "the job" for name in suspect.about) or "the outcome"
    times = "1 round" if suspect.rounds == 1 else f"{suspect.rounds:,} rounds"
    name = suspect.step or "the job"
    if suspect.together:
        return (
            f"{name}: in {times} a run that had slept past its lease woke up in the middle of it and was at work"
            f" together with the run that had taken over, and {differs} differs. Nobody can call back what was already"
            " on its way: write a file anew and rename it, upsert on a key, or write in cp.transaction(), which refuses"
            " the old run."
        )
    return f"{name} is not safe to run twice: in {times} it ran more than once, and {differs} differs. " + (
        ADVICE[suspect.kind].format(differs=differs)
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
