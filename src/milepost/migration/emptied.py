"""A target table that holds no row any more, though rows were loaded into it: what is to be said, or refused. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from milepost.errors import MilepostError, PlanError
from milepost.jobs.state import Record, State
from milepost.migration.object import Object


def should_hold_rows(each: Object, records: Mapping[str, Record]) -> bool:
    """Whether the object's table must hold a row, unless somebody else took them out. ``records`` are the whole job's.

    Not so while the object's own rollback is to run, or was killed in the middle of it; nor where what was deleted
    because its source row was gone, or with what it referred to, may be all that there was.
    """
    record = records.get(each.name)
    if record is None or record.counts.loaded + record.counts.unchanged <= _deleted(each, records):
        return False
    if any(_deleted(parent, records) for parent in _above(each)):
        return False
    return record.state is State.COMPLETE or each.undo is None


def _deleted(each: Object, records: Mapping[str, Record]) -> int:
    """How many rows of the object its own passes deleted."""
    own = (record for path, record in records.items() if path.startswith(f"{each.name}/") and path.endswith("/deletes"))
    return sum(record.counts.loaded for record in own)


def _above(each: Object) -> list[Object]:
    """All objects to whose rows its rows refer, directly or not."""
    found: dict[str, Object] = {}
    left = list(each.parents.values())
    while left:
        parent = left.pop()
        if parent.name not in found:
            found[parent.name] = parent
            left += parent.parents.values()
    return list(found.values())


def judge_empty(each: Object, record: Record, trouble: MilepostError | None, *, accepted: bool) -> str | None:
    """What to tell of such a table; None where ``accepted`` says to go on behind what was lost.

    ``trouble`` is given where it could not be looked at, which is told where it is not needed any more, else raised.
    Raises PlanError, with the ways out, where the object is half done: going on would leave out what was loaded before.
    """
    complete = record.state is State.COMPLETE
    if trouble is not None:
        if complete:
            return f"{each.name} is complete; its table {each.target.name} could not be looked at: {trouble.message}"
        raise trouble
    rows = record.counts.loaded + record.counts.unchanged
    if complete:
        return (
            f"{each.name} is complete, but its table {each.target.name} holds no row, though {rows:,} were loaded into"
            f" it: milepost rewind FILE {each.name} moves it again."
        )
    if accepted:
        return None
    raise PlanError(
        f"{each.name} is half done, and its table {each.target.name} is empty now, though {rows:,} rows were loaded"
        " into it: somebody deleted them since",
        hint=f"Three ways out: start the object again (milepost rewind FILE {each.name}), put the rows back, or go on"
        f" behind them, without them (--accept-changed {each.name}).",
    )
