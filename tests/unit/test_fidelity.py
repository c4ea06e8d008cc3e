"""Which plain copies the plan refuses, and that it says which columns, why, and what to do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from milepost.migration.description import Column, Kind
from milepost.migration.fidelity import refusal

POSTGRES: dict[str, dict[str, Any]] = {
    "smallint": {"kind": Kind.INTEGER, "bits": 16},
    "integer": {"kind": Kind.INTEGER, "bits": 32},
    "bigint": {"kind": Kind.INTEGER, "bits": 64},
    "numeric": {"kind": Kind.DECIMAL},
    "numeric(38,10)": {"kind": Kind.DECIMAL, "precision": 38, "scale": 10},
    "numeric(15,2)": {"kind": Kind.DECIMAL, "precision": 15, "scale": 2},
    "numeric(10,2)": {"kind": Kind.DECIMAL, "precision": 10, "scale": 2},
    "numeric(10,0)": {"kind": Kind.DECIMAL, "precision": 10, "scale": 0},
    "numeric(9,0)": {"kind": Kind.DECIMAL, "precision": 9, "scale": 0},
    "real": {"kind": Kind.FLOAT, "bits": 32},
    "double precision": {"kind": Kind.FLOAT, "bits": 64},
    "text": {"kind": Kind.TEXT},
    "character varying(10)": {"kind": Kind.TEXT, "length": 10},
    "character(5)": {"kind": Kind.TEXT, "length": 5},
    "character(9)": {"kind": Kind.TEXT, "length": 9},
    "bytea": {"kind": Kind.BYTES},
    "boolean": {"kind": Kind.BOOLEAN},
    "date": {"kind": Kind.DATE},
    "time": {"kind": Kind.TIME, "precision": 6},
    "timestamp": {"kind": Kind.TIMESTAMP, "precision": 6},
    "timestamp(3)": {"kind": Kind.TIMESTAMP, "precision": 3},
    "timestamptz": {"kind": Kind.TIMESTAMP_ZONE, "precision": 6},
    "interval": {"kind": Kind.INTERVAL, "precision": 6},
    "interval(0)": {"kind": Kind.INTERVAL, "precision": 0},
    "interval year to month": {"kind": Kind.INTERVAL, "precision": 6},
    "uuid": {"kind": Kind.UUID},
    "json": {"kind": Kind.JSON},
    "jsonb": {"kind": Kind.JSON},
    "integer[]": {"kind": Kind.ARRAY, "of": Kind.INTEGER, "bits": 32},
    "bigint[]": {"kind": Kind.ARRAY, "of": Kind.INTEGER, "bits": 64},
    "text[]": {"kind": Kind.ARRAY, "of": Kind.TEXT},
    "inet": {"kind": Kind.OTHER},
    "mood": {"kind": Kind.OTHER},
    "bit varying(3)": {"kind": Kind.OTHER},
    "bit varying(5)": {"kind": Kind.OTHER},
}
SQLITE = ("INTEGER", "NUMERIC", "REAL", "TEXT", "BLOB")


def column(native: str, name: str) -> Column:
    if native in SQLITE:
        return Column(name=name, native=native, database="sqlite", kind=Kind.DYNAMIC, affinity=native)
    return Column(name=name, native=native, database="postgresql", **POSTGRES[native])


def told(source: str, target: str) -> str | None:
    return refusal(column(source, "old"), column(target, "new"))


@pytest.mark.parametrize("native", POSTGRES)
def test_a_column_can_be_copied_to_one_of_its_own_type(native: str) -> None:
    assert told(native, native) is None


@pytest.mark.parametrize("native", POSTGRES)
def test_sqlite_text_and_blob_hold_everything(native: str) -> None:
    assert told(native, "TEXT") is None
    assert told(native, "BLOB") is None


@pytest.mark.parametrize("target", [*POSTGRES, *SQLITE])
@pytest.mark.parametrize("source", SQLITE)
def test_a_sqlite_column_is_looked_at_value_by_value(source: str, target: str) -> None:
    assert told(source, target) is None


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("smallint", "bigint"),
        ("bigint", "numeric"),
        ("integer", "numeric(15,2)"),
        ("integer", "double precision"),
        ("bigint", "text"),
        ("numeric(10,2)", "numeric(38,10)"),
        ("numeric(10,2)", "numeric"),
        ("numeric(9,0)", "integer"),
        ("numeric(15,2)", "double precision"),
        ("real", "double precision"),
        ("double precision", "numeric"),
        ("text", "character varying(10)"),
        ("character(5)", "text"),
        ("character(5)", "character(9)"),
        ("boolean", "integer"),
        ("date", "timestamp"),
        ("timestamp(3)", "timestamp"),
        ("interval year to month", "interval"),
        ("timestamptz", "text"),
        ("inet", "text"),
        ("jsonb", "json"),
        ("integer[]", "bigint[]"),
        ("bit varying(3)", "bit varying(5)"),
        ("numeric(15,2)", "REAL"),
        ("numeric(15,2)", "NUMERIC"),
        ("bigint", "INTEGER"),
        ("double precision", "REAL"),
        ("double precision", "NUMERIC"),
        ("timestamptz", "NUMERIC"),
        ("json", "NUMERIC"),
        ("integer[]", "NUMERIC"),
    ],
)
def test_a_copy_that_loses_nothing_is_allowed(source: str, target: str) -> None:
    assert told(source, target) is None


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("bigint", "integer", "64 bits; declare the target bigint"),
        ("bigint", "numeric(15,2)", r"19 digits; declare the target numeric\(21,2\)"),
        ("bigint", "double precision", "rounded"),
        ("integer", "real", "rounded"),
        ("integer", "boolean", "different kinds"),
        ("numeric", "numeric(38,10)", "any number of digits"),
        ("numeric(38,10)", "numeric(10,2)", r"declare the target numeric\(38,10\)"),
        ("numeric(10,0)", "integer", "digits would be lost"),
        ("numeric(10,2)", "integer", "digits would be lost"),
        ("numeric(38,10)", "double precision", "round"),
        ("numeric(10,2)", "real", "round"),
        ("double precision", "real", "double precision"),
        ("double precision", "numeric(38,10)", "any number"),
        ("double precision", "integer", "different kinds"),
        ("text", "character(5)", "padded"),
        ("character(9)", "character(5)", "padded"),
        ("integer", "character(5)", "padded"),
        ("text", "integer", "different kinds"),
        ("text", "bytea", "different kinds"),
        ("text", "jsonb", "jsonb"),
        ("bytea", "text", "different kinds"),
        ("boolean", "text", "different kinds"),
        ("timestamptz", "timestamp", "time zone would be lost"),
        ("timestamp", "timestamptz", "in which time zone"),
        ("date", "timestamptz", "in which time zone"),
        ("timestamp", "date", "different kinds"),
        ("timestamp", "timestamp(3)", "6 fractional digits"),
        ("interval", "interval(0)", "fractional digits"),
        ("interval", "interval year to month", "fields"),
        ("json", "jsonb", "jsonb"),
        ("bigint[]", "integer[]", "64 bits"),
        ("text[]", "integer[]", "different kinds"),
        ("integer[]", "text", "different kinds"),
        ("inet", "mood", "different types"),
        ("numeric", "REAL", "declare the target TEXT"),
        ("numeric(38,10)", "NUMERIC", "declare the target TEXT"),
        ("numeric", "INTEGER", "declare the target TEXT"),
        ("bigint", "REAL", "declare the target INTEGER"),
        ("text", "NUMERIC", "'007'"),
        ("inet", "INTEGER", "'007'"),
    ],
)
def test_a_copy_that_would_lose_something_is_refused_with_both_columns(source: str, target: str, why: str) -> None:
    found = told(source, target)
    assert found is not None
    assert f"column old ({source}) cannot be copied exactly to new ({target}): " in found
    assert re.search(why, found)
