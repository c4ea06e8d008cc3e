"""What is about to be done outside the store, written down before it is done, so that what is in doubt is known.

intent → act → done: the intent is durable before the act, and gone in the transaction that puts the batch into the
ledger. After a crash at most one batch of a checkpoint is in doubt, and it is known which.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import Enum
from typing import Any

from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import JSON

REJECT = tuple(each.name for each in fields(RejectedRow) if each.name not in {"path", "seq", "at"})
INTENT = "intent"  # the names under which a checkpoint remembers them
WITNESS = "witness"


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """Rejects of ``path`` and below that are out of date: of these source keys, and of these batches (path, seq)."""

    path: str
    keys: tuple[JSON, ...] = ()
    batches: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> JSON:
        return {"path": self.path, "keys": list(self.keys), "batches": [list(batch) for batch in self.batches]}


@dataclass(frozen=True, kw_only=True)
class Intent:
    """The batch ``(low, high]``, on its way to a place that does not commit with the store.

    ``counts`` and ``rejects`` are what the ledger is to hold once it is done. ``token`` is by what can be told later
    whether it came through (None: by nothing). ``witness`` is the key of the last of its rows in the target, None where
    there is none to be found again. ``again``: it was in doubt before, so that an earlier act may have come through
    whatever became of this one. ``modified`` is the ledger entry's. ``keys`` are those of the rows where they are no
    range. ``forgotten`` are the rejects that go once it is done.
    """

    seq: int
    low: JSON
    high: JSON
    counts: Counts
    rejects: tuple[RejectedRow, ...] = ()
    token: JSON = None
    witness: JSON = None
    again: bool = False
    modified: JSON = None
    keys: JSON = None
    forgotten: Forgotten | None = None

    def as_json(self) -> JSON:
        rejects = [{name: getattr(one, name) for name in REJECT} for one in self.rejects]
        forgotten = None if self.forgotten is None else self.forgotten.as_json()
        return {**asdict(self), "rejects": rejects, "forgotten": forgotten}


def recorded(values: dict[str, JSON], path: str) -> Intent | None:
    """The intent among a checkpoint's remembered values; None where nothing is in doubt."""
    found: dict[str, Any] | None = values.get(INTENT)
    if found is None:
        return None
    rejects = tuple(RejectedRow(path=path, seq=found["seq"], **one) for one in found["rejects"])
    forgotten = found.get("forgotten")
    if forgotten is not None:
        batches = tuple((path, seq) for path, seq in forgotten["batches"])
        forgotten = Forgotten(path=forgotten["path"], keys=tuple(forgotten["keys"]), batches=batches)
    return Intent(**{**found, "counts": Counts(**found["counts"]), "rejects": rejects, "forgotten": forgotten})


class Outcome(Enum):
    """What is known of an act whose end was not seen."""

    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


class Settlement(Enum):
    """What to do about an intent that has no done."""

    DONE = "done"  # it came through: only the ledger lacks it
    DROP = "drop"  # nothing of it is there: as if it had never been
    REPLAY = "replay"  # do the very same again, in a way that changes nothing where it had come through


def settlement(intent: Intent, outcome: Outcome) -> Settlement:
    """Of a replay it does not help to know that it was undone: the act before it may have come through."""
    if outcome is Outcome.COMMITTED:
        return Settlement.DONE
    if outcome is Outcome.ABORTED and not intent.again:
        return Settlement.DROP
    return Settlement.REPLAY
