"""How a batch becomes durable where its target does not commit with the store: intent, act, done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from milepost.errors import Fatal
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import INTENT, WITNESS, Intent, Outcome, Settlement, recorded, settlement
from milepost.migration.fresh import note_fresh
from milepost.migration.keys import decode, encode
from milepost.migration.object import Object
from milepost.migration.outside import Outside
from milepost.migration.restored import store_behind, target_behind
from milepost.migration.source import Key
from milepost.migration.way import Done, keep


class Apart:
    """The intent is durable in the store before the target commits, the ledger entry after it.

    The epoch is checked with the intent, while the target's transaction is open: a run that was taken over can write
    no intent, and so commits nothing that its successor does not know of.
    """

    def __init__(self, checkpoint: Checkpoint, outside: Outside, each: Object, *, accepted: bool = False) -> None:
        self.checkpoint = checkpoint
        self.outside = outside
        self.object = each
        self.accepted = accepted
        self._intent: Intent | None = None

    def recover(self) -> Intent | None:
        values = self.checkpoint.recall()
        intent, witness = recorded(values, self.checkpoint.path), decode(values.get(WITNESS))
        if intent is None and witness is None:
            return None
        with self.outside.transaction(self.confirm) as connection:
            behind = witness is not None and not self.outside.holds(connection, witness)
            outcome = Outcome.UNKNOWN
            if intent is not None:
                outcome = self.outside.settle(connection, intent.token, decode(intent.witness))
        if behind:
            self._refuse(target_behind(self.object, witness, self.checkpoint.batches))
            self.checkpoint.replace(WITNESS, None)
        return None if intent is None else self._settle(intent, outcome)

    def comes_next(self, are_there: Callable[[object], bool], first: Key) -> bool:
        if not self._look(are_there) or self._has_met_doubles():
            return True
        self._refuse(store_behind(self.object, first))
        return False

    def confirm(self) -> None:
        check_lease(self.checkpoint)

    def _has_met_doubles(self) -> bool:
        """Whether rows had a key that was there already: then those to come may be such again, and are refused too."""
        return any(row.stage == "duplicate" for row in self.checkpoint.rejects())

    def _settle(self, intent: Intent, outcome: Outcome) -> Intent | None:
        decided = settlement(intent, outcome)
        if decided is Settlement.DONE:
            self.checkpoint.done(intent)
        elif decided is Settlement.DROP:
            self.checkpoint.replace(INTENT, None)
        return intent if decided is Settlement.REPLAY else None

    def _refuse(self, error: Fatal) -> None:
        """Raise it, unless the user said to go on: then by upsert from here on, as nobody knows what is there."""
        if not self.accepted:
            raise error
        self.checkpoint.tell(f"going on by upsert. {error.message}")
        note_fresh(self.checkpoint, self.object, fresh=False)

    def _look(self, are_there: Callable[[object], bool]) -> bool:
        """What it finds; whatever it writes is taken back."""
        try:
            with self.outside.transaction(self.confirm) as connection:
                raise _Looked(are_there(connection))  # noqa: TRY301  # nothing of it may be committed
        except _Looked as looked:
            return looked.found

    @contextmanager
    def transaction(self, *, acts: bool = True) -> Iterator[Any]:
        self._intent = None
        with self.outside.transaction(self.confirm) if acts else nullcontext() as connection:
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
        if done.mapped or done.links is not None:
            with self.checkpoint.transaction():
                keep(self.checkpoint, done)
                self.checkpoint.intend(intent)
        else:
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
            modified=done.modified,
            keys=done.keys,
            forgotten=done.forgotten,
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


def end_earlier(checkpoint: Checkpoint, outside: Outside) -> None:
    """See to it that no earlier run can still commit what it began."""
    with outside.transaction(lambda: check_lease(checkpoint)):
        pass


def check_lease(checkpoint: Checkpoint) -> None:
    """Raise LeaseLost where another run has taken over."""
    with checkpoint.transaction():
        pass


class _Looked(Exception):
    """Gives up a transaction; never seen outside."""

    def __init__(self, found: bool) -> None:
        self.found = found
