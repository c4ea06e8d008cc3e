"""Which rows to look at where not all are looked at: the first ones of every range of the ledger, or of some. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from milepost.jobs.state import JSON
from milepost.migration.ranges import Range

MOST_RANGES = 200  # of which a few rows each are read: every range is a query


@dataclass(frozen=True, kw_only=True)
class Span:
    """The first ``rows`` rows of ``(low, high]``; None: all of them."""

    low: JSON
    high: JSON
    rows: int | None = None


def sampled(ranges: Sequence[Range], share: float, seed: int) -> list[Span]:
    """About that share of the rows of all ranges, at least one row of each range that is looked at, in order.

    Where there are many ranges some are drawn by ``seed``, and more of each is looked at.
    """
    known = [each for each in ranges if each.rows is None or each.rows > 0]
    drawn = min(len(known), max(MOST_RANGES, ceil(Fraction(share) * len(known))))
    chosen = sorted(random.Random(seed).sample(range(len(known)), drawn))  # noqa: S311 - guards nothing
    part = min(1.0, share * len(known) / drawn) if drawn else 0.0
    return [_part_of(known[place], part) for place in chosen]


def _part_of(each: Range, part: float) -> Span:
    return Span(low=each.low, high=each.high, rows=None if each.rows is None else max(1, ceil(each.rows * part)))
