"""What a commit leaves behind: one ledger entry for a batch, and the rows that the batch could not move."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Rows by what became of them: read = loaded + unchanged + filtered + rejected.

    Where a function splits rows, ``loaded`` and ``unchanged`` count target rows.
    """

    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    filtered: int = 0
    rejected: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            read=self.read + other.read,
            loaded=self.loaded + other.loaded,
            unchanged=self.unchanged + other.unchanged,
            filtered=self.filtered + other.filtered,
            rejected=self.rejected + other.rejected,
        )


NO_ROWS = Counts()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One committed batch of a checkpoint: the range ``(low, high]`` and its counts.

    ``seq`` counts from 1 within the path, without gaps. ``low`` is None for the first. Both ends are JSON.
    ``epoch`` and ``at`` are filled in by the store. ``modified`` is the highest value of the source's column that tells
    when a row was changed, as JSON; None where there is no such column, or the values have no order.
    """

    path: str
    seq: int
    low: Any
    high: Any
    counts: Counts
    epoch: int = 0
    at: datetime | None = None
    modified: Any = None


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that could not be moved, kept to be looked at and tried again.

    ``stage`` is where it failed: "read", "validate", "restructure", "parent", "duplicate" or "load".
    ``key`` and ``content`` are JSON: the source key as a list, the source row as an object. ``seq`` is the batch's.
    ``target_key`` is the key that it was to have in the target, a JSON list, where that is known. ``parent`` names the
    parents that were not there: a JSON list of ``[object, [key values]]``; None where that is not the reason.
    """

    path: str
    seq: int
    stage: str
    reason: str
    key: Any
    content: Any
    at: datetime | None = None
    target_key: Any = None
    parent: Any = None
