"""Values to and from what a store's columns hold; the same rules for every store, so that all behave alike."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from hashlib import blake2b

from milepost.errors import StoreError
from milepost.jobs.state import JSON

LARGE_RESULT = 4096  # characters of JSON; beyond it a result is read only when it is asked for

_TEXT = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # no database text holds them all


def encode(value: JSON, what: str) -> str | None:
    """JSON as ASCII text, null as None. Raises StoreError for what JSON does not have, NaN among it."""
    if value is None:
        return None
    try:
        return _TEXT.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(
            f"{what} is not JSON: {error}",
            hint="Only None, bool, int, finite float, str, list and dict can be recorded.",
        ) from error


def decode(text: str | None) -> JSON:
    """What ``encode`` was given."""
    return None if text is None else json.loads(text)


def same_name(text: str, what: str) -> str:
    """``text``, which identifies something and so is never changed. Raises StoreError where it cannot be kept."""
    if _UNSTORABLE.search(text):
        raise StoreError(
            f"the {what} {text!a} holds a character that cannot be stored", hint="Leave out U+0000 and lone surrogates."
        )
    return text


def readable(text: str) -> str:
    """``text``, which is for people, with characters that cannot be stored shown as U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def moment(value: str | datetime) -> datetime:
    """A time as a database gives it, as a datetime in UTC."""
    return (datetime.fromisoformat(value) if isinstance(value, str) else value).astimezone(UTC)


def moment_or_none(value: str | datetime | None) -> datetime | None:
    """The same for a column that may be NULL."""
    return None if value is None else moment(value)


def number_of(name: str) -> int:
    """64 bits that stand for ``name``, the same in every process, signed."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), signed=True)


def slug_of(name: str) -> str:
    """``name`` as part of a file's or application's name: legible, and different for different names."""
    legible = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:24]
    return f"{legible}-{number_of(name) & 0xFFFFFFFF:08x}"
