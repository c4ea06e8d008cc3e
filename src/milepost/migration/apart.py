"""How a batch becomes durable where its target does not commit with the store: intent, act, done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from milepost.errors import Fatal
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import INTENT, Intent, Settlement, recorded, settlement
from milepost.migration.keys import decode, encode
from milepost.migration.outside import Outside
from milepost.migration.source import Key
from milepost.migration.way import Done


class Apart:
    """The intent is durable in the store before the target commits, the ledger entry after it.

    The epoch is checked with the intent, while the target's transaction is open: a run that was taken over can write
    no intent, and so commits nothing that its successor does not know of.
    """

    def __init__(self, checkpoint: Checkpoint, outside: Outside) -> None:
        self.checkpoint = checkpoint
        self.outside = outside
        self._intent: Intent | None = None

    def in_doubt(self) -> Intent | None:
        """What an earlier run left in doubt: settled where the target's database can tell, else given back."""
        intent = recorded(self.checkpoint.recall(), self.checkpoint.path)
        if intent is None:
            return None
        with self.outside.transaction(self._may_go_on) as connection:
            outcome = self.outside.settle(connection, intent.token, decode(intent.witness))
        decided = settlement(intent, outcome)
        if decided is Settlement.DONE:
            self.checkpoint.done(intent)
        elif decided is Settlement.DROP:
            self.checkpoint.replace(INTENT, None)
        return intent if decided is Settlement.REPLAY else None

    @contextmanager
    def transaction(self, *, acts: bool = True) -> Iterator[Any]:
        self._intent = None
        with self.outside.transaction(self._may_go_on) if acts else nullcontext() as connection:
            yield connection
        if self._intent is not None:
            self.checkpoint.done(self._intent)

    def record(self, connection: Any, done: Done) -> None:
        if connection is None:  # nothing is done outside, so that nothing can be in doubt
            self._intent = self._intended(done)
            return
        witness = self._witness(connection, done.last)
        token = self.outside.token(connection, witness)
        if token is None and done.again is not None:
            token = done.again.token
        intent = self._intended(done, token=token, witness=None if witness is None else encode(witness))
        self.checkpoint.intend(intent)
        self._intent = intent

    def _intended(self, done: Done, **known: Any) -> Intent:
        return Intent(
            seq=self.checkpoint.batches + 1,
            low=done.low,
            high=done.high,
            counts=done.counts,
            rejects=tuple(done.rejects),
            again=done.again is not None,
            **known,
        )

    def _witness(self, connection: Any, last: Key | None) -> Key | None:
        """The key, as it will be read back, if the row can be found by it; a trigger may have made it another."""
        if last is None:
            return None
        try:
            key = decode(encode(last))
        except Fatal:  # a type that cannot be kept
            return None
        return key if key is not None and self.outside.holds(connection, key) else None

    def _may_go_on(self) -> None:
        check_lease(self.checkpoint)


def end_earlier(checkpoint: Checkpoint, outside: Outside) -> None:
    """See to it that no earlier run can still commit what it began."""
    with outside.transaction(lambda: check_lease(checkpoint)):
        pass


def check_lease(checkpoint: Checkpoint) -> None:
    """Raise LeaseLost where another run has taken over."""
    with checkpoint.transaction():
        pass
