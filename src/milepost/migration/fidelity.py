"""Whether a plain copy from one column to another is exact, known before anything is written.

Refused are pairs of types under which ordinary values would be lost, rounded or reinterpreted. Where only some values
may not fit (a text too long, a SQLite column whose values have types of their own) the copy is allowed, and the target
refuses those values row by row, never in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from milepost.migration.description import Column, Kind

Rule = Callable[[Column, Column], str | None]

INTEGER_DIGITS = {16: 5, 32: 10, 64: 19}
FLOAT_DIGITS = {32: 6, 64: 15}
EXACT_INTEGER_BITS = {32: 16, 64: 32}  # of a float: the widest integers that it holds
NUMERIC_AFFINITIES = {"INTEGER", "NUMERIC", "REAL"}
WRITTEN = {Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMP_ZONE, Kind.INTERVAL, Kind.UUID, Kind.JSON, Kind.OTHER}
"""Kinds whose text says everything; so do those of integers, decimals and floats."""


def refusal(source: Column, target: Column) -> str | None:
    """Why the target column cannot hold every ordinary value of the source column exactly, and what to do; or None."""
    if source.kind is Kind.DYNAMIC:
        return None  # each value has its own type, and is looked at when it is loaded
    why = _to_sqlite(source, target) if target.kind is Kind.DYNAMIC else _to_typed(source, target)
    if why is None:
        return None
    return f"column {source.name} ({source.native}) cannot be copied exactly to {target.name} ({target.native}): {why}"


def _to_typed(source: Column, target: Column) -> str | None:
    rule = RULES.get((source.kind, target.kind))
    if rule is not None:
        return rule(source, target)
    if source.kind is not target.kind:
        return _other_kind(target)
    return None


def _other_kind(target: Column) -> str:
    return f"these are different kinds of value; write a restructure function that makes a {target.kind}"


def _exact(_: Column, __: Column) -> str | None:
    return None


def _integer(source: Column, target: Column) -> str | None:
    if (source.bits or 64) <= (target.bits or 64):
        return None
    return f"it has {source.bits} bits; declare the target bigint, or write a restructure function"


def _integer_to_decimal(source: Column, target: Column) -> str | None:
    digits = INTEGER_DIGITS[source.bits or 64]
    whole = _whole_digits(target)
    if whole is None or whole >= digits:
        return None
    return f"it has up to {digits} digits; declare the target numeric({digits + (target.scale or 0)},{target.scale})"


def _integer_to_float(source: Column, target: Column) -> str | None:
    if (source.bits or 64) <= EXACT_INTEGER_BITS[target.bits or 64]:
        return None
    return "large integers would be rounded; declare the target bigint or numeric"


def _decimal(source: Column, target: Column) -> str | None:
    if target.scale is None:
        return None
    if source.precision is None or source.scale is None:
        return "it has any number of digits; declare the target numeric, or write a restructure function that rounds"
    scale, whole = max(source.scale, target.scale), max(_whole_digits(source) or 0, _whole_digits(target) or 0)
    if scale == target.scale and whole == _whole_digits(target):
        return None
    return f"digits would be lost; declare the target numeric({whole + scale},{scale}) or write a restructure function"


def _decimal_to_integer(source: Column, target: Column) -> str | None:
    if source.scale is not None and source.scale <= 0:
        digits = (source.precision or 0) - source.scale
        if digits < INTEGER_DIGITS[target.bits or 64]:
            return None
    return "digits would be lost; declare the target numeric, or write a restructure function"


def _decimal_to_float(source: Column, target: Column) -> str | None:
    if _fits_float(source, FLOAT_DIGITS[target.bits or 64]):
        return None
    return "a float would round it; declare the target numeric, or write a restructure function that rounds"


def _float(source: Column, target: Column) -> str | None:
    if (source.bits or 64) <= (target.bits or 64):
        return None
    return "it would be rounded; declare the target double precision"


def _float_to_decimal(_: Column, target: Column) -> str | None:
    if target.scale is None:
        return None
    return "it has any number of digits; declare the target numeric, or write a restructure function that rounds"


def _text(source: Column, target: Column) -> str | None:
    if not _is_padded(target) or (_is_padded(source) and (source.length or 0) <= (target.length or 0)):
        return None  # a text that is too long is refused when it is loaded
    return "it would be padded with blanks; declare the target text or varchar, or write a restructure function"


def _written(source: Column, target: Column) -> str | None:
    return _text(source, target) if _is_padded(target) else None


def _precision(source: Column, target: Column) -> str | None:
    if _digits(source) <= _digits(target):
        return None
    return f"it has {_digits(source)} fractional digits; declare the target with as many"


def _interval(source: Column, target: Column) -> str | None:
    if _fields(target) in {"interval", _fields(source)}:
        return _precision(source, target)
    return "fields would be lost; declare the target interval"


def _zone_lost(_: Column, __: Column) -> str | None:
    return "the time zone would be lost; declare the target timestamptz, or convert it in a restructure function"


def _zone_unknown(_: Column, __: Column) -> str | None:
    return "nothing says in which time zone it is; give it one in a restructure function"


def _json(source: Column, target: Column) -> str | None:
    if target.native != "jsonb" or source.native == "jsonb":
        return None
    return "jsonb keeps neither spelling, order nor doubled names; declare the target json, or write a function"


def _array(source: Column, target: Column) -> str | None:
    return _to_typed(replace(source, kind=source.of or Kind.OTHER), replace(target, kind=target.of or Kind.OTHER))


def _other(source: Column, target: Column) -> str | None:
    if _fields(source) == _fields(target):
        return None
    return "these are different types; declare both alike, or the target text"


def _to_sqlite(source: Column, target: Column) -> str | None:
    """SQLite keeps any value in a TEXT or BLOB column; elsewhere it makes numbers of what looks like one."""
    if target.affinity not in NUMERIC_AFFINITIES:
        return None
    if source.kind is Kind.DECIMAL and not _fits_float(source, FLOAT_DIGITS[64]):
        return f"{target.affinity} would round it to 15 digits; declare the target TEXT"
    if source.kind is Kind.INTEGER and target.affinity == "REAL" and (source.bits or 64) > EXACT_INTEGER_BITS[64]:
        return "REAL would round large integers; declare the target INTEGER"
    if source.kind in {Kind.TEXT, Kind.OTHER}:
        return f"{target.affinity} would make numbers of texts such as '007'; declare the target TEXT"
    return None


def _fits_float(source: Column, digits: int) -> bool:
    """Whether a float keeps every digit of the decimal, and its size."""
    if source.precision is None or source.scale is None:
        return False
    return source.precision <= digits and 0 <= source.scale <= 2 * digits


def _whole_digits(column: Column) -> int | None:
    return None if column.precision is None else column.precision - (column.scale or 0)


def _digits(column: Column) -> int:
    return 6 if column.precision is None else column.precision


def _is_padded(column: Column) -> bool:
    return column.native.startswith(("character(", "bpchar")) and column.length is not None


def _fields(column: Column) -> str:
    """The type without its numbers: ``bit varying``, ``interval year to month``."""
    return re.sub(r"\(.*?\)", "", column.native)


RULES: dict[tuple[Kind, Kind], Rule] = {
    (Kind.INTEGER, Kind.INTEGER): _integer,
    (Kind.INTEGER, Kind.DECIMAL): _integer_to_decimal,
    (Kind.INTEGER, Kind.FLOAT): _integer_to_float,
    (Kind.INTEGER, Kind.TEXT): _written,
    (Kind.DECIMAL, Kind.DECIMAL): _decimal,
    (Kind.DECIMAL, Kind.INTEGER): _decimal_to_integer,
    (Kind.DECIMAL, Kind.FLOAT): _decimal_to_float,
    (Kind.DECIMAL, Kind.TEXT): _written,
    (Kind.FLOAT, Kind.FLOAT): _float,
    (Kind.FLOAT, Kind.DECIMAL): _float_to_decimal,
    (Kind.FLOAT, Kind.TEXT): _written,
    (Kind.BOOLEAN, Kind.INTEGER): _exact,
    (Kind.TEXT, Kind.TEXT): _text,
    (Kind.TEXT, Kind.JSON): _json,
    (Kind.TIME, Kind.TIME): _precision,
    (Kind.TIMESTAMP, Kind.TIMESTAMP): _precision,
    (Kind.TIMESTAMP_ZONE, Kind.TIMESTAMP_ZONE): _precision,
    (Kind.INTERVAL, Kind.INTERVAL): _interval,
    (Kind.DATE, Kind.TIMESTAMP): _exact,
    (Kind.DATE, Kind.TIMESTAMP_ZONE): _zone_unknown,
    (Kind.TIMESTAMP, Kind.TIMESTAMP_ZONE): _zone_unknown,
    (Kind.TIMESTAMP_ZONE, Kind.TIMESTAMP): _zone_lost,
    (Kind.JSON, Kind.JSON): _json,
    (Kind.ARRAY, Kind.ARRAY): _array,
    (Kind.OTHER, Kind.OTHER): _other,
} | {(kind, Kind.TEXT): _written for kind in WRITTEN}
