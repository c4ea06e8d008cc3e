"""The states of a checkpoint and the one table of allowed moves.

1. Everything that changes a checkpoint's state goes through ``MOVES``: one at a time by :func:`move`; a store that
   changes many in a statement takes the states from :func:`moved`.
2. This file does no I/O and knows neither store nor step. A move that is not in the table raises and changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from milepost.jobs.ledger import NO_ROWS, Counts

_RESULTS = json.JSONDecoder()

JSON = Any  # a value that json.dumps takes and json.loads gives back equal


class State(StrEnum):
    """Where a checkpoint stands."""

    PENDING = "pending"  # never started, or forgotten: a store need not keep a record of it
    STARTED = "started"  # running, or was when its process died
    FAILED = "failed"  # an attempt ended with an error or an interrupt that could still be recorded
    ROLLING_BACK = "rolling back"  # the user's rollback is running, or was when its process died
    ROLLED_BACK = "rolled back"  # undone; not started again yet
    COMPLETE = "complete"


class Move(StrEnum):
    """What can happen to a checkpoint."""

    START = "start"
    FAIL = "fail"
    ROLL_BACK = "roll back"
    FINISH_ROLLBACK = "finish rollback"
    COMPLETE = "complete"
    REOPEN = "reopen"
    FORGET = "forget"  # it is rewound, or undone with a step above it
    REWIND = "rewind"  # something below it is forgotten


MOVES: dict[State, dict[Move, State]] = {
    State.PENDING: {Move.START: State.STARTED, Move.FORGET: State.PENDING},
    State.STARTED: {
        Move.START: State.STARTED,  # its process was killed; the next attempt resumes
        Move.FAIL: State.FAILED,
        Move.ROLL_BACK: State.ROLLING_BACK,
        Move.COMPLETE: State.COMPLETE,
        Move.FORGET: State.PENDING,
    },
    State.FAILED: {
        Move.START: State.STARTED,
        Move.ROLL_BACK: State.ROLLING_BACK,
        Move.FORGET: State.PENDING,
    },
    State.ROLLING_BACK: {
        Move.ROLL_BACK: State.ROLLING_BACK,  # killed in the middle of it, it runs again
        Move.FAIL: State.ROLLING_BACK,  # the rollback itself raised; only the error is noted
        Move.FINISH_ROLLBACK: State.ROLLED_BACK,
        Move.FORGET: State.PENDING,
    },
    State.ROLLED_BACK: {Move.START: State.STARTED, Move.FORGET: State.PENDING},
    State.COMPLETE: {
        Move.REOPEN: State.STARTED,  # a job that was complete goes on when something was added to it
        Move.REWIND: State.FAILED,  # so that it is entered again; any other state is entered anyway
        Move.FORGET: State.PENDING,
    },
}


class IllegalMove(Exception):
    """A move that the table does not have: an error in Milepost itself, never in a user's job."""


def move(state: State, happening: Move) -> State:
    """The state after ``happening``; raises :class:`IllegalMove` where the table has none."""
    try:
        return MOVES[state][happening]
    except KeyError:
        raise IllegalMove(f"a checkpoint that is {state} cannot {happening}") from None


def moved(happening: Move) -> dict[State, State]:
    """Every state to which it can happen, with the state after."""
    return {state: row[happening] for state, row in MOVES.items() if happening in row}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a checkpoint is not complete; ``message`` says it in words.

    ``kind`` is "error", "killed" or "interrupted" for what ended the last attempt, "rewound" where that one was
    complete and something below it was forgotten since.
    """

    kind: str
    message: str


REWOUND = Failure(kind="rewound", message="something below it was forgotten, to be done again")


@dataclass(frozen=True, kw_only=True)
class Record:
    """A checkpoint as the store keeps it.

    ``path`` is "" for the job itself. ``attempt`` counts the STARTs. ``position`` is the latest that is durable: what
    ``save`` recorded, or the high end of the path's last ledger entry. ``counts`` sums the path's ledger.
    ``batches`` is the number of its ledger entries. ``changed_at`` is the store's time of the latest durable
    sign of this checkpoint. Times are the store's own, with a zone.
    """

    path: str
    state: State = State.PENDING
    attempt: int = 0
    position: JSON = None
    result: JSON = None
    failure: Failure | None = None
    counts: Counts = NO_ROWS
    batches: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    changed_at: datetime | None = None


class Completed(NamedTuple):
    """A complete checkpoint, as one who passes over it needs it. ``text`` is its result as JSON text, None for null."""

    path: str
    text: str | None
    counts: Counts

    @property
    def result(self) -> JSON:
        """The result, made anew each time."""
        return None if self.text is None else _RESULTS.raw_decode(self.text)[0]
