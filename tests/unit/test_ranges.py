"""Ranges: whatever was loaded again, and wherever that was interrupted, they have neither gap nor overlap."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.jobs.ledger import Counts, Entry
from milepost.migration.keys import encode
from milepost.migration.ranges import Ranges, fold, in_all, later
from milepost.migration.source import Extent


def entry(path, seq, low, high, rows=1, modified=None):
    ends = [None if key is None else [key] for key in (low, high)]
    return Entry(
        path=path, seq=seq, low=ends[0], high=ends[1], counts=Counts(read=rows, loaded=rows), modified=modified
    )


@st.composite
def histories(draw):
    """Entries as runs leave them, and a model of them: for each cell of the key space who read it last, and wholly.

    Key k is the end of cell k. A cell's reader is (batch, whether the range that it stood in is known).
    """
    cells, entries = {}, []
    ends = [0]
    for seq, width in enumerate(draw(st.lists(st.integers(1, 6), min_size=1, max_size=6)), start=1):
        low, high = ends[-1], ends[-1] + width
        ends.append(high)
        entries.append(entry("a", seq, low or None, high, rows=width))
        cells |= dict.fromkeys(range(low + 1, high + 1), (("a", seq), True))
    for number in range(1, 1 + draw(st.integers(0, 6))):
        seq = 0
        for _ in range(draw(st.integers(1, 3))):
            which = draw(st.integers(0, len(ends) - 2))
            low, high = ends[which], ends[which + 1]
            cuts = sorted(draw(st.sets(st.integers(low + 1, high - 1), max_size=3))) if high - low > 1 else []
            places = [low, *cuts, high]
            done = draw(st.integers(1, len(places) - 1))  # fewer than all: interrupted
            for one, other in list(pairwise(places))[:done]:
                seq += 1
                entries.append(entry(f"a/recheck-{number}", seq, one or None, other, rows=other - one))
                cells |= dict.fromkeys(range(one + 1, other + 1), ((f"a/recheck-{number}", seq), True))
            cells |= {cell: (cells[cell][0], False) for cell in range(places[done] + 1, high + 1)}
            ends = sorted({*ends, *places[: done + 1]})
    return entries, cells


@given(histories())
def test_whatever_was_loaded_again_the_ranges_cover_every_key_once(history) -> None:
    entries, cells = history
    low, covered = None, []
    for each in fold(entries):
        assert each.low == low
        low = each.high
        within = range((each.low or [0])[0] + 1, each.high[0] + 1)
        covered += within
        readers = {cells[cell] for cell in within}
        assert {known for _, known in readers} == {each.rows is not None}
        if each.rows is not None:
            assert readers == {(each.batches[0], True)}
            assert each.rows == len(within)
            assert len(each.batches) == 1
        assert {batch for batch, _ in readers} <= set(each.batches)
    assert covered == sorted(cells)


@given(histories())
def test_a_batch_counts_as_replaced_once_all_that_it_read_was_read_again(history) -> None:
    entries, cells = history
    readers = {batch for batch, _ in cells.values()}
    ranges = fold(entries)
    gone = {(each.path, each.seq) for each in entries} - readers
    unsure = {batch for each in ranges if each.rows is None for batch in each.batches}
    assert gone - unsure <= set(ranges.replaced) <= gone


def test_an_entry_may_take_the_place_of_several_ranges() -> None:
    ranges = fold([entry("a", 1, None, 5), entry("a", 2, 5, 9), entry("a", 3, 9, 12), entry("a/recheck-1", 1, None, 9)])
    assert [(each.low, each.high) for each in ranges] == [(None, [9]), ([9], [12])]
    assert ranges.replaced == [("a", 1), ("a", 2)]


def test_a_range_that_grew_to_several_batches_is_unknown_until_its_last_one_is_in() -> None:
    before = [entry("a", 1, None, 5, rows=5), entry("a", 2, 5, 9, rows=4)]
    first = entry("a/recheck-1", 1, None, 3, rows=100)
    assert [each.rows for each in fold([*before, first])] == [100, None, 4]
    assert fold([*before, first]).replaced == []
    last = entry("a/recheck-1", 2, 3, 5, rows=100)
    assert [each.rows for each in fold([*before, first, last])] == [100, 100, 4]
    assert fold([*before, first, last]).replaced == [("a", 1)]


def test_rows_beyond_the_end_extend_it() -> None:
    ranges = fold([entry("a", 1, None, 5), entry("a/catch-up-1", 1, 5, 8)])
    assert ranges.end == [8]
    assert len(ranges) == 2


def test_an_entry_that_fits_nowhere_changes_nothing() -> None:
    assert [each.high for each in fold([entry("a", 1, None, 5), entry("a/retry-1", 1, 77, 78)])] == [[5]]


def test_rows_that_went_are_counted_until_as_many_came() -> None:
    before = [entry("a", 1, None, 5, rows=5), entry("a", 2, 5, 9, rows=4)]
    cut = [entry("a/recheck-1", 1, None, 3, rows=1), entry("a/recheck-1", 2, 3, 5, rows=2)]
    assert [fold([*before, *cut[:count]]).fewer for count in range(3)] == [0, 0, 2]
    assert fold([*before, *cut, entry("a/recheck-2", 1, 3, 5, rows=3)]).fewer == 1
    assert fold([*before, *cut, entry("a/recheck-2", 1, 3, 5, rows=9)]).fewer == 0


def test_the_sum_is_unknown_where_one_range_is() -> None:
    known = [entry("a", 1, None, 5, rows=5, modified=[3]), entry("a", 2, 5, 9, rows=4, modified=[7])]
    assert in_all(fold(known)) == Extent(rows=9, modified=[7])
    assert in_all(fold([*known, entry("a/recheck-1", 1, None, 2, rows=2, modified=[3])])).rows is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (None, None, None),
        ([3], None, [3]),
        (None, ["x"], ["x"]),
        ([3], [7], [7]),
        (["b"], ["a"], ["b"]),
        ([3], ["a"], None),
    ],
)
def test_the_later_of_two_values(one, other, expected) -> None:
    assert later(one, other) == expected


def test_the_later_of_two_decimals_is_told_by_their_value() -> None:
    small, large = encode([Decimal("9.5")]), encode([Decimal("10.25")])
    assert later(small, large) == large


@given(histories(), st.integers(0, 30))
def test_what_was_written_down_in_between_and_what_came_since_are_the_same_ranges(history, middle) -> None:
    entries, _ = history
    written = Ranges.of_json(json.loads(json.dumps(fold(entries[:middle]).as_json())))
    for each in entries[middle:]:
        written.add(each)
    whole = fold(entries)
    assert list(written) == list(whole)
    assert set(written.replaced) == set(whole.replaced)
    assert (written.end, written.read_again) == (whole.end, whole.read_again)
