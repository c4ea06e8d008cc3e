"""SQLite's own value rules: make values fit its columns exactly, or say why they cannot.

A SQLite column converts what is stored in it by its affinity, in silence: the text '007' becomes the number 7 in an
INTEGER column, 0.1 + 0.2 becomes the text '0.3' in a TEXT column, NaN becomes NULL everywhere. So:

- a value goes as it is where SQLite keeps it, or keeps the same number (1.0 in an INTEGER column becomes 1);
- a number goes into a TEXT column as the shortest text that reads back as the same number;
- text that looks like a number goes into a numeric column only if the number is written just so;
- dates, times, UUIDs become ISO text, lists PostgreSQL's array text, NaN the text 'NaN';
- everything else is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from milepost.connectors.sql.fit import Fit, Misfit
from milepost.connectors.sql.sqlite.position import is_utf8
from milepost.migration.description import Column

NUMERIC = frozenset({"INTEGER", "NUMERIC", "REAL"})
SMALLEST, LARGEST = -(2**63), 2**63 - 1
NUMERAL = re.compile(r"[ \t\n\v\f\r]*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t\n\v\f\r]*")
PLAIN: dict[str, frozenset[type]] = {
    "INTEGER": frozenset({int, bool, bytes}),
    "NUMERIC": frozenset({int, bool, bytes}),
    "REAL": frozenset({bool, bytes}),
    "TEXT": frozenset({str, bytes}),
    "BLOB": frozenset({int, bool, str, bytes}),
}


def fit_for(column: Column, *, strict: bool) -> Fit:
    """How values get into this column. ``strict``: its table is STRICT, and takes no text for a number."""
    affinity = column.affinity or "BLOB"

    def convert(value: Any) -> Any:
        return _convert(value, affinity, strict=strict)

    return Fit(column.name, PLAIN[affinity], convert)


def _convert(value: Any, affinity: str, *, strict: bool) -> Any:
    for kinds, make in CONVERSIONS:
        if isinstance(value, kinds):
            stored = make(value, affinity)
            if strict and affinity in NUMERIC and isinstance(stored, str):
                raise Misfit(f"{value!r} is no number, and the table is STRICT")
            return stored
    raise Misfit(f"SQLite has no form for a {type(value).__name__}; make it text or a number")


def _from_bool(value: bool, affinity: str) -> Any:
    return _from_int(int(value), affinity)


def _from_int(value: int, affinity: str) -> Any:
    if affinity == "TEXT":
        return str(value)
    if not SMALLEST <= value <= LARGEST:
        raise Misfit(f"{value} is beyond SQLite's 64-bit integers; a TEXT column would hold it")
    if affinity == "REAL" and int(float(value)) != value:
        raise Misfit(f"{value} would be rounded by a REAL column; an INTEGER or TEXT column would hold it")
    return value


def _from_float(value: float, affinity: str) -> Any:
    if math.isnan(value):
        return "NaN"  # SQLite would make it NULL
    if affinity in NUMERIC and value == 0 and math.copysign(1, value) < 0:
        raise Misfit(f"{value} would lose its sign in a {affinity} column; a TEXT column would hold it")
    if affinity != "TEXT":
        return float(value)
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(float(value))


def _from_decimal(value: Decimal, affinity: str) -> Any:
    if affinity not in NUMERIC:
        return format(value, "f")  # never with an exponent, and with every digit that it has
    if not value.is_finite():
        return "NaN" if value.is_nan() else float(value)
    if affinity != "REAL" and value == value.to_integral_value() and SMALLEST <= value <= LARGEST:
        return int(value)
    number = float(value)
    if not math.isfinite(number) or Decimal(repr(number)) != value:
        raise Misfit(f"{value} would be rounded by a {affinity} column; a TEXT column would hold it")
    return number


def _from_text(value: str, affinity: str) -> Any:
    if affinity not in NUMERIC or not NUMERAL.fullmatch(value):
        return str(value)
    number = _number(value, affinity)
    if str(number) != value:
        raise Misfit(f"the text {value!r} would become the number {number!r}; make it a number, or the column TEXT")
    return number


def _number(numeral: str, affinity: str) -> int | float:
    """The number that SQLite makes of a numeral; made here, for its own reading may be off by the last bit."""
    try:
        whole = int(numeral)
    except ValueError:
        whole = None
    if affinity != "REAL" and whole is not None and SMALLEST <= whole <= LARGEST:
        return whole
    number = float(numeral)
    if affinity != "REAL" and number.is_integer() and abs(number) < LARGEST:
        return int(number)
    return number


def _from_bytes(value: bytes | bytearray | memoryview, _: str) -> Any:
    return bytes(value)


def _from_moment(value: datetime, _: str) -> Any:
    return value.isoformat(" ")


def _from_date(value: date | time, _: str) -> Any:
    return value.isoformat()


def _from_uuid(value: UUID, affinity: str) -> Any:
    return _from_text(str(value), affinity)


def _from_list(value: list[Any] | tuple[Any, ...], _: str) -> Any:
    return _array(value)


def _array(value: Any) -> str:
    """PostgreSQL's own text of an array, which PostgreSQL reads back exactly."""
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(_array, value)) + "}"
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return '"' + _element(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _element(value: Any) -> str:
    """The text of an element, not yet quoted; within quotes PostgreSQL reads numbers too."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float | Decimal | datetime | date | time | UUID):
        return str(_convert(value, "TEXT", strict=False))
    raise Misfit(f"an array holds a {type(value).__name__}, which has no text that PostgreSQL reads back")


CONVERSIONS: tuple[tuple[type | tuple[type, ...], Callable[[Any, str], Any]], ...] = (
    (str, _from_text),
    (bool, _from_bool),
    (int, _from_int),
    (float, _from_float),
    (Decimal, _from_decimal),
    (bytes, _from_bytes),
    ((bytearray, memoryview), _from_bytes),
    (datetime, _from_moment),
    ((date, time), _from_date),
    (UUID, _from_uuid),
    ((list, tuple), _from_list),
)


def unbindable(columns: tuple[str, ...], row: tuple[Any, ...]) -> str | None:
    """Why sqlite3 cannot take a row, naming the column; None where it can."""
    for name, value in zip(columns, row, strict=True):
        if isinstance(value, str) and not is_utf8(value):
            return f"column {name}: the text {value!r} is not valid UTF-8"
        if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
            return f"column {name}: {value} is beyond SQLite's 64-bit integers; a TEXT column would hold it"
    return None
