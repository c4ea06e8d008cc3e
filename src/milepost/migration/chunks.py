"""How many rows to take from a source at a time: many small ones, few large ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from milepost.migration.source import Row

SAMPLE = 16
FIRST_ROWS = 16
CHUNK_BYTES = 2 * 1024 * 1024


class ChunkSize:
    """How many ``rows`` the next chunk may have: few at first, then twice as many each time, up to ``most``.

    Rows as large as the last ones must stay below ``CHUNK_BYTES`` together; larger ones make the next chunk smaller at
    once. So only a chunk in which rows suddenly grow is larger than that.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows = min(FIRST_ROWS, most)

    def learn(self, chunk: list[Row]) -> None:
        """Look at how large the rows are that came."""
        fitting = CHUNK_BYTES * len(chunk) // max(1, estimate(chunk))
        self.rows = max(1, min(self.most, 2 * self.rows, fitting))


def in_chunks(fetch: Callable[[int], list[Row]], most: int) -> Iterator[list[Row]]:
    """All rows that ``fetch(rows)`` gives, until it gives none."""
    size = ChunkSize(most)
    while chunk := fetch(size.rows):
        yield chunk
        size.learn(chunk)


def estimate(rows: list[Row]) -> int:
    """Bytes that the rows take in memory, from an even sample of them."""
    if not rows:
        return 0
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    return sum(_size(value) for row in sample for value in row) * len(rows) // len(sample)


def _size(value: Any) -> int:
    """Bytes that a value takes, with what it holds."""
    size = sys.getsizeof(value)
    if value.__class__ is list:
        return size + sum(map(_size, value))
    if value.__class__ is dict:
        return size + sum(_size(name) + _size(each) for name, each in value.items())
    return size
