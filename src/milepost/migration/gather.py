"""Chunks into batches: by rows, bytes and seconds, whichever comes first."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from milepost.clock import Clock
from milepost.migration.source import Row

SAMPLE = 16


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """The most that is committed together. ``bytes`` is an estimate of the rows' size in memory."""

    rows: int
    bytes: int = 16 * 1024 * 1024
    seconds: float = 5.0

    @property
    def chunk(self) -> int:
        """How many rows to ask for at a time."""
        return min(self.rows, 1000)


def gather(chunks: Iterable[list[Row]], limits: BatchLimits, clock: Clock) -> Iterator[list[Row]]:
    """Batches of whole chunks, as soon as one limit is reached; never more than ``limits.rows`` rows."""
    batch: list[Row] = []
    size = 0
    began = clock.monotonic()
    for chunk in chunks:
        if batch and len(batch) + len(chunk) > limits.rows:
            yield batch
            batch, size, began = [], 0, clock.monotonic()
        batch += chunk
        size += estimate(chunk)
        if len(batch) >= limits.rows or size >= limits.bytes or clock.monotonic() - began >= limits.seconds:
            yield batch
            batch, size, began = [], 0, clock.monotonic()
    if batch:
        yield batch


def estimate(rows: list[Row]) -> int:
    """Bytes that the rows take in memory, from an even sample of them."""
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    return sum(sys.getsizeof(value) for row in sample for value in row) * len(rows) // len(sample)
