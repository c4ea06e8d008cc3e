"""How a batch's rows and its checkpoint become durable: together, where the store is in the target's database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Intent
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.source import Key


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a batch did, as the ledger is to have it.

    ``last`` is the target key of the last row that went in, None where none did. ``again``: the intent that it replays.
    """

    low: JSON
    high: JSON
    counts: Counts
    rejects: list[RejectedRow]
    last: Key | None = None
    again: Intent | None = None


class Way(Protocol):
    """One object's way from a batch loaded to a batch done."""

    def in_doubt(self) -> Intent | None:
        """The batch that must be loaded again before anything else, because nobody knows whether it is there."""
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

    def in_doubt(self) -> Intent | None:
        return None

    def transaction(self, *, acts: bool = True) -> AbstractContextManager[Any]:
        return self.checkpoint.transaction()

    def record(self, connection: Any, done: Done) -> None:
        self.checkpoint.append(done.low, done.high, done.counts, done.rejects)
