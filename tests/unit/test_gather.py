"""Batches end at the first of three limits and lose nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost.migration.gather import BatchLimits, gather
from milepost.migration.source import Row
from milepost.testing.clock import ManualClock


def numbered(sizes: list[int], value: str = "") -> list[list[Row]]:
    number = iter(range(sum(sizes)))
    return [[(next(number), value) for _ in range(size)] for size in sizes]


@given(st.lists(st.integers(1, 10), max_size=30), st.integers(1, 40))
def test_rows_come_in_order_once_and_as_many_as_the_limit_together(sizes: list[int], most: int) -> None:
    chunks = numbered(sizes)
    batches = list(gather(chunks, BatchLimits(rows=most), ManualClock()))
    assert [row for batch in batches for row in batch] == [row for chunk in chunks for row in chunk]
    assert all(0 < len(batch) <= most for batch in batches)
    assert all(len(batch) == most for batch in batches[:-1])


def test_bytes_end_a_batch() -> None:
    batches = gather(numbered([10] * 4, "x" * 1000), BatchLimits(rows=1000, bytes=15_000), ManualClock())
    assert [len(batch) for batch in batches] == [20, 20]


def test_seconds_end_a_batch() -> None:
    clock = ManualClock()

    def slowly():
        for chunk in numbered([5] * 4):
            clock.sleep(3)
            yield chunk

    assert [len(batch) for batch in gather(slowly(), BatchLimits(rows=1000, seconds=5), clock)] == [10, 10]


def test_a_chunk_is_never_more_than_a_batch() -> None:
    assert BatchLimits(rows=7).chunk == 7
