"""Numbers, durations and values as people read them. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from milepost.jobs.state import JSON

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def number(count: int | None) -> str:
    """336776 is "336,776"; None is "?"."""
    return "?" if count is None else f"{count:,}"


def rows(count: int | None) -> str:
    """The number with its noun: "1 row", "336,776 rows"."""
    return f"{number(count)} row{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """The two largest units: "0.4s", "12s", "1m 12s", "3h 02m", "2d 05h"."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m {whole % MINUTE:02}s"
    if whole < DAY:
        return f"{whole // HOUR}h {whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d {whole % DAY // HOUR:02}h"


def placed(path: str, message: str) -> str:
    """What is said of a checkpoint, with its path in front unless the sentence begins with it."""
    return message if not path or message.startswith(f"{path} ") else f"{path}: {message}"


def moment(at: datetime | None) -> str:
    """A time of the store: "2026-11-23 12:28:44 UTC"."""
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def value(document: JSON, *, width: int = 60) -> str:
    """A position or key as JSON on one line, shortened to ``width`` characters."""
    if document is None:
        return ""
    text = json.dumps(document, ensure_ascii=False, default=str)
    return text if len(text) <= width else text[: width - 1] + "…"


def key(document: JSON, *, width: int = 60) -> str:
    """A key as the store keeps it, shortened: ``["2013-01-01", {"decimal": "1.10"}]`` is "2013-01-01, 1.10"."""
    if not isinstance(document, list) or not document:
        return value(document, width=width)
    text = ", ".join(_part(part) for part in document)
    return text if len(text) <= width else text[: width - 1] + "…"


def _part(part: JSON) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and len(part) == 1:
        return str(next(iter(part.values())))
    return json.dumps(part, ensure_ascii=False)
