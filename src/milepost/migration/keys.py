"""Keys as positions: to JSON and back without losing anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from milepost.errors import Fatal
from milepost.jobs.state import JSON
from milepost.migration.source import Key

COMPACT = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
LONGEST = 1000  # digits of a number that is written out
EXACT = 2**53  # below it a float is one integer; beyond it stands for many, which may be keys of other rows

WRITE: dict[type, tuple[str, Callable[[Any], str]]] = {
    Decimal: ("decimal", str),
    datetime: ("datetime", datetime.isoformat),
    date: ("date", date.isoformat),
    time: ("time", time.isoformat),
    UUID: ("uuid", str),
    bytes: ("bytes", bytes.hex),
    float: ("float", repr),  # JSON has no infinity
}
READ: dict[str, Callable[[str], Any]] = {
    "decimal": Decimal,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "uuid": UUID,
    "bytes": bytes.fromhex,
    "float": float,
    "surrogates": lambda text: bytes.fromhex(text).decode("utf-8", "surrogatepass"),
}


def encode(key: Sequence[Any]) -> JSON:
    """The key as a JSON list: plain numbers and texts as they are, ``{"decimal": "1.10"}`` and the like for others.

    Text with lone surrogates (SQLite's that is not valid UTF-8) is ``{"surrogates": …}`` in hexadecimal digits.
    Raises Fatal for a value that cannot be a position.
    """
    return [value if type(value) is int else _encode(value) for value in key]


def decode(position: JSON) -> Key | None:
    """The key that was encoded; None for None."""
    return None if position is None else tuple(_decode(value) for value in position)


def canonical(key: Sequence[Any]) -> JSON:
    """Like ``encode``, but alike for values that are one key, whatever their types: 5, 5.0 and Decimal("5.00").

    A float that is so high that it stands for many integers is none of them.
    Decoded, it finds the same row in a database.
    """
    return [_encode(_plain_number(value)) for value in key]


def as_written(key: Key | None, given: JSON) -> JSON:
    """The key that the target has for a row in place of the one it was ``given``; None where it has no such row."""
    try:
        return None if key is None else canonical(key)
    except Fatal:  # it reads the key as a type that no position is of
        return given


def map_key(key: Sequence[Any], part: int = 0) -> str:
    """A source key as the key map holds it. ``part`` counts, from 0, the rows that one source row was split into."""
    texts = [str(value) if type(value) is int else COMPACT(_encode(_plain_number(value))) for value in key]
    if part:
        texts.append(f'{{"part":{part}}}')
    return f"[{','.join(texts)}]"


def unmap_key(text: str) -> tuple[Key, int]:
    """The source key and the part that ``map_key`` made the text of."""
    values = json.loads(text)
    part = values.pop()["part"] if isinstance(values[-1], dict) and "part" in values[-1] else 0
    return tuple(_decode(value) for value in values), part


def former(text: str, target: JSON) -> str:
    """Under which key the map holds a row, with its target key, that a source row came to before it came to another.

    Its part is negative, so that ``unmap_key`` tells it from a row that the source row is now.
    """
    key, part = unmap_key(text)
    mark = COMPACT({"part": -1 - part, "was": target})
    return f"{map_key(key)[:-1]},{mark}]"


def is_former(text: str) -> bool:
    """Whether the map holds a row under that key to which its source row came before it came to another."""
    return unmap_key(text)[1] < 0


def highest(values: Iterable[Any]) -> JSON:
    """The highest value, encoded as a key of one; None where there is none, or where they have no order."""
    known = [value for value in values if value is not None]
    try:
        return encode([max(known)]) if known else None
    except (TypeError, Fatal):
        return None


def _plain_number(value: Any) -> Any:
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < LONGEST:
        return int(value) if value == value.to_integral_value() else _without_zeros(value)
    return value


def _without_zeros(value: Decimal) -> Decimal:
    """1.10 as 1.1; unlike ``normalize`` it keeps every digit of a long one."""
    sign, digits, exponent = value.as_tuple()
    last = max(place for place, digit in enumerate(digits) if digit)
    return Decimal((sign, digits[: last + 1], int(exponent) + len(digits) - last - 1))


def _encode(value: Any) -> JSON:
    if isinstance(value, str):
        return value if _is_utf8(value) else {"surrogates": value.encode("utf-8", "surrogatepass").hex()}
    if isinstance(value, bool) or type(value) is int:
        return value
    if type(value) in WRITE:
        name, write = WRITE[type(value)]
        return {name: write(value)}
    raise Fatal(
        f"a key holds {value!r} of type {type(value).__name__}, which cannot be a position",
        hint="Choose key columns of number, text, date, time, uuid or bytes.",
    )


def _is_utf8(text: str) -> bool:
    """Whether it can be stored as it is. Text from SQLite that is not valid UTF-8 holds lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decode(value: JSON) -> Any:
    if isinstance(value, dict):
        ((name, text),) = value.items()
        return READ[name](text)
    return value


def shown(key: Sequence[Any]) -> str:
    """A key as it is told: ``'C17'``, ``5``, ``('a', 1)``."""
    parts = [repr(value) if isinstance(value, str | bytes) else str(value) for value in key]
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def readable_key(position: JSON) -> JSON:
    """What ``encode`` made, readable; anything else as it is."""
    try:
        return readable(decode(position)) if isinstance(position, list) else position
    except (KeyError, ValueError, AttributeError):
        return position


def readable(value: Any) -> JSON:
    """Any value of a row as JSON for people: what JSON does not have is text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return "\\x" + bytes(value).hex()
    if isinstance(value, list | tuple):
        return [readable(each) for each in value]
    if isinstance(value, dict):
        return {str(name): readable(each) for name, each in value.items()}
    return str(value)
