"""How a batch's rows and its checkpoint become durable: together, where the store is in the target's database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from milepost.jobs.bound_store import Batch
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Forgotten, Intent
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.keys import former
from milepost.migration.source import Key


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a batch did, as the ledger is to have it.

    ``last`` is the target key of the last row that went in, None where none did. ``again``: the intent that it replays.
    ``modified`` is the ledger entry's. ``keys`` are those of the rows where they are no range. ``old``: the rows may
    have gone before, to other keys. ``forgotten`` are rejects that go. ``mapped`` are keys for the map of ``object``,
    ``links`` what is to be set later (None: nothing ever is).
    """

    object: str
    low: JSON
    high: JSON
    counts: Counts
    rejects: list[RejectedRow]
    last: Key | None = None
    again: Intent | None = None
    modified: JSON = None
    keys: JSON = None
    old: bool = False
    forgotten: Forgotten | None = None
    mapped: Sequence[tuple[str, JSON]] = ()
    links: Sequence[JSON] | None = None


class Way(Protocol):
    """One object's way from a batch loaded to a batch done."""

    def recover(self) -> Intent | None:
        """Before anything else of the object: see that target and checkpoint fit, and settle what is in doubt.

        Returns the batch that must be loaded again, because nobody knows whether it is there. Raises Fatal where the
        target was put back to an earlier state.
        """
        ...

    def comes_next(self, are_there: Callable[[object], bool], first: Key) -> bool:
        """Whether the rows that come next are not in the target yet; False: go on by upsert.

        Asked once a run, of a table that held this object's rows only. ``are_there`` looks, on a connection, by an
        upsert that is taken back; ``first`` is the target key of the first of them. Raises Fatal where they are: the
        store was put back to an earlier state.
        """
        ...

    def confirm(self) -> None:
        """Raise LeaseLost where another run has taken over: rows that it loaded must not be taken for a mistake."""
        ...

    def transaction(self, *, acts: bool = True) -> AbstractContextManager[Any]:
        """A transaction of the target's database; its end makes durable what was recorded inside.

        ``acts`` False: nothing will be written to the target in it.
        """
        ...

    def record(self, connection: Any, done: Done) -> None:
        """Say, inside the transaction and after the rows are in, what is done when it is committed."""
        ...


class Together:
    """Rows and checkpoint commit in one transaction: nothing is ever in doubt."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint

    def recover(self) -> Intent | None:
        return None

    def comes_next(self, are_there: Callable[[object], bool], first: Key) -> bool:
        return True

    def confirm(self) -> None:
        """The open transaction holds the epoch."""

    def transaction(self, *, acts: bool = True) -> AbstractContextManager[Any]:
        return self.checkpoint.transaction()

    def record(self, connection: Any, done: Done) -> None:
        if done.forgotten is not None:
            self.checkpoint.store.forget_rejects(done.forgotten)
        keep(self.checkpoint, done)
        self.checkpoint.append(done.low, done.high, done.counts, done.rejects, modified=done.modified)


def keep(checkpoint: Checkpoint, done: Done) -> None:
    """Write what is kept of a batch besides its ledger entry, in the open transaction, before the entry."""
    seq = checkpoint.batches + 1
    if done.mapped:
        if done.old:
            checkpoint.store.map_keys(done.object, left_behind(done.object), _left_behind(checkpoint, done))
        checkpoint.store.map_keys(done.object, (checkpoint.path, seq), done.mapped)
    if done.links or (done.links is not None and done.again is not None):
        checkpoint.store.keep_links(checkpoint.path, seq, done.links)


def left_behind(name: str) -> Batch:
    """The batch to which the key map gives the rows that an object's source rows came to before they came to others."""
    return name, 0


def rewound(name: str) -> Batch:
    """The batch to which the key map gives the rows of an object's batches that were forgotten by a rewind."""
    return name, -1


def _left_behind(checkpoint: Checkpoint, done: Done) -> list[tuple[str, JSON]]:
    before = checkpoint.store.mapped(done.object, [text for text, _ in done.mapped])
    others = ((text, before.get(text), target) for text, target in done.mapped)
    moved = ((text, old) for text, old, new in others if old is not None and new is not None and old != new)
    return [(former(text, old), old) for text, old in moved]
