"""Chunks into batches: by rows, bytes and seconds, whichever comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from milepost.clock import Clock
from milepost.migration.chunks import estimate
from milepost.migration.source import Row


@dataclass(frozen=True, kw_only=True)
class BatchLimits:
    """The most that is committed together. ``bytes`` is an estimate of the rows' size in memory."""

    rows: int
    bytes: int = 16 * 1024 * 1024
    seconds: float = 5.0

    @property
    def chunk(self) -> int:
        """How many rows to ask for at a time, at most."""
        return min(self.rows, 1000)


def gather(chunks: Iterable[list[Row]], limits: BatchLimits, clock: Clock) -> Iterator[list[Row]]:
    """Batches, each as soon as it reaches one limit: exactly ``limits.rows`` rows, or whole chunks."""
    batch: list[Row] = []
    size = 0
    began = clock.monotonic()
    for chunk in chunks:
        size += estimate(chunk)
        batch += chunk
        while len(batch) >= limits.rows:
            yield batch[: limits.rows]
            batch = batch[limits.rows :]
            size, began = estimate(batch), clock.monotonic()
        if batch and (size >= limits.bytes or clock.monotonic() - began >= limits.seconds):
            yield batch
            batch, size, began = [], 0, clock.monotonic()
    if batch:
        yield batch
