"""Bad rows are found one by one, in order, at a cost in proportion to their number."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.connectors.sql.isolate import RowRefused, isolate


class Table:
    """A database that holds what was loaded, refuses bad rows and counts the rows it was sent."""

    def __init__(self, bad: set[int], *, names_them: bool) -> None:
        self.bad = bad
        self.names_them = names_them
        self.rows: list[int] = []
        self.sent = 0
        self.attempts = 0

    def attempt(self, start: int, stop: int) -> range:
        self.attempts += 1
        self.sent += stop - start
        worst = next((row for row in range(start, stop) if row in self.bad), None)
        if worst is not None:
            raise RowRefused(f"row {worst}", worst if self.names_them else None)
        self.rows.extend(range(start, stop))
        return range(start, stop)


@given(st.integers(0, 60).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, 70)))), st.booleans())
def test_exactly_the_bad_rows_are_refused_and_all_others_loaded_once_in_order(case, names_them: bool) -> None:
    size, bad = case
    table = Table(bad, names_them=names_them)
    done, refused = isolate(size, table.attempt)
    assert table.rows == [row for row in range(size) if row not in bad]
    assert [one.index for one in refused] == [row for row in range(size) if row in bad]
    assert all(one.reason == f"row {one.index}" for one in refused)
    assert [row for each in done for row in each] == table.rows


def test_a_clean_batch_is_loaded_by_one_attempt() -> None:
    table = Table(set(), names_them=True)
    isolate(25_000, table.attempt)
    assert table.attempts == 1


@pytest.mark.parametrize(("names_it", "most"), [(True, 16), (False, 57)])
def test_one_bad_row_costs_no_more_than_this_wherever_it_stands(names_it: bool, most: int) -> None:
    """Found, and then the slices grow again from one row: 15 doublings to 25,000 rows, and the halves before."""

    def attempts(bad: int) -> int:
        made = 0

        def attempt(start: int, stop: int) -> None:
            nonlocal made
            made += 1
            if start <= bad < stop:
                raise RowRefused("bad", bad if names_it else None)

        isolate(25_000, attempt)
        return made

    assert max(map(attempts, range(25_000))) == most


@pytest.mark.parametrize("names_them", [True, False])
@pytest.mark.parametrize("bad", [25_000, 12_500, 250])
def test_many_bad_rows_do_not_cost_their_square(bad: int, names_them: bool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    size = 25_000
    table = Table(set(random.Random(seed).sample(range(size), bad)), names_them=names_them)
    _, refused = isolate(size, table.attempt)
    assert len(refused) == bad
    # For a bad row: log2(size) halves that fail, as many that succeed, and as many to grow again.
    assert table.attempts <= 2 + bad * (4 if names_them else 3 * 15)
    assert table.sent <= size * 2 + size * 15 * 2


def test_a_name_outside_the_slice_is_not_believed() -> None:
    def attempt(start: int, stop: int) -> None:
        if start <= 3 < stop:
            raise RowRefused("row 3", 99)

    assert [one.index for one in isolate(10, attempt)[1]] == [3]


def test_of_two_rows_that_exclude_each_other_the_later_is_refused() -> None:
    rows = [1, 2, 3, 2, 5, 1]
    held: list[int] = []

    def attempt(start: int, stop: int) -> None:
        batch = rows[start:stop]
        if len(set(held + batch)) < len(held) + len(batch):
            raise RowRefused("twice", stage="duplicate")
        held.extend(batch)

    assert [(one.index, one.stage) for one in isolate(len(rows), attempt)[1]] == [(3, "duplicate"), (5, "duplicate")]


def test_a_fault_that_is_no_rows_is_passed_on() -> None:
    def attempt(_: int, __: int) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        isolate(3, attempt)
