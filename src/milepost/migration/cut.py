"""Whether a value is more than its column can hold, so that it would be cut, known before it is loaded. Pure.

It only warns: what a row holds is judged by the target, which refuses what it cannot hold exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from milepost.migration.description import Column, Kind

ROUNDED_BY_SQLITE = {"INTEGER", "NUMERIC", "REAL"}
FLOAT_DIGITS = 15


def cut(value: Any, column: Column) -> str | None:
    """Why the column cannot hold the value as it is; None where it can, or where that is not to be seen."""
    if value is None:
        return None if column.nullable else "it may not be NULL"
    rule = RULES.get(column.kind)
    return None if rule is None else rule(value, column)


def _text(value: Any, column: Column) -> str | None:
    if column.length is None or not isinstance(value, str) or len(value) <= column.length:
        return None
    return f"it has {len(value)} characters, and {column.length} fit"


def _decimal(value: Any, column: Column) -> str | None:
    number = _number(value)
    if number is None or column.scale is None or column.precision is None:
        return None
    _, digits, exponent = number.normalize().as_tuple()
    places, whole = -int(exponent), len(digits) + int(exponent)
    if places > column.scale:
        return f"it has {places} decimal places, and {max(column.scale, 0)} fit"
    if number and whole > column.precision - column.scale:
        return f"it has {whole} digits before the point, and {column.precision - column.scale} fit"
    return None


def _integer(value: Any, column: Column) -> str | None:
    number = _number(value)
    if number is None:
        return None
    if number != number.to_integral_value():
        return "it is no whole number"
    most = 2 ** ((column.bits or 64) - 1)
    return None if -most <= number < most else f"it is beyond {column.bits or 64} bits"


def _date(value: Any, _: Column) -> str | None:
    if isinstance(value, datetime) and value.timetz() != time():
        return "it has a time of day"
    return None


def _timestamp(value: Any, column: Column) -> str | None:
    if isinstance(value, datetime) and value.tzinfo is not None and column.kind is Kind.TIMESTAMP:
        return "it has a time zone"
    return _fraction(value, column)


def _fraction(value: Any, column: Column) -> str | None:
    if not isinstance(value, datetime | time) or column.precision is None:
        return None
    places = len(f"{value.microsecond:06}".rstrip("0"))
    return None if places <= column.precision else f"its seconds have {places} decimal places, {column.precision} fit"


def _dynamic(value: Any, column: Column) -> str | None:
    if column.affinity not in ROUNDED_BY_SQLITE:
        return None
    if isinstance(value, str) and _is_numeric(value):
        return f"{column.affinity} would make a number of the text"
    if isinstance(value, Decimal) and value.is_finite() and len(value.normalize().as_tuple().digits) > FLOAT_DIGITS:
        return f"{column.affinity} would round it to {FLOAT_DIGITS} digits"
    return None


def _is_numeric(text: str) -> bool:
    try:
        return Decimal(text.strip()).is_finite()
    except ArithmeticError:
        return False


def _number(value: Any) -> Decimal | None:
    """The number as a decimal of the digits that it is written with; None for what is no finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() else None


RULES: dict[Kind, Callable[[Any, Column], str | None]] = {
    Kind.TEXT: _text,
    Kind.DECIMAL: _decimal,
    Kind.INTEGER: _integer,
    Kind.DATE: _date,
    Kind.TIME: _fraction,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMP_ZONE: _timestamp,
    Kind.DYNAMIC: _dynamic,
}
