"""What is said of an event in one line of plain text. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.cli.human import duration, key, number, placed, rows
from milepost.cli.view import Branch, View, branch_of, rate, read_before, seconds_left, share, total
from milepost.jobs.event import (
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointSkipped,
    CheckpointStarted,
    Event,
    RollbackCompleted,
    RollbackStarted,
    RunStarted,
    Told,
)
from milepost.jobs.ledger import Counts
from milepost.jobs.state import Failure

STOPPING = "stopping at the next commit; press again to stop now"


def announcement(view: View, event: Event) -> str | None:  # noqa: PLR0911 - one answer for each event
    """What must be read whatever else is drawn: that a run recovers, and from what; what was told."""
    match event:
        case RunStarted(job=job, epoch=epoch, store=store):
            return f"{job}: run {epoch}, store {store}"
        case CheckpointStarted(path="", recovering=True, failure=Failure(kind="rewound")):
            return f"{view.job}: going on after a rewind{_ago(view.paused_for)}."
        case CheckpointStarted(path="", recovering=True, failure=failure):
            if branch_of(view, "").again:
                return f"{view.job}: recovering. The try before {ended_by(failure)}."
            return f"{view.job}: recovering. The last run {ended_by(failure)}{_ago(view.paused_for)}."
        case Told(path=path, message=message):
            return placed(path, message)
        case CheckpointStarted(path=path, recovering=True) if path:
            return f"{path}: {_resumes(event)}"
        case RollbackStarted(path=path):
            return f"{path}: rolling back what the last attempt left"
        case RollbackCompleted(path=path):
            return f"{path}: rolled back, starting again"
        case _:
            return None


def line(view: View, event: Event) -> str | None:
    """What plain lines say of the event beyond its announcement; ``view`` is the one after it. None: nothing."""
    path = getattr(event, "path", "")
    branch = branch_of(view, path)
    match event:
        case CheckpointStarted() if path and not event.recovering:
            return f"{path}: started"
        case CheckpointSkipped(counts=counts) if path:
            return f"{path}: complete already{_read(counts)}"
        case CheckpointCompleted(counts=counts) if path:
            return f"{path}: complete{_read_now(branch, counts)}"
        case CheckpointFailed(failure=failure) if path:
            return f"{path}: {ended(failure)}"
        case _:
            return None


def progress(branch: Branch, at: float) -> str:
    """How far a checkpoint is: "invoice: 61 %, 206,112 of 336,776 rows, 41,230 rows/s, 3s left"."""
    done = share(branch)
    parts = [] if done is None else [f"{done:.0%}"]
    if branch.counts.read or branch.expected is not None:
        of = "" if branch.expected is None else f" of {number(branch.expected)}"
        parts.append(f"{number(branch.counts.read)}{of} rows")
    elif branch.position is not None:
        parts.append(f"at {key(branch.position)}")
    pace, left = rate(branch, at), seconds_left(branch, at)
    if pace is not None:
        parts.append(f"{pace:,.0f} rows/s")
    if left is not None:
        parts.append(f"{duration(left)} left")
    if branch.counts.rejected:
        parts.append(f"{number(branch.counts.rejected)} rejected")
    return f"{branch.path}: {', '.join(parts)}"


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Steps that had no lines of their own: how many are complete since, and the path met last."""

    complete: int = 0
    path: str = ""


def counted(before: Counted, *events: Event) -> Counted:
    """The count after starts and ends of steps."""
    done = sum(isinstance(event, (CheckpointCompleted, CheckpointSkipped)) for event in events)
    return Counted(complete=before.complete + done, path=getattr(events[-1], "path", before.path))


def in_short(steps: Counted) -> str:
    """Many steps in one line: "1,204 more steps complete, now at month["2013-02"]"."""
    return f"{number(steps.complete)} more step{'' if steps.complete == 1 else 's'} complete, now at {steps.path}"


def completed(view: View, seconds: float) -> str:
    """The end of a run in short; where it resumed, with the rows that it read itself and those of all runs.

    Each row counts once: what passes read was read before.
    """
    read, before = total(view).read, read_before(view)
    folded = any(branch.folded_counts.read for branch in view.branches.values())  # of them nobody knows who read them
    if not before or folded:
        return f"complete in {duration(seconds)}"
    return f"complete, {rows(read - before)} in {duration(seconds)} ({number(read)} in all)"


def ended_by(failure: Failure | None) -> str:
    """How the last run, or try, ended, as the end of a sentence."""
    if failure is None or failure.kind == "killed":
        return "was killed"
    return "was interrupted" if failure.kind == "interrupted" else f"failed ({_first_line(failure.message)})"


def ended(failure: Failure) -> str:
    """How an attempt ended, for its own line."""
    return "interrupted" if failure.kind == "interrupted" else f"{failure.kind}: {_first_line(failure.message)}"


def _resumes(event: CheckpointStarted) -> str:
    read = event.counts.read
    if event.position is None and not read:
        return f"starting again from its beginning (attempt {event.attempt})"
    after = f" after {rows(read)}" if read else ""
    return f"resuming{after} at {key(event.position)} (attempt {event.attempt})"


def _ago(seconds: float | None) -> str:
    return "" if seconds is None else f" {duration(seconds)} ago"


def _read(counts: Counts) -> str:
    return f", {rows(counts.read)}" if counts.read else ""


def _read_now(branch: Branch, counts: Counts) -> str:
    """What this run read and how long it took; where it resumed, also what all runs read."""
    if not branch.before:
        return f"{_read(counts)}{_took(branch)}"
    return f", {rows(counts.read - branch.before)}{_took(branch)} ({number(counts.read)} in all)"


def _took(branch: Branch) -> str:
    return (
        "" if branch.started is None or branch.finished is None else f" in {duration(branch.finished - branch.started)}"
    )


def _first_line(text: str) -> str:
    return text.partition("\n")[0]
