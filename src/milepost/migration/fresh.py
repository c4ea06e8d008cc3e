"""Whether an object's table was empty when it began, so that whatever holds a key there came from this object."""

from __future__ import annotations

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.object import Object

FRESH = "fresh"


def fresh_of(known: dict[str, JSON], each: Object) -> bool | None:
    """What was remembered of it; None where nobody has looked at this table yet."""
    recorded = known.get(FRESH)
    return bool(recorded["fresh"]) if recorded and recorded["table"] == each.target.name else None


def note_fresh(checkpoint: Checkpoint, each: Object, *, fresh: bool) -> None:
    """Remember it, with the table that it is said of."""
    checkpoint.replace(FRESH, {"table": each.target.name, "fresh": fresh})
