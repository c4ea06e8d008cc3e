"""Find the rows of a batch that a database refuses, without giving up the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from milepost.migration.target import Refused

T = TypeVar("T")


class RowRefused(Exception):
    """The database refused a row: its ``index`` in the batch where the database tells it, otherwise None.

    ``stage`` is "load", or "duplicate" where another row has its key.
    """

    def __init__(self, reason: str, index: int | None = None, *, stage: str = "load") -> None:
        super().__init__(reason)
        self.reason = reason
        self.index = index
        self.stage = stage


def isolate(size: int, attempt: Callable[[int, int], T]) -> tuple[list[T], list[Refused]]:
    """Load the rows 0 to ``size`` by slices, and refuse exactly those that cannot be loaded.

    ``attempt(start, stop)`` loads that slice and gives its result, or leaves no trace of it (a savepoint) and raises
    RowRefused. Slices are attempted from left to right, so that of two rows that exclude each other the later one is
    refused. A refusal narrows the slice, to what precedes the row that it names or to the left half; a success doubles
    it: many bad rows cost in proportion to their number, not to its square. Returns the results of the attempts that
    succeeded, in order, and the refused rows.
    """
    done: list[T] = []
    refused: list[Refused] = []
    named: dict[int, RowRefused] = {}
    start, width = 0, size
    while start < size:
        if start in named:
            refused.append(Refused(index=start, stage=named[start].stage, reason=named[start].reason))
            start += 1
            continue
        stop = min(start + width, size)
        try:
            done.append(attempt(start, stop))
        except RowRefused as refusal:
            bad = _named(refusal, start, stop)
            if bad is not None:
                named[bad] = refusal
            width = max(1, (stop - start) // 2 if bad is None else bad - start)
        else:
            start, width = stop, width * 2
    return done, refused


def _named(refusal: RowRefused, start: int, stop: int) -> int | None:
    """The row that is refused; None where only the slice is known."""
    if refusal.index is not None and start <= refusal.index < stop:
        return refusal.index
    return start if stop - start == 1 else None
