"""Rows are taken many at a time where they are small, and few where they are large."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from milepost.migration.chunks import CHUNK_BYTES, FIRST_ROWS, estimate, in_chunks
from milepost.migration.gather import BatchLimits, gather
from milepost.migration.source import Row
from milepost.testing.clock import ManualClock

MEGABYTE = 1024 * 1024


def fetching(rows: list[Row]) -> Callable[[int], list[Row]]:
    left = iter(rows)
    return lambda most: list(islice(left, most))


def lengths(rows: list[Row], most: int) -> list[int]:
    return [len(chunk) for chunk in in_chunks(fetching(rows), most)]


def test_small_rows_soon_come_by_the_thousand() -> None:
    found = lengths([(number, "name") for number in range(5000)], 1000)
    assert found[:8] == [16, 32, 64, 128, 256, 512, 1000, 1000]
    assert sum(found) == 5000


def test_never_more_come_than_were_asked_for() -> None:
    assert lengths([(1,)] * 8, 3) == [3, 3, 2]


def test_large_rows_come_one_or_two_at_a_time_from_the_second_chunk_on() -> None:
    large = "x" * MEGABYTE  # one object: the test itself takes one megabyte
    assert lengths([(number, large) for number in range(20)], 1000) == [FIRST_ROWS, 1, 1, 1, 1]


def test_rows_that_grow_make_the_next_chunk_small_and_those_that_shrink_let_it_grow() -> None:
    small, large = (1, ""), (1, "x" * MEGABYTE)
    found = lengths([small] * 48 + [large] * 66 + [small] * 15, 1000)
    assert found == [16, 32, 64, 1, 1, 1, 2, 4, 8]


def test_no_batch_of_large_rows_is_more_than_its_limit_and_a_chunk() -> None:
    rows = [(number, "x" * MEGABYTE) for number in range(100)]
    limits = BatchLimits(rows=25_000)
    batches = list(gather(in_chunks(fetching(rows), limits.chunk), limits, ManualClock()))
    assert [row for batch in batches for row in batch] == rows
    assert all(len(batch) * MEGABYTE <= limits.bytes + CHUNK_BYTES for batch in batches)


def test_the_estimate_is_near_the_size_of_what_is_held() -> None:
    assert 100_000 < estimate([(number, "x" * 1000) for number in range(100)]) < 120_000


def test_the_estimate_looks_into_lists_and_dicts() -> None:
    assert estimate([([["x" * 500], "x" * 500],)]) > 1000
    assert estimate([({"x" * 500: "x" * 500},)]) > 1000


def test_no_rows_take_nothing() -> None:
    assert estimate([]) == 0
