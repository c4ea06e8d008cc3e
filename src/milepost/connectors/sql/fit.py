"""Make values fit their columns before a database sees them, because databases round in silence.

Each target column may have a Fit. Rows are looked at column by column: as long as a column's values have only types
that are plain there, looking costs next to nothing and nothing is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from types import NoneType
from typing import Any

from milepost.migration.source import Row
from milepost.migration.target import Refused


class Misfit(Exception):
    """A column cannot hold a value exactly; the message says why, and what to do."""


@dataclass(frozen=True)
class Fit:
    """How values get into one column.

    Values whose exact type is in ``plain`` go to the driver as they are, and so does None. Every other value goes
    through ``convert``, which returns what the driver gets, or raises Misfit. ``column`` is for messages. Where
    ``all_fit`` is given, it is asked first of a whole column without its None: True spares looking at each value.
    """

    column: str
    plain: frozenset[type]
    convert: Callable[[Any], Any]
    all_fit: Callable[[Sequence[Any]], bool] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", self.plain | {NoneType})


@dataclass(frozen=True)
class Fitted:
    """``rows`` fit; ``places[i]`` is the index in the batch of ``rows[i]``; ``refused`` are the others, in order."""

    rows: Sequence[Row]
    places: Sequence[int]
    refused: tuple[Refused, ...] = ()


def fit_rows(rows: Sequence[Row], fits: Sequence[Fit | None]) -> Fitted:
    """The rows with every value as its column's Fit wants it, and those that do not fit (refused, stage "load").

    ``fits`` stand in the order of a row's values; None leaves a column as it is.
    """
    odd = [place for place, fit in enumerate(fits) if fit and _is_odd(_column(rows, place), fit)]
    if not odd:
        return Fitted(rows, range(len(rows)))
    columns: list[Sequence[Any]] = [_column(rows, place) for place in range(len(fits))]
    reasons: dict[int, str] = {}
    for place in odd:
        columns[place] = _fit_column(columns[place], fits[place], reasons)
    fitted = list(zip(*columns, strict=True))
    if not reasons:
        return Fitted(fitted, range(len(rows)))
    places = [index for index in range(len(rows)) if index not in reasons]
    refused = tuple(Refused(index=index, stage="load", reason=reasons[index]) for index in sorted(reasons))
    return Fitted([fitted[index] for index in places], places, refused)


def without(fitted: Fitted, refused: Sequence[Refused]) -> Fitted:
    """The fitted rows but for those that are refused too, by their index in the batch."""
    if not refused:
        return fitted
    bad = {one.index for one in refused}
    kept = [(place, row) for place, row in zip(fitted.places, fitted.rows, strict=True) if place not in bad]
    return Fitted([row for _, row in kept], [place for place, _ in kept], (*fitted.refused, *refused))


def _column(rows: Sequence[Row], place: int) -> list[Any]:
    return list(map(itemgetter(place), rows))


def _is_odd(values: Sequence[Any], fit: Fit) -> bool:
    if fit.plain.issuperset(map(type, values)):
        return False
    return fit.all_fit is None or not fit.all_fit([value for value in values if value is not None])


def _fit_column(values: Sequence[Any], fit: Fit | None, reasons: dict[int, str]) -> list[Any]:
    """The values converted; a reason is added for each row whose value does not fit (the first reason counts)."""
    if fit is None:
        return list(values)
    plain, convert = fit.plain, fit.convert
    fitted = []
    for index, value in enumerate(values):
        if type(value) in plain:
            fitted.append(value)
            continue
        try:
            fitted.append(convert(value))
        except Misfit as misfit:
            fitted.append(None)
            reasons.setdefault(index, f"column {fit.column}: {misfit}")
    return fitted
