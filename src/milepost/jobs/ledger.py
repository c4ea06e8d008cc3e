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
    ``epoch`` and ``at`` are filled in by the store.
    """

    path: str
    seq: int
    low: Any
    high: Any
    counts: Counts
    epoch: int = 0
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RejectedRow:
    """A row that could not be moved, kept to be looked at and tried again.

    ``stage`` is where it failed: "read", "validate", "restructure", "parent", "duplicate" or "load".
    ``key`` and ``content`` are JSON: the source key as a list, the source row as an object. ``seq`` is the batch's.
    """

    path: str
    seq: int
    stage: str
    reason: str
    key: Any
    content: Any
    at: datetime | None = None
