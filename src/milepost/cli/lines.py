"""JSON lines: one object a line on standard output, and nothing else there."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any, TextIO

from milepost.cli.streams import end_output
from milepost.jobs.event import Event
from milepost.jobs.ledger import Counts
from milepost.jobs.state import Failure


@contextmanager
def kept_for_json() -> Iterator[TextIO]:
    """Give standard output to the caller alone; what the user's own code prints goes to standard error meanwhile."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as out:
            yield out
    finally:
        end_output()
        os.dup2(kept, 1)
        os.close(kept)


def write_line(out: TextIO, document: Any) -> None:
    """One object, one line, at once."""
    out.write(json.dumps(document, ensure_ascii=False, default=_as_text) + "\n")
    out.flush()


def as_document(event: Event, at: datetime, hide: Callable[[str], str]) -> dict[str, Any]:
    """The event's name (``batch_committed``), time and fields; free text goes through ``hide``."""
    fields: dict[str, Any] = {
        name: asdict(value) if isinstance(value, Counts | Failure) else value for name, value in vars(event).items()
    }
    for name in ("message", "error"):
        if isinstance(fields.get(name), str):
            fields[name] = hide(fields[name])
    if fields.get("failure"):
        fields["failure"]["message"] = hide(fields["failure"]["message"])
    return {"event": _in_words(type(event).__name__), "at": at.isoformat(), **fields}


@cache
def _in_words(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
