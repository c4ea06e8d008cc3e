"""What PostgreSQL would round, cut or reinterpret in silence is refused before it sees it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

pytest.importorskip("psycopg")

from milepost.connectors.sql.fit import Misfit
from milepost.connectors.sql.postgres.values import fit_for
from milepost.migration.description import Column, Kind

NOON = datetime(2024, 2, 29, 12, 0, 0, 123456)  # noqa: DTZ001 - a time without a zone is what is tried
TYPES: dict[str, dict[str, Any]] = {
    "integer": {"kind": Kind.INTEGER, "bits": 32},
    "numeric": {"kind": Kind.DECIMAL},
    "numeric(10,2)": {"kind": Kind.DECIMAL, "precision": 10, "scale": 2},
    "numeric(5,-2)": {"kind": Kind.DECIMAL, "precision": 5, "scale": -2},
    "real": {"kind": Kind.FLOAT, "bits": 32},
    "double precision": {"kind": Kind.FLOAT, "bits": 64},
    "text": {"kind": Kind.TEXT},
    "varchar(3)": {"kind": Kind.TEXT, "length": 3},
    "bytea": {"kind": Kind.BYTES},
    "boolean": {"kind": Kind.BOOLEAN},
    "date": {"kind": Kind.DATE},
    "time": {"kind": Kind.TIME, "precision": 6},
    "timestamp": {"kind": Kind.TIMESTAMP, "precision": 6},
    "timestamp(3)": {"kind": Kind.TIMESTAMP, "precision": 3},
    "timestamptz": {"kind": Kind.TIMESTAMP_ZONE, "precision": 6},
    "interval": {"kind": Kind.INTERVAL, "precision": 6},
    "interval(0)": {"kind": Kind.INTERVAL, "precision": 0},
    "uuid": {"kind": Kind.UUID},
    "json": {"kind": Kind.JSON},
    "integer[]": {"kind": Kind.ARRAY, "of": Kind.INTEGER, "bits": 32},
    "text[]": {"kind": Kind.ARRAY, "of": Kind.TEXT},
    "numeric(10,2)[]": {"kind": Kind.ARRAY, "of": Kind.DECIMAL, "precision": 10, "scale": 2},
    "bytea[]": {"kind": Kind.ARRAY, "of": Kind.BYTES},
    "money": {"kind": Kind.OTHER},
    "inet": {"kind": Kind.OTHER},
    "name": {"kind": Kind.OTHER},
    "time with time zone": {"kind": Kind.OTHER, "precision": 6},
}


def fitted(native: str, value: Any) -> Any:
    fit = fit_for(Column(name="c", native=native, database="postgresql", **TYPES[native]))
    return value if type(value) in fit.plain else fit.convert(value)


@pytest.mark.parametrize(
    ("native", "value", "stored"),
    [
        ("integer", 5, 5),
        ("integer", 5.0, 5),
        ("integer", Decimal("5.00"), 5),
        ("integer", True, 1),
        ("integer", "12", 12),
        ("numeric", 0.1, Decimal("0.1")),
        ("numeric", "1.10", Decimal("1.10")),
        ("numeric", "NaN", Decimal("NaN")),
        ("numeric", Decimal("1E-40"), Decimal("1E-40")),
        ("numeric(10,2)", Decimal("1.1"), Decimal("1.1")),
        ("numeric(10,2)", Decimal("1.1000"), Decimal("1.10")),
        ("numeric(10,2)", Decimal("1E+3"), Decimal("1E+3")),
        ("numeric(10,2)", 1.25, Decimal("1.25")),
        ("numeric(5,-2)", Decimal(1200), Decimal("1.2E+3")),
        ("real", 0.1, 0.1),
        ("real", 3.4028235e38, 3.4028235e38),
        ("real", 16777217.0 - 1, 16777216.0),
        ("real", float("inf"), float("inf")),
        ("double precision", 2**53, 2.0**53),
        ("double precision", Decimal("0.1"), 0.1),
        ("double precision", "1e-07", 1e-07),
        ("double precision", "Infinity", float("inf")),
        ("double precision", "5", 5.0),
        ("double precision", "-0.0", -0.0),
        ("double precision", "1e+300", 1e300),
        ("text", 5, "5"),
        ("text", Decimal("1E-10"), "0.0000000001"),
        ("text", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("varchar(3)", "a  ", "a  "),
        ("bytea", bytearray(b"\0a"), b"\0a"),
        ("boolean", 1, True),
        ("boolean", "f", "f"),
        ("date", datetime(2024, 2, 29), date(2024, 2, 29)),  # noqa: DTZ001
        ("date", "-infinity", "-infinity"),
        ("date", "0044-03-15 BC", "0044-03-15 BC"),
        ("time", time(12), time(12)),
        ("time", "24:00:00", "24:00:00"),
        ("timestamp", NOON, NOON),
        ("timestamp", date(2024, 2, 29), date(2024, 2, 29)),
        ("timestamp", "0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"),
        ("timestamp", "infinity", "infinity"),
        ("timestamp(3)", NOON.replace(microsecond=123000), NOON.replace(microsecond=123000)),
        ("timestamptz", NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=UTC)),
        ("timestamptz", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
        ("timestamptz", "10000-01-01 00:00:00+00", "10000-01-01 00:00:00+00"),
        ("timestamptz", "0044-03-15 12:00:00+05:30 BC", "0044-03-15 12:00:00+05:30 BC"),
        ("interval", "1 mon", "1 mon"),
        ("interval", timedelta(days=-1, microseconds=1), "-1 days 0.000001 seconds"),
        ("json", {"a": [1, None]}, '{"a": [1, null]}'),
        ("json", '{"a": 1.10}', '{"a": 1.10}'),
        ("integer[]", [1, None, [2]], '{"1",NULL,{"2"}}'),
        ("text[]", ["NULL", 'a"b\\', ""], '{"NULL","a\\"b\\\\",""}'),
        ("bytea[]", [b"\0"], '{"\\\\x00"}'),
        ("numeric(10,2)[]", [Decimal("1.10")], '{"1.10"}'),
        ("money", "$1.00", "$1.00"),
        ("time with time zone", "24:00:00-15:59", "24:00:00-15:59"),
    ],
)
def test_what_fits_is_stored_as_the_same_value(native: str, value: Any, stored: Any) -> None:
    found = fitted(native, value)
    assert (type(found), str(found)) == (type(stored), str(stored))


@pytest.mark.parametrize(
    ("native", "value", "why"),
    [
        ("integer", 5.5, "whole"),
        ("integer", float("nan"), "whole"),
        ("integer", "007", "make it a number"),
        ("integer", "5.5", "whole"),
        ("integer", "5.0", "whole"),
        ("integer", "NaN", "whole"),
        ("double precision", "1.10", "make it a number"),
        ("integer", b"5", "whole"),
        ("numeric", "1,5", "not a number"),
        ("numeric", b"1", "not a number"),
        ("numeric", Decimal("sNaN"), "no number"),
        ("numeric", Decimal("1E-16384"), "fractional digits"),
        ("numeric(10,2)", Decimal("1.005"), "more than the 2 fractional digits of numeric"),
        ("numeric(10,2)", 1.005, "fractional digits"),
        ("numeric(10,2)", "1.005", "fractional digits"),
        ("numeric(5,-2)", Decimal(1250), "fractional digits"),
        ("real", 0.1 + 0.2, "exactly"),
        ("real", 1e300, "exactly"),
        ("real", 16777217, "exactly"),
        ("double precision", 2**53 + 1, "exactly"),
        ("double precision", 10**400, "range"),
        ("double precision", Decimal("0.12345678901234567890"), "exactly"),
        ("text", b"a", "no text"),
        ("text", True, "no text"),
        ("text", ["a"], "no text"),
        ("varchar(3)", "abc ", "4 characters"),
        ("bytea", "a", "not bytes"),
        ("boolean", 2, "neither"),
        ("date", NOON, "time of day"),
        ("date", "2024-02-29 12:00", "YYYY-MM-DD"),
        ("date", "29.02.2024", "YYYY-MM-DD"),
        ("time", time(12, tzinfo=UTC), "has a time zone"),
        ("timestamp", NOON.replace(tzinfo=UTC), "has a time zone"),
        ("timestamp", "2024-02-29 12:00:00+00", "has a time zone"),
        ("timestamp", "2024-02-29 12:00:00.1234567", "fractional digits"),
        ("timestamp", "02/03/2024", "written|write it"),
        ("timestamp(3)", NOON, "3 fractional digits"),
        ("timestamptz", NOON, "no time zone"),
        ("timestamptz", date(2024, 2, 29), "cannot be read"),
        ("timestamptz", "2024-02-29 12:00:00", "no time zone"),
        ("timestamptz", "2024-02-29", "no time zone"),
        ("interval", 5, "interval"),
        ("interval", "0.1234567 s", "fractional digits"),
        ("interval(0)", "00:00:01.5", "fractional digits"),
        ("uuid", b"0" * 16, "UUID"),
        ("json", {"a": float("nan")}, "JSON"),
        ("json", {"a": Decimal(1)}, "JSON"),
        ("json", b"{}", "JSON"),
        ("integer[]", [1.5], "whole"),
        ("integer[]", 5, "list"),
        ("numeric(10,2)[]", [Decimal("1.005")], "fractional digits"),
        ("numeric(10,2)[]", "{1.005}", "round"),
        ("money", Decimal("1.005"), "money"),
        ("inet", b"\0", "inet"),
        ("name", "a" * 64, "63 bytes"),
        ("time with time zone", "12:00:00", "no time zone"),
    ],
)
def test_what_would_change_is_refused(native: str, value: Any, why: str) -> None:
    with pytest.raises(Misfit, match=why):
        fitted(native, value)
