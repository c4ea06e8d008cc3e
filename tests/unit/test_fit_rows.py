"""Values are made to fit column by column, and rows that do not fit are set apart with the column's name."""

from __future__ import annotations

from typing import Any

from milepost.connectors.sql.fit import Fit, Misfit, fit_rows
from milepost.migration.target import Refused


def whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise Misfit(f"{value!r} is not whole")


NUMBER = Fit("n", frozenset({int}), whole)


def test_rows_that_are_plain_are_handed_on_untouched() -> None:
    rows = [(1, "a"), (None, "b")]
    fitted = fit_rows(rows, [NUMBER, None])
    assert fitted.rows is rows
    assert list(fitted.places) == [0, 1]
    assert fitted.refused == ()


def test_values_are_converted_and_misfits_refused_by_their_place_in_the_batch() -> None:
    fitted = fit_rows([(1, 5), (2.0, 6), (2.5, 7), (None, 1.5), ("x", "y"), (3, 8.0)], [NUMBER, NUMBER])
    assert fitted.rows == [(1, 5), (2, 6), (3, 8)]
    assert list(fitted.places) == [0, 1, 5]
    assert fitted.refused == (
        Refused(index=2, stage="load", reason="column n: 2.5 is not whole"),
        Refused(index=3, stage="load", reason="column n: 1.5 is not whole"),
        Refused(index=4, stage="load", reason="column n: 'x' is not whole"),
    )


def test_no_rows_fit() -> None:
    assert fit_rows([], [NUMBER]).rows == []


def test_a_boolean_is_no_plain_integer() -> None:
    assert fit_rows([(True,)], [NUMBER]).refused[0].reason == "column n: True is not whole"
