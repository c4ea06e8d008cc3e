"""What a process of a round did, line by line in a file: it is all there when the process is killed."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milepost.crashtest.fault import Effect


class Journal:
    """Written by the process itself; each line goes out at once, by one system call."""

    def __init__(self, file: str) -> None:
        self._descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, **line: Any) -> None:
        os.write(self._descriptor, json.dumps(line).encode() + b"\n")


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the journal of one process says.

    ``effects`` are those that it came to, with what each was about. ``at`` is the number of the one at which the fault
    was played, None where the run ended before. ``rows`` were read after the run had begun. ``steps`` (writes of a Sink
    among them) and ``rollbacks`` count the calls of the user's functions, by path. ``end`` is "complete", "failed", or
    "" where the process could not say it any more. ``transactions`` are paths that used cp.transaction() or cp.each().
    ``began`` is how many seconds loading and opening took before the run had begun.
    ``answer`` is what a process says that was only asked.
    """

    effects: tuple[tuple[Effect, str], ...]
    at: int | None
    rows: int
    steps: Counter[str]
    rollbacks: Counter[str]
    end: str
    error: str
    hint: str | None = None
    answer: Mapping[str, Any] | None = None
    transactions: frozenset[str] = frozenset()
    began: float = 0.0

    @property
    def hit(self) -> tuple[str, str]:
        """The effect at which the fault was played, and what it was about; empty where none was."""
        return ("", "") if self.at is None else self.effects[self.at - 1]


def read_journal(file: Path) -> Told:
    """A line that was being written when the process ended is passed over; a file that is not there is empty."""
    text = file.read_bytes() if file.exists() else b""
    whole = text[: text.rfind(b"\n") + 1]
    lines = [json.loads(line) for line in whole.splitlines()]
    ends = [line for line in lines if "end" in line]
    effects = tuple((Effect(line["effect"]), line["about"]) for line in lines if "effect" in line)
    return Told(
        effects=effects,
        at=next((line["fault"] for line in lines if "fault" in line), None),
        rows=sum(line.get("rows", 0) for line in lines),
        steps=Counter(line["about"] for line in lines if line.get("effect") in {Effect.STEP, Effect.SINK_WRITE}),
        rollbacks=Counter(line["about"] for line in lines if line.get("effect") == Effect.ROLLBACK),
        end=ends[0]["end"] if ends else "",
        error=ends[0]["error"] if ends else "",
        hint=ends[0].get("hint") if ends else None,
        transactions=frozenset(line["transaction"] for line in lines if "transaction" in line),
        began=next((line["began"] for line in lines if "began" in line), 0.0),
        answer=next((line["answer"] for line in lines if "answer" in line), None),
    )
