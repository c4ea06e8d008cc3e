"""Values that are kept as JSON: checked when they are given, never at replay."""

from __future__ import annotations

import json

from milepost.errors import Fatal
from milepost.jobs.state import JSON

_TEXT = json.JSONEncoder(allow_nan=False, ensure_ascii=False)
_WIDEST = 2**63  # beyond it Python may refuse to write a number down


def as_json(value: object, what: str, *, hint: str | None = None) -> JSON:
    """``value`` as it will be read back, so that the first run sees exactly what a replay sees.

    JSON is None, bool, int, float, str, list, and dict with str keys. A tuple is refused too: it would come back
    as a list. Raises Fatal, naming ``what``, for NaN, infinity, and everything that does not come back equal.
    """
    if is_plain(value):
        return value
    try:
        text = _TEXT.encode(value)
        text.encode()
        read = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_json(value, what, str(error), hint) from error
    if read != value:
        raise _not_json(value, what, "it would be read back as something else", hint)
    return read


def is_plain(value: object) -> bool:
    """Whether a look is enough to know that it comes back as it is. False says nothing."""
    if isinstance(value, str):
        return type(value) is str and value.isascii()
    if isinstance(value, int):
        return type(value) is bool or (type(value) is int and -_WIDEST < value < _WIDEST)
    return value is None


def _not_json(value: object, what: str, reason: str, hint: str | None) -> Fatal:
    return Fatal(
        f"{what} is not JSON ({type(value).__name__}): {reason}",
        hint=hint or "Use None, bool, int, finite float, str, list, and dict with str keys (a list, not a tuple).",
    )
