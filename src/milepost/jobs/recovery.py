"""What to do with a checkpoint that is met: skip, start, resume, roll back first, or refuse. Pure."""

from __future__ import annotations

from enum import StrEnum

from milepost.jobs.state import Failure, Record, State

KILLED = Failure(kind="killed", message="killed: the process ended without a word")


class Decision(StrEnum):
    """What to do with a checkpoint before its step runs."""

    SKIP = "skip"  # complete: its recorded result is returned
    START = "start"  # nothing of it is half done
    RESUME = "resume"  # half done: it runs again, and sees that it is recovering
    ROLL_BACK = "roll back"  # half done: its rollback runs first
    REFUSE = "refuse"  # half rolled back, and the rollback is gone from the program


def decide(record: Record | None, *, has_rollback: bool, reopen: bool = False) -> Decision:
    """What the record says must happen. ``reopen``: a complete one is to go on, because something was added to it."""
    match record.state if record is not None else State.PENDING:
        case State.PENDING | State.ROLLED_BACK:
            return Decision.START
        case State.STARTED | State.FAILED:
            return Decision.ROLL_BACK if has_rollback else Decision.RESUME
        case State.ROLLING_BACK:
            return Decision.ROLL_BACK if has_rollback else Decision.REFUSE
        case State.COMPLETE:
            return Decision.START if reopen else Decision.SKIP


def recovers(record: Record | None) -> bool:
    """Whether the checkpoint was started before and did not complete."""
    return record is not None and record.attempt > 0 and record.state not in {State.PENDING, State.COMPLETE}


def last_failure(record: Record | None) -> Failure | None:
    """What ended the last attempt; None where there was none or it went well.

    A record that still says it is running belongs to a process that was killed. In a rollback likewise, unless
    the rollback itself failed and could note it.
    """
    if record is None or not recovers(record):
        return None
    if record.state is State.STARTED:
        return KILLED
    return record.failure or KILLED
