"""A sample looks into every range, or into some that a seed draws, and at about as many rows as it was asked for."""

import random
from fractions import Fraction

import pytest

from milepost.migration.ranges import Range
from milepost.migration.sample import MOST_RANGES, Span, sampled


def ranges(number: int, rows: int) -> list[Range]:
    return [Range(low=[place] if place else None, high=[place + 1], rows=rows) for place in range(number)]


def test_of_few_ranges_the_first_rows_of_each_are_looked_at() -> None:
    assert sampled(ranges(3, 1000), 0.01, seed=1) == [
        Span(low=None, high=[1], rows=10),
        Span(low=[1], high=[2], rows=10),
        Span(low=[2], high=[3], rows=10),
    ]


def test_at_least_one_row_of_a_range_is_looked_at_and_none_of_an_empty_one() -> None:
    (span,) = sampled([Range(low=None, high=[1], rows=0), Range(low=[1], high=[2], rows=3)], 0.0001, seed=1)

    assert span == Span(low=[1], high=[2], rows=1)


def test_a_range_of_unknown_size_is_looked_at_whole() -> None:
    assert sampled([Range(low=None, high=[9], rows=None)], 0.01, seed=1) == [Span(low=None, high=[9], rows=None)]


def test_of_many_ranges_the_same_seed_draws_the_same_and_another_one_others() -> None:
    many = ranges(5000, 100)

    drawn = sampled(many, 0.01, seed=7)

    assert len(drawn) == MOST_RANGES
    assert drawn == sampled(many, 0.01, seed=7)
    assert drawn != sampled(many, 0.01, seed=8)
    assert [one.high for one in drawn] == sorted(one.high for one in drawn)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.1, 0.5, 1.0])
def test_a_sample_is_about_as_large_as_it_was_asked_for(share: float) -> None:
    seed = random.randrange(2**31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    many = [Range(low=[place], high=[place + 1], rows=1000) for place in range(draw.randrange(1, 3000))]

    drawn = sampled(many, share, seed)

    wanted = float(Fraction(share) * 1000 * len(many))
    assert wanted <= sum(one.rows or 0 for one in drawn) <= wanted + len(drawn)
    assert len({str(one.low) for one in drawn}) == len(drawn)


def test_nothing_is_drawn_where_there_is_nothing() -> None:
    assert sampled([], 0.5, seed=1) == []
