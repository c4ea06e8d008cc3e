"""Keys as positions: to JSON and back without losing anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from milepost.errors import Fatal
from milepost.jobs.state import JSON
from milepost.migration.source import Key

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
    return [_encode(value) for value in key]


def decode(position: JSON) -> Key | None:
    """The key that was encoded; None for None."""
    return None if position is None else tuple(_decode(value) for value in position)


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
