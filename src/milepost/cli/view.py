"""What a run looks like so far, folded from its events. Frozen values, no screen, no clock: time is passed in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from milepost.jobs.event import (
    AsOf,
    BatchCommitted,
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointSkipped,
    CheckpointStarted,
    Event,
    PositionSaved,
    RollbackCompleted,
    RollbackStarted,
    RowsExpected,
    RunEnded,
    RunStarted,
    Told,
)
from milepost.jobs.ledger import NO_ROWS, Counts
from milepost.jobs.state import JSON, Failure

PACE_SECONDS = 20.0  # the rate is that of the latest seconds, not of the whole run
PACE_STEP = 0.5
KEPT_COMPLETE = 200  # checkpoints of a view, and complete ones below one parent; beyond it they are only counted


class Standing(StrEnum):
    """How a checkpoint stands in this run."""

    WAITING = "waiting"
    RUNNING = "running"
    ROLLING_BACK = "rolling back"
    SKIPPED = "complete already"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


DONE = frozenset({Standing.SKIPPED, Standing.COMPLETE})


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One checkpoint as it is drawn. Times are the clock's monotonic seconds.

    ``again``: it was started before in this very run.
    ``before`` counts the rows that earlier runs read. ``pace`` holds (time, rows read) of the latest seconds.
    ``folded`` and ``folded_counts`` tell of the complete checkpoints below this one that are no longer kept.
    """

    path: str
    standing: Standing = Standing.WAITING
    attempt: int = 0
    recovering: bool = False
    again: bool = False
    failure: Failure | None = None
    position: JSON = None
    expected: int | None = None
    counts: Counts = NO_ROWS
    before: int = 0
    started: float | None = None
    finished: float | None = None
    pace: tuple[tuple[float, int], ...] = ()
    folded: int = 0
    folded_counts: Counts = NO_ROWS


@dataclass(frozen=True, kw_only=True)
class View:
    """A run as it is drawn. ``objects`` are the paths of a migration's objects: what is below them are passes."""

    objects: frozenset[str] = frozenset()
    job: str = ""
    epoch: int = 0
    store: str = ""
    recovering: bool = False
    paused_for: float | None = None
    started: float | None = None
    branches: Mapping[str, Branch] = field(default_factory=dict)
    outcome: str | None = None
    error: str | None = None
    as_of: str = ""  # as of when the target is right, in words


def seen(view: View, event: Event, at: float) -> View:
    """The view after ``event``, which came at the monotonic time ``at``. An event it does not know changes nothing."""
    match event:
        case RunStarted(job=job, epoch=epoch, store=store, recovering=recovering, paused_for=paused_for):
            return View(
                objects=view.objects,
                job=job,
                epoch=epoch,
                store=store,
                recovering=recovering,
                paused_for=paused_for,
                started=at,
            )
        case RunEnded(outcome=outcome, error=error):
            return replace(view, outcome=outcome, error=error)
        case AsOf(message=message):
            return replace(view, as_of=message)
        case Told():
            return view  # said once, as it comes; nothing stays to be drawn
        case _:
            return _with_branch(view, event, at)


def is_only_counted(view: View, event: CheckpointSkipped) -> bool:
    """Whether the view is so large that a checkpoint which was complete already is none of its branches."""
    return len(view.branches) > KEPT_COMPLETE and event.path not in view.branches and event.path != ""


def counted(view: View, events: Sequence[CheckpointSkipped]) -> View:
    """The view after events that are only counted: each by the checkpoint above it."""
    families: dict[str | None, list[CheckpointSkipped]] = {}
    for event in events:
        families.setdefault(parent_of(view, event.path), []).append(event)
    branches = dict(view.branches)
    for parent, skipped in families.items():
        above = branch_of(view, parent or "")
        own = (each for each in skipped if each.counts is not NO_ROWS and not is_pass(view, each.path))
        counts = sum((each.counts for each in own), above.folded_counts)
        branches[above.path] = replace(above, folded=above.folded + len(skipped), folded_counts=counts)
    return replace(view, branches=branches)


def branch_of(view: View, path: str) -> Branch:
    """The checkpoint of that path, a waiting one where no event named it yet."""
    return view.branches.get(path) or Branch(path=path)


def parent_of(view: View, path: str) -> str | None:
    """The nearest known path above (a step's argument may hold a slash itself), "" for the job; None for "" itself."""
    if not path:
        return None
    above = path
    while "/" in above:
        above = above.rpartition("/")[0]
        if above in view.branches:
            return above
    return ""


def descent(view: View, path: str = "") -> Iterator[tuple[int, Branch]]:
    """Every checkpoint below a path with its depth, parents before children, in the order of their first events."""
    families: dict[str | None, list[Branch]] = {}
    for branch in view.branches.values():
        families.setdefault(parent_of(view, branch.path), []).append(branch)
    yield from _descend(families, path, 0)


def _descend(families: Mapping[str | None, list[Branch]], path: str, depth: int) -> Iterator[tuple[int, Branch]]:
    for branch in families.get(path, ()):
        yield depth, branch
        yield from _descend(families, branch.path, depth + 1)


def is_pass(view: View, path: str) -> bool:
    """Whether what it reads was read before, at the object above it: rows that go in again, links, deletions."""
    above, slash, _ = path.partition("/")
    return bool(slash) and above in view.objects


def total(view: View) -> Counts:
    """The rows of all checkpoints together, each row once: without those of passes."""
    own = (branch for branch in view.branches.values() if not is_pass(view, branch.path))
    return sum((branch.counts + branch.folded_counts for branch in own), NO_ROWS)


def total_of_passes(view: View) -> Counts:
    """What the passes of this view read and did, together."""
    return sum((branch.counts for branch in view.branches.values() if is_pass(view, branch.path)), NO_ROWS)


def read_before(view: View) -> int:
    """How many of the ``total`` earlier runs read."""
    return sum(branch.before for branch in view.branches.values() if not is_pass(view, branch.path))


def rate(branch: Branch, at: float) -> float | None:
    """Rows read a second over the latest seconds; None before there is anything to tell."""
    if not branch.pace:
        return None
    since, read = branch.pace[0]
    return (branch.counts.read - read) / (at - since) if at > since and branch.counts.read > read else None


def seconds_left(branch: Branch, at: float) -> float | None:
    """The time that the rows still to be read will take at the present rate; None where it cannot be told."""
    pace = rate(branch, at)
    if pace is None or branch.expected is None:
        return None
    return max(branch.expected - branch.counts.read, 0) / pace


def share(branch: Branch) -> float | None:
    """How much of the rows has been read, 0 to 1; None where their number is unknown."""
    if branch.standing in DONE:
        return 1.0
    if branch.expected is None:
        return None
    return min(branch.counts.read / branch.expected, 1.0) if branch.expected else 0.0


def _with_branch(view: View, event: Event, at: float) -> View:
    path = getattr(event, "path", None)
    if path is None:
        return view
    branch = _changed(branch_of(view, path), event, at)
    view = replace(view, branches={**view.branches, path: branch})
    return _folded(view, path) if branch.standing in DONE else view


def _changed(branch: Branch, event: Event, at: float) -> Branch:  # noqa: PLR0911 - one answer for each event
    match event:
        case CheckpointStarted():
            return _started(branch, event, at)
        case RowsExpected(rows=rows):
            return replace(branch, expected=rows)
        case BatchCommitted(position=position, counts=counts):
            return replace(branch, position=position, counts=counts, pace=_paced(branch, at, counts.read))
        case PositionSaved(position=position):
            return replace(branch, position=position)
        case CheckpointSkipped(counts=counts):
            return replace(branch, standing=Standing.SKIPPED, counts=counts, before=counts.read)
        case RollbackStarted():
            return replace(branch, standing=Standing.ROLLING_BACK)
        case RollbackCompleted():
            return replace(branch, standing=Standing.WAITING, position=None)
        case CheckpointCompleted(counts=counts):
            return replace(branch, standing=Standing.COMPLETE, counts=counts, finished=at)
        case CheckpointFailed(failure=failure):
            standing = Standing.INTERRUPTED if failure.kind == "interrupted" else Standing.FAILED
            return replace(branch, standing=standing, failure=failure, finished=at)
        case _:
            return branch


def _started(branch: Branch, event: CheckpointStarted, at: float) -> Branch:
    first = branch.started is None  # in this run, whose tries count together
    return replace(
        branch,
        standing=Standing.RUNNING,
        attempt=event.attempt,
        recovering=event.recovering,
        again=not first,
        failure=event.failure,
        position=event.position,
        counts=event.counts,
        before=event.counts.read if first else min(branch.before, event.counts.read),  # fewer after a rollback
        started=at if first else branch.started,
        finished=None,
        pace=((at, event.counts.read),),
    )


def _paced(branch: Branch, at: float, read: int) -> tuple[tuple[float, int], ...]:
    """The samples of the latest seconds, at most one for each half of a second."""
    if branch.pace and at - branch.pace[-1][0] < PACE_STEP:
        return branch.pace
    recent = tuple(sample for sample in branch.pace if at - sample[0] <= PACE_SECONDS)
    return (*(recent or branch.pace[-1:]), (at, read))


def _folded(view: View, path: str) -> View:
    """A job of many steps stays drawable, and the view small: once it is large, what is complete is only counted.

    What is below a complete checkpoint goes first, then the oldest complete one beside it.
    """
    parent = parent_of(view, path)
    if parent is None or len(view.branches) <= KEPT_COMPLETE:
        return view
    below = _below(view, path)
    view = _without(view, below, into=path, count=len(below))
    done = [each.path for each in view.branches.values() if _is_done_below(view, each, parent)]
    if len(done) <= KEPT_COMPLETE:
        return view
    return _without(view, [done[0], *_below(view, done[0])], into=parent, count=1)


def _is_done_below(view: View, branch: Branch, parent: str) -> bool:
    """Whether it is complete and directly below ``parent``; the cheap tests come first."""
    if branch.standing not in DONE or not branch.path.startswith(parent):
        return False
    return parent_of(view, branch.path) == parent


def _below(view: View, path: str) -> list[str]:
    return [each for each in view.branches if each.startswith(f"{path}/")]


def _without(view: View, gone: Sequence[str], *, into: str, count: int) -> View:
    """The view without those branches, whose counts ``into`` takes over as those of ``count`` more.

    The counts of passes are of no rows of their own: they go.
    """
    if not gone:
        return view
    kept = dict(view.branches)
    removed = [kept.pop(path) for path in gone]
    above = branch_of(view, into)
    own = (each for each in removed if not is_pass(view, each.path))
    counts = sum((each.counts + each.folded_counts for each in own), above.folded_counts)
    kept[into] = replace(above, folded=above.folded + count, folded_counts=counts)
    return replace(view, branches=kept)
