"""The user's own reader as a source: called with the last key, its rows looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from milepost.errors import Fatal
from milepost.migration.gather import BatchLimits, gather
from milepost.migration.rows import RowsSource
from milepost.migration.source import Extent
from milepost.migration.table import Rows
from milepost.testing import ManualClock


def a_source(rows: list[Any], key: Any = "id") -> RowsSource:
    return RowsSource(Rows(lambda after: iter(rows), key=key))


def read(source: RowsSource, after: Any = None, chunk: int = 2) -> list[list[Any]]:
    return list(source.read(after, None, chunk))


def test_rows_come_in_chunks_with_the_columns_of_the_first() -> None:
    source = a_source([{"id": n, "name": "x"} for n in range(3)])
    assert read(source) == [[(0, "x"), (1, "x")], [(2, "x")]]
    assert source.columns == ("id", "name")


def test_the_order_of_a_dict_does_not_matter() -> None:
    assert read(a_source([{"id": 1, "n": 2}, {"n": 4, "id": 3}])) == [[(1, 2), (3, 4)]]


@pytest.mark.parametrize(
    ("key", "after", "given"), [("id", (5,), 5), (("id", "n"), (5, 6), (5, 6)), ("id", None, None)]
)
def test_the_reader_is_given_a_value_for_a_single_key_and_a_tuple_for_a_composite(
    key: Any, after: Any, given: Any
) -> None:
    seen = []

    def reader(after: Any) -> Iterator[dict[str, Any]]:
        seen.append(after)
        return iter([])

    assert read(RowsSource(Rows(reader, key=key)), after) == []
    assert seen == [given]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([(1, 2)], "which is no dict"),
        ([{"n": 1}], "without id, which is its key"),
        ([{"id": None}], "holds None"),
        ([{"id": 1}, {"id": 1}], r"gave the key \(1,\) twice"),
        ([{"id": 5}, {"id": 2}], "comes before it"),
        ([{"id": date(2026, 5, 1)}, {"id": date(2026, 4, 30)}], "comes before it"),
        ([{"id": 1}, {"id": 2, "n": 1}], "where the rows before it have id"),
        ([{"id": 1}, 7], "gave 7"),
    ],
)
def test_what_cannot_be_moved_is_named(rows: list[Any], said: str) -> None:
    with pytest.raises(Fatal, match=said):
        read(a_source(rows))


def test_a_reader_that_gives_the_last_committed_row_again_is_caught() -> None:
    with pytest.raises(Fatal, match="twice"):
        read(a_source([{"id": 1}, {"id": 2}]), after=(1,))


def slowly(clock: ManualClock, seconds: float, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        clock.advance(seconds)
        yield {"id": number}


@pytest.mark.parametrize(
    ("seconds", "sizes"), [(1, [1] * 40), (0.25, [2] * 20), (0.001, [16, 24]), (0, [16, 24])], ids=str
)
def test_rows_that_are_slow_to_come_are_handed_on_soon(seconds: float, sizes: list[int]) -> None:
    clock = ManualClock()
    source = RowsSource(Rows(lambda after: slowly(clock, seconds, 40), key="id"), clock)
    assert [len(rows) for rows in source.read(None, None, 1000)] == sizes


def test_a_batch_of_slow_rows_ends_after_its_seconds() -> None:
    clock = ManualClock()
    source = RowsSource(Rows(lambda after: slowly(clock, 1, 23), key="id"), clock)
    limits = BatchLimits(rows=25_000, seconds=5)
    assert [len(batch) for batch in gather(source.read(None, None, limits.chunk), limits, clock)] == [5, 5, 5, 5, 3]


def test_quick_rows_come_by_the_thousand() -> None:
    assert [len(rows) for rows in read(a_source([{"id": n} for n in range(3000)]), chunk=1000)][-2:] == [1000, 992]


def test_large_rows_come_few_at_a_time() -> None:
    rows = [{"id": n, "v": "x" * 2**20} for n in range(20)]
    assert [len(some) for some in read(a_source(rows), chunk=1000)] == [16, 1, 1, 1, 1]


def test_text_may_come_in_the_order_of_its_source() -> None:
    assert read(a_source([{"id": "b"}, {"id": "A"}]), chunk=2)
    later = a_source([{"a": 1, "b": "z"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}], key=("a", "b"))
    assert sum(map(len, read(later))) == 3


@pytest.mark.parametrize(
    ("ids", "upto", "expected"),
    [
        ([1, 2, 3, 4], 3, [1, 2, 3]),
        ([1, 2, 4, 5], 3, [1, 2]),  # it is gone, and 4 surely comes behind it
        (["b", "A", "c"], "A", ["b", "A"]),
        (["b", "c"], "A", ["b", "c"]),  # it is gone, and only the reader knows whether c comes behind it
    ],
)
def test_a_range_is_read_up_to_its_last_key_and_no_further(ids, upto, expected) -> None:
    chunks = a_source([{"id": each} for each in ids]).read(None, (upto,), 2)
    assert [row[0] for chunk in chunks for row in chunk] == expected


def test_rows_are_found_by_reading_no_further_than_the_last_key() -> None:
    read: list[int] = []

    def reader(after: Any) -> Iterator[dict[str, Any]]:
        for number in range(100):
            read.append(number)
            yield {"id": number, "name": f"n{number}"}

    source = RowsSource(Rows(reader, key="id"))
    assert source.find([]) == []
    assert read == []
    assert source.find([(7,), (3,)]) == [(3, "n3"), (7, "n7")]
    assert max(read) <= 8
    assert source.find([(7,), (-1,), (1000,)]) == [(7, "n7")]


def test_rows_with_keys_of_text_or_lists_are_found_too() -> None:
    rows = [{"id": "b", "n": [1]}, {"id": "a", "n": [2]}]
    assert a_source(rows).find([("a",), ("z",)]) == [("a", [2])]
    assert a_source(rows, ("n", "id")).find([([2], "a")]) == [("a", [2])]


def test_of_rows_nobody_knows_how_many_a_range_holds() -> None:
    assert a_source([{"id": 1}]).extent(None, None) == Extent(rows=None, modified=None)
