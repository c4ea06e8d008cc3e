"""Whether a value is more than a column holds. Databases say it in tests/acceptance/test_plan_warnings.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from milepost.migration.cut import cut
from milepost.migration.description import Column, Kind


def column(kind: Kind, **settings: Any) -> Column:
    return Column(name="c", kind=kind, native="", database="postgresql", **settings)


SHORT = column(Kind.TEXT, length=3)
MONEY = column(Kind.DECIMAL, precision=5, scale=2)
SMALL = column(Kind.INTEGER, bits=16)
SECONDS = column(Kind.TIMESTAMP, precision=0)
NUMERIC = column(Kind.DYNAMIC, affinity="NUMERIC")


@pytest.mark.parametrize(
    ("place", "value", "why"),
    [
        (SHORT, "four", "it has 4 characters, and 3 fit"),
        (MONEY, Decimal("1.005"), "it has 3 decimal places, and 2 fit"),
        (MONEY, Decimal("1234.5"), "it has 4 digits before the point, and 3 fit"),
        (MONEY, 1000, "it has 4 digits before the point, and 3 fit"),
        (MONEY, 0.125, "it has 3 decimal places, and 2 fit"),
        (SMALL, 40_000, "it is beyond 16 bits"),
        (SMALL, Decimal("1.5"), "it is no whole number"),
        (column(Kind.DATE), datetime(2026, 1, 1, 9, tzinfo=UTC), "it has a time of day"),
        (SECONDS, datetime(2026, 1, 1, 9, 0, 0, 500_000), "its seconds have 1 decimal places, 0 fit"),  # noqa: DTZ001
        (column(Kind.TIME, precision=2), time(9, 0, 0, 1), "its seconds have 6 decimal places, 2 fit"),
        (column(Kind.TIMESTAMP), datetime(2026, 1, 1, tzinfo=UTC), "it has a time zone"),
        (NUMERIC, "007", "NUMERIC would make a number of the text"),
        (NUMERIC, Decimal("1234567890.123456"), "NUMERIC would round it to 15 digits"),
        (column(Kind.TEXT, nullable=False), None, "it may not be NULL"),
    ],
)
def test_what_does_not_fit_is_told(place: Column, value: Any, why: str) -> None:
    assert cut(value, place) == why


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (SHORT, "ear"),
        (SHORT, None),
        (column(Kind.TEXT), "as long as one likes"),
        (MONEY, Decimal("999.99")),
        (MONEY, Decimal("1.500")),  # zeros at the end are no digits
        (MONEY, Decimal("0.000")),
        (MONEY, Decimal("NaN")),  # not cut; what becomes of it is the target's
        (column(Kind.DECIMAL), Decimal("1.23456789")),
        (column(Kind.DECIMAL, precision=2, scale=2), Decimal("0.99")),
        (column(Kind.DECIMAL, precision=3, scale=-2), Decimal(12300)),
        (SMALL, -32_768),
        (SMALL, Decimal("7.00")),
        (SMALL, "text"),
        (column(Kind.DATE), date(2026, 1, 1)),
        (column(Kind.DATE), datetime(2026, 1, 1)),  # noqa: DTZ001
        (SECONDS, datetime(2026, 1, 1, 9)),  # noqa: DTZ001
        (column(Kind.TIMESTAMP_ZONE), datetime(2026, 1, 1, tzinfo=UTC)),
        (NUMERIC, "seven"),
        (NUMERIC, Decimal("1.50")),
        (column(Kind.DYNAMIC, affinity="TEXT"), "007"),
        (column(Kind.JSON), "{}"),
    ],
)
def test_what_fits_is_not_told(place: Column, value: Any) -> None:
    assert cut(value, place) is None
