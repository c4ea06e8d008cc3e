"""PostgreSQL's value rules: make values fit its columns exactly, or say why they cannot.

PostgreSQL rounds numerics to their scale and times to their precision, drops the zone of a timestamp, cuts blanks off
text and names to 63 bytes, and reads text as a bytea: all in silence. So:

- a number goes into a numeric column if no digit is lost, into an integer column if it is whole, into a float column if
  the shortest text of the float is the number; True and False are 1 and 0 there;
- a timestamp goes into a column with a zone only if it has one, and the other way round;
- text that stands for a number, date or time is held to the same rules;
- dicts and lists go into json columns as JSON, lists into array columns; bytes only into bytea, and only bytes.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import Enum
from typing import Any
from uuid import UUID

from milepost.connectors.sql.fit import Fit, Misfit
from milepost.migration.description import Column, Kind

Convert = Callable[[Any], Any]

WIDE = Context(prec=200_000, Emax=999_999, Emin=-999_999, traps=[Inexact, InvalidOperation])
MOST_DIGITS = 16383
CLOCK = r"\d\d:\d\d(?::\d\d(?:\.(?P<fraction>\d+))?)?"
ZONE = r"(?P<zone> ?(?:Z|UTC|[+-]\d\d(?::?\d\d(?::?\d\d)?)?))?"
DATE = re.compile(r"[-]?infinity|\d{4,}-\d\d-\d\d(?: BC)?")
TIME = re.compile(CLOCK + ZONE)
TIMESTAMP = re.compile(rf"[-]?infinity|\d{{4,}}-\d\d-\d\d(?:[ T]{CLOCK})?{ZONE}(?: BC)?")
NAME_BYTES = {"name": 63, '"char"': 1}


def fit_for(column: Column) -> Fit:
    """How values get into this column."""
    plain, convert = _rule(column)
    return Fit(column.name, frozenset(plain), convert, ALL_FIT.get(column.kind, _ask_each)(column))


def _ask_each(_: Column) -> None:
    """No shortcut for a whole column."""


def _all_decimals_fit(column: Column) -> Callable[[Sequence[Any]], bool]:
    quantum = Decimal((0, (1,), -(column.scale or 0)))

    def all_fit(values: Sequence[Any]) -> bool:
        return set(map(type, values)) == {Decimal} and all(map(quantum.same_quantum, values))

    return all_fit


def _all_texts_fit(column: Column) -> Callable[[Sequence[Any]], bool] | None:
    length = column.length
    if length is None:
        return None

    def all_fit(values: Sequence[Any]) -> bool:
        return set(map(type, values)) == {str} and max(map(len, values)) <= length

    return all_fit


def _rule(column: Column) -> tuple[set[type], Convert]:
    if column.kind is Kind.OTHER and column.precision is not None:
        return _moment(column, time, TIME, "HH:MM:SS+00", zoned=True)
    return RULES[column.kind](column)


def _integer(_: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, int):
            return int(value)
        if isinstance(value, str):
            number = _number(value)
            if number.is_finite() and value == format(number.to_integral_value(), "f"):
                return int(number)
        if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
            return int(value)
        raise Misfit(f"{value!r} is not a whole number")

    return {int}, convert


def _decimal(column: Column) -> tuple[set[type], Convert]:
    quantum = Decimal((0, (1,), -(MOST_DIGITS if column.scale is None else column.scale)))

    def convert(value: Any) -> Any:
        if isinstance(value, Decimal):
            return _scaled(value, column, quantum)
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float):
            return _scaled(Decimal(repr(float(value))), column, quantum)
        if isinstance(value, str):
            return _scaled(_number(value), column, quantum)
        raise Misfit(f"{value!r} is not a number")

    return {int}, convert


def _scaled(value: Decimal, column: Column, quantum: Decimal) -> Decimal:
    if value.same_quantum(quantum) or value.is_infinite() or value.is_qnan():
        return value
    exponent, smallest = value.as_tuple().exponent, quantum.as_tuple().exponent
    if not isinstance(exponent, int) or not isinstance(smallest, int):
        raise Misfit(f"{value} is no number that {column.native} can hold")
    if exponent >= smallest:
        return value
    try:
        return value.quantize(quantum, context=WIDE)
    except Inexact:
        raise Misfit(f"{value} has more than the {-smallest} fractional digits of {column.native}") from None


def _float(column: Column) -> tuple[set[type], Convert]:
    single = column.bits == 32

    def convert(value: Any) -> Any:
        if isinstance(value, float | int):
            number, shortest = _as_float(value), False
        elif isinstance(value, Decimal):
            number, shortest = _as_float(value), True
        elif isinstance(value, str):
            return convert(_float_text(value))
        else:
            raise Misfit(f"{value!r} is not a number")
        held = Decimal(repr(number)) if shortest else number
        if (math.isfinite(number) and held != value) or (single and not _is_single(number)):
            raise Misfit(f"{value!r} cannot be held exactly by {column.native}; numeric could")
        return number

    return set() if single else {float}, convert


def _as_float(value: Any) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number) and math.isfinite(value if not isinstance(value, int) else 0):
        raise Misfit(f"{value} is out of range")
    return number


def _is_single(number: float) -> bool:
    """Whether a 32-bit float holds the number, or the number is the shortest text of one."""
    if not math.isfinite(number):
        return True
    try:
        packed = struct.pack("f", number)
    except OverflowError:
        return False
    held = struct.unpack("f", packed)[0]
    texts = (float(f"{held:.{digits}g}") for digits in range(1, 10))
    return bool(held == number) or next(text for text in texts if struct.pack("f", text) == packed) == number


def _text(column: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, bool | bytes | bytearray | memoryview | list | tuple | dict | set):
            raise Misfit(f"a {type(value).__name__} is no text; make it text")
        text = _written(value)
        if column.length is not None and len(text) > column.length:
            raise Misfit(f"the text has {len(text)} characters, and {column.native} holds {column.length}")
        return text

    return {str} if column.length is None else set(), convert


def _bytes(_: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, bytes | bytearray | memoryview):
            return bytes(value)
        raise Misfit(f"a {type(value).__name__} is not bytes; encode it")

    return {bytes}, convert


def _boolean(_: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, int | float | Decimal) and value in (0, 1):
            return bool(value)
        if isinstance(value, str):
            return value
        raise Misfit(f"{value!r} is neither true nor false")

    return {bool, str}, convert


def _date(_: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, datetime):
            if value.tzinfo is not None or value.time() != time():
                raise Misfit(f"{value} has a time of day, which date does not hold")
            return value.date()
        if isinstance(value, date) or (isinstance(value, str) and DATE.fullmatch(value.strip())):
            return value
        raise Misfit(f"{value!r} is not a date; write it as YYYY-MM-DD")

    return {date}, convert


def _time(column: Column) -> tuple[set[type], Convert]:
    return _moment(column, time, TIME, "HH:MM:SS", zoned=False)


def _timestamp(column: Column) -> tuple[set[type], Convert]:
    return _moment(column, datetime, TIMESTAMP, "YYYY-MM-DD HH:MM:SS", zoned=False)


def _timestamp_zone(column: Column) -> tuple[set[type], Convert]:
    return _moment(column, datetime, TIMESTAMP, "YYYY-MM-DD HH:MM:SS+00", zoned=True)


def _moment(
    column: Column, python: type[datetime | time], pattern: re.Pattern[str], form: str, *, zoned: bool
) -> tuple[set[type], Convert]:
    digits = 6 if column.precision is None else column.precision
    step = 10 ** (6 - digits)

    def convert(value: Any) -> Any:
        if isinstance(value, python):
            _check_zone(column, value, has=value.tzinfo is not None, wants=zoned)
            if value.microsecond % step:
                raise Misfit(f"{value} has more than the {digits} fractional digits of {column.native}")
            return value
        if isinstance(value, date) and python is datetime and not zoned:
            return value
        match = pattern.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise Misfit(f"{value!r} cannot be read as {column.native}; write it as {form}")
        if not match.group().endswith("infinity"):
            _check_zone(column, value, has=match["zone"] is not None, wants=zoned)
            if (match["fraction"] or "")[digits:].strip("0"):
                raise Misfit(f"{value} has more than the {digits} fractional digits of {column.native}")
        return value

    return set(), convert


def _check_zone(column: Column, value: Any, *, has: bool, wants: bool) -> None:
    if has and not wants:
        raise Misfit(f"{value} has a time zone, which {column.native} does not hold; convert it and drop the zone")
    if wants and not has:
        raise Misfit(f"{value} has no time zone, and {column.native} needs one; say which it is in")


def _interval(column: Column) -> tuple[set[type], Convert]:
    digits = 6 if column.precision is None else column.precision

    def convert(value: Any) -> Any:
        if isinstance(value, timedelta):
            value = f"{value.days} days {value.seconds}.{value.microseconds:06d} seconds"
        if not isinstance(value, str):
            raise Misfit(f"{value!r} is not an interval")
        if any(fraction[digits:].strip("0") for fraction in re.findall(r"\.(\d+)", value)):
            raise Misfit(f"{value} has more than the {digits} fractional digits of {column.native}")
        return value

    return set(), convert


def _uuid(_: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, UUID | str):
            return value
        raise Misfit(f"{value!r} is not a UUID")

    return {UUID, str}, convert


def _json(_: Column) -> tuple[set[type], Convert]:
    def convert(value: Any) -> Any:
        if isinstance(value, str):
            return value
        try:
            return json.dumps(value, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise Misfit(f"cannot be written as JSON: {error}") from None

    return {str}, convert


def _array(column: Column) -> tuple[set[type], Convert]:
    element = replace(column, kind=column.of or Kind.OTHER, of=None)
    fit = fit_for(element)
    rounds = (column.scale, column.length) != (None, None) or column.precision not in {None, 6}

    def fitted(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [fitted(each) for each in value]
        return value if type(value) in fit.plain else fit.convert(value)

    def convert(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return array_text(fitted(value))
        if isinstance(value, str) and not rounds:
            return value
        raise Misfit(f"{value!r} is not a list, and {column.native} might round the text of one")

    return set() if rounds else {str}, convert


def array_text(value: Any) -> str:
    """A list, nested for more dimensions, as PostgreSQL reads it."""
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(array_text, value)) + "}"
    if value is None:
        return "NULL"
    text = "\\x" + value.hex() if isinstance(value, bytes) else _written(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _other(column: Column) -> tuple[set[type], Convert]:
    longest = NAME_BYTES.get(column.native)

    def convert(value: Any) -> Any:
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, bytes | bytearray | memoryview | dict | set | list | tuple | bool):
            raise Misfit(f"a {type(value).__name__} has no form as {column.native}; write it as PostgreSQL's text")
        if column.native == "money" and not isinstance(value, str):
            raise Misfit(f"{value!r} is not money as PostgreSQL writes it, and may be rounded; numeric could hold it")
        text = str(value)
        if longest is not None and len(text.encode()) > longest:
            raise Misfit(f"{text!r} is longer than the {longest} bytes of {column.native}")
        return text

    return {str} if longest is None else set(), convert


def _number(text: str) -> Decimal:
    """The number that is written just so: no blanks, no plus sign, no zeros before it."""
    try:
        number = Decimal(text)
        canonical = {format(number, "f"), str(number), repr(float(number))}
    except (InvalidOperation, OverflowError, ValueError):
        raise Misfit(f"{text!r} is not a number") from None
    if text.lower() not in {each.lower() for each in canonical}:
        raise Misfit(f"the text {text!r} would become the number {number}; make it a number")
    return number


def _float_text(text: str) -> Decimal:
    """The number that is written as the shortest text of a float, with or without ``.0``."""
    number = _number(text)
    if number.is_finite() and text.lower() not in {repr(float(number)), repr(float(number)).removesuffix(".0")}:
        raise Misfit(f"the text {text!r} would become the number {float(number)!r}; make it a number")
    return number


def _written(value: Any) -> str:
    """A value as text that reads back as the same value; decimals without exponents."""
    return format(value, "f") if isinstance(value, Decimal) else str(value)


ALL_FIT: dict[Kind, Callable[[Column], Callable[[Sequence[Any]], bool] | None]] = {
    Kind.DECIMAL: _all_decimals_fit,
    Kind.TEXT: _all_texts_fit,
}
RULES: dict[Kind, Callable[[Column], tuple[set[type], Convert]]] = {
    Kind.INTEGER: _integer,
    Kind.DECIMAL: _decimal,
    Kind.FLOAT: _float,
    Kind.TEXT: _text,
    Kind.BYTES: _bytes,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMESTAMP: _timestamp,
    Kind.TIMESTAMP_ZONE: _timestamp_zone,
    Kind.INTERVAL: _interval,
    Kind.UUID: _uuid,
    Kind.JSON: _json,
    Kind.ARRAY: _array,
    Kind.OTHER: _other,
    Kind.DYNAMIC: _other,
}
