"""What a migration would do, as values to be shown. Making one writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.jobs.ledger import NO_ROWS, Counts
from milepost.jobs.state import State

EXACTLY_ONCE = "exactly once: rows and checkpoint commit together"
SETTLED = "in doubt known, settled by the server: it tells whether the last batch before a crash was committed"
REPLAYED = "in doubt known, replayed by upsert: the last batch before a crash is loaded again on ({key})"
SENT_AGAIN = "in doubt known, sent again: {name} is told that the last batch before a crash may be there, by ({key})"


@dataclass(frozen=True, kw_only=True)
class ObjectPlan:
    """One object of the plan, in the order of moving. ``promise`` is what it gets should the run die.

    ``rows`` is the number of source rows in all (None: unknown). ``loading`` is "direct" (straight into an empty table)
    or "staged" (by a temporary table, to upsert), or "sent" (by the user's own function). ``done`` is what the ledger
    holds. ``notes`` are for people; ``warnings`` too: of what the target may do that nobody expects.
    """

    name: str
    source: str
    target: str
    parents: tuple[str, ...]
    rows: int | None
    loading: str
    promise: str = EXACTLY_ONCE
    state: State = State.PENDING
    done: Counts = NO_ROWS
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The whole plan; URLs have their passwords hidden."""

    job: str
    store: str
    source: str | None
    target: str | None
    objects: tuple[ObjectPlan, ...]
