"""What happened, as plain values. Faces draw them; nothing that decides reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from milepost.jobs.ledger import Counts
from milepost.jobs.state import JSON, Failure


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened in a run."""


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """The lease is held. ``recovering``: the job was started before and did not complete. Pause in seconds."""

    job: str
    epoch: int
    store: str
    recovering: bool
    paused_for: float | None


@dataclass(frozen=True, kw_only=True)
class CheckpointStarted(Event):
    """START is durable. ``position`` and ``counts`` are where it goes on from; ``failure`` ended the last attempt."""

    path: str
    attempt: int
    recovering: bool
    failure: Failure | None
    position: JSON
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class RowsExpected(Event):
    """How many rows the checkpoint will have read when it is complete (None: unknown)."""

    path: str
    rows: int | None


@dataclass(frozen=True, kw_only=True)
class BatchCommitted(Event):
    """A batch is durable. ``counts`` are the path's totals so far."""

    path: str
    seq: int
    position: JSON
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class PositionSaved(Event):
    """A step's position is durable."""

    path: str
    position: JSON


@dataclass(frozen=True, kw_only=True)
class CheckpointSkipped(Event):
    """Complete already; the recorded result was returned."""

    path: str
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class RollbackStarted(Event):
    """The user's rollback begins (or begins again)."""

    path: str


@dataclass(frozen=True, kw_only=True)
class RollbackCompleted(Event):
    """The rollback is done, durably."""

    path: str


@dataclass(frozen=True, kw_only=True)
class CheckpointCompleted(Event):
    """COMPLETE is durable."""

    path: str
    counts: Counts


@dataclass(frozen=True, kw_only=True)
class CheckpointFailed(Event):
    """An attempt ended before it was complete."""

    path: str
    failure: Failure


@dataclass(frozen=True, kw_only=True)
class Told(Event):
    """Something the person who runs the job should know, in one line."""

    message: str
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class AsOf(Event):
    """What was moved is as its source was at ``as_of`` (ISO 8601); None: nobody looked. ``message``: but for what."""

    as_of: str | None
    message: str


@dataclass(frozen=True, kw_only=True)
class RunEnded(Event):
    """The lease is released. ``outcome``: "complete", "failed" or "interrupted"."""

    job: str
    outcome: str
    error: str | None


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An Emit that draws nothing."""
