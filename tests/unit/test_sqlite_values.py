"""A value goes into a SQLite column exactly, or it is refused with the column's name. SQLite itself is the judge."""

import sqlite3
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.connectors.sql.fit import fit_rows
from milepost.connectors.sql.sqlite.describe import affinity_of
from milepost.connectors.sql.sqlite.values import fit_for
from milepost.migration.description import Column, Kind

INFINITY = float("inf")
REFUSED = "refused"


def stored(value: Any, declared: str, *, strict: bool = False) -> Any:
    """What a column of that type holds after the value went in: (typeof, value as read back), or REFUSED."""
    affinity = affinity_of(declared, strict=strict)
    column = Column(name="col", kind=Kind.DYNAMIC, native=declared, database="sqlite", affinity=affinity)
    fitted = fit_rows([(value,)], [fit_for(column, strict=strict)])
    if fitted.refused:
        assert fitted.refused[0].reason.startswith("column col: ")
        return REFUSED
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t (col {declared}){' STRICT' if strict else ''}")
    connection.execute("INSERT INTO t VALUES (?)", fitted.rows[0])
    (found,) = connection.execute("SELECT typeof(col), col FROM t").fetchall()
    connection.close()
    return found


PARIS = timezone(timedelta(hours=1))
MOMENT = datetime(2013, 1, 1, 10, 0, 0, 123456, PARIS)
SOME_ID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("value", "declared", "wanted"),
    [
        # text that SQLite would take for a number
        ("007", "INTEGER", REFUSED),
        ("7", "INTEGER", ("integer", 7)),
        ("-7", "NUMERIC", ("integer", -7)),
        ("+7", "NUMERIC", REFUSED),
        (" 7", "NUMERIC", REFUSED),
        ("7.0", "NUMERIC", REFUSED),
        ("7", "REAL", REFUSED),
        ("7.5", "REAL", ("real", 7.5)),
        ("1.10", "JSON", REFUSED),
        ("1e3", "NUMERIC", REFUSED),
        ("12345678901234567890", "INTEGER", REFUSED),
        ("0.30000000000000004", "NUMERIC", ("real", 0.30000000000000004)),
        ("2013-01-01", "DATE", ("text", "2013-01-01")),
        ("٣", "INTEGER", ("text", "٣")),
        ("0x10", "INTEGER", ("text", "0x10")),
        ("inf", "REAL", ("text", "inf")),
        ("1_000", "INTEGER", ("text", "1_000")),
        ("", "INTEGER", ("text", "")),
        ("007", "TEXT", ("text", "007")),
        ("007", "", ("text", "007")),
        # integers
        (2**63 - 1, "INTEGER", ("integer", 2**63 - 1)),
        (2**63, "TEXT", ("text", "9223372036854775808")),
        (5, "TEXT", ("text", "5")),
        (2**53, "REAL", ("real", float(2**53))),
        (2**53 + 1, "REAL", REFUSED),
        (2**63, "REAL", REFUSED),
        (True, "BOOLEAN", ("integer", 1)),
        (False, "TEXT", ("text", "0")),
        # floats
        (0.1 + 0.2, "TEXT", ("text", "0.30000000000000004")),
        (0.1 + 0.2, "NUMERIC", ("real", 0.1 + 0.2)),
        (5.0, "INTEGER", ("integer", 5)),
        (5.0, "", ("real", 5.0)),
        (INFINITY, "REAL", ("real", INFINITY)),
        (-INFINITY, "TEXT", ("text", "-Infinity")),
        (float("nan"), "REAL", ("text", "NaN")),
        (float("nan"), "", ("text", "NaN")),
        (float("nan"), "TEXT", ("text", "NaN")),
        # decimals
        (Decimal("1.10"), "TEXT", ("text", "1.10")),
        (Decimal("1E+3"), "", ("text", "1000")),
        (Decimal("0.0000000001"), "TEXT", ("text", "0.0000000001")),
        (
            Decimal(1234567890123456789012345678901234567890),
            "TEXT",
            ("text", "1234567890123456789012345678901234567890"),
        ),
        (Decimal(1234567890123456789012345678901234567890), "NUMERIC", REFUSED),
        (Decimal(9223372036854775807), "NUMERIC", ("integer", 2**63 - 1)),
        (Decimal("1.10"), "DECIMAL(10,2)", ("real", 1.1)),
        (Decimal("0.12345678901234567890"), "REAL", REFUSED),
        (Decimal("1E+400"), "REAL", REFUSED),
        (Decimal("NaN"), "NUMERIC", ("text", "NaN")),
        (Decimal("-Infinity"), "NUMERIC", ("real", -INFINITY)),
        (Decimal("Infinity"), "TEXT", ("text", "Infinity")),
        # moments
        (MOMENT, "TIMESTAMP", ("text", "2013-01-01 10:00:00.123456+01:00")),
        (datetime(2013, 1, 1, 10, tzinfo=UTC), "", ("text", "2013-01-01 10:00:00+00:00")),
        (datetime(1, 1, 1), "TEXT", ("text", "0001-01-01 00:00:00")),  # noqa: DTZ001 - without a zone on purpose
        (date(9999, 12, 31), "DATE", ("text", "9999-12-31")),
        (time(23, 59, 59, 1), "TIME", ("text", "23:59:59.000001")),
        # the rest
        (SOME_ID, "TEXT", ("text", str(SOME_ID))),
        (SOME_ID, "UUID", ("text", str(SOME_ID))),
        (b"\x00\xff", "TEXT", ("blob", b"\x00\xff")),
        (bytearray(b"ab"), "", ("blob", b"ab")),
        ([1, None, [2.5, 'a"b\\c'], True], "", ("text", '{"1",NULL,{"2.5","a\\"b\\\\c"},"1"}')),
        ([b"\xab"], "", ("text", '{"\\\\xab"}')),
        ([], "TEXT", ("text", "{}")),
        ([{}], "TEXT", REFUSED),
        ({"a": 1}, "TEXT", REFUSED),
        (object(), "TEXT", REFUSED),
        (timedelta(1), "TEXT", REFUSED),
        (None, "INTEGER", ("null", None)),
    ],
)
def test_a_value_is_held_as_it_is_or_refused(value: Any, declared: str, wanted: Any) -> None:
    found = stored(value, declared)
    assert found == wanted
    assert wanted == REFUSED or type(found[1]) is type(wanted[1])


@pytest.mark.parametrize(
    ("value", "declared", "wanted"),
    [
        (float("nan"), "REAL", REFUSED),
        ("abc", "INTEGER", REFUSED),
        ("5", "INTEGER", ("integer", 5)),
        ("007", "ANY", ("text", "007")),
        (5, "ANY", ("integer", 5)),
        (5, "TEXT", ("text", "5")),
    ],
)
def test_a_strict_table_takes_no_text_for_a_number(value: Any, declared: str, wanted: Any) -> None:
    assert stored(value, declared, strict=True) == wanted


NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False).map(lambda value: value + 0.0))
DECLARED = st.sampled_from(["INTEGER", "REAL", "NUMERIC", "TEXT", "BLOB", ""])


@given(NUMBERS, DECLARED)
def test_every_number_is_the_same_number_afterwards(value: float, declared: str) -> None:
    found = stored(value, declared)
    if found == REFUSED:
        assert declared == "REAL"
        assert int(float(value)) != value
    else:
        assert type(value)(found[1]) == value


@given(st.decimals(allow_nan=False, allow_infinity=False), DECLARED)
def test_every_decimal_is_written_the_same_afterwards(value: Decimal, declared: str) -> None:
    found = stored(value, declared)
    if found != REFUSED:
        assert Decimal(str(found[1])) == value


NUMERALS = st.from_regex(r"\A[ \t+-]?[0-9]{0,22}\.?[0-9]{0,20}([eE][+-]?[0-9]{1,3})?\Z") | st.text()


@given(NUMERALS, DECLARED)
def test_no_text_is_changed(value: str, declared: str) -> None:
    found = stored(value, declared)
    if found != REFUSED:
        assert str(found[1]) == value


@given(NUMERALS, DECLARED)
def test_no_text_is_refused_that_sqlite_would_keep(value: str, declared: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(f"CREATE TABLE t (col {declared})")
    connection.execute("INSERT INTO t VALUES (?)", (value,))
    ((kind,),) = connection.execute("SELECT typeof(col) FROM t").fetchall()
    connection.close()
    if kind == "text":
        assert stored(value, declared) == ("text", value)
