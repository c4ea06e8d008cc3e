"""What is fixed when a migration starts, so that a resumed run does the same: ends, row counts and definitions."""

from __future__ import annotations

from dataclasses import dataclass

from milepost.errors import DefinitionChanged
from milepost.jobs.state import JSON, State
from milepost.migration.definition import definition, difference
from milepost.migration.keys import encode
from milepost.migration.object import Object
from milepost.migration.source import Source

HALF_DONE = {State.STARTED, State.FAILED, State.ROLLING_BACK, State.ROLLED_BACK}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """``end`` is the highest key, encoded (None: no bound), ``rows`` how many there are up to it (None: unknown)."""

    definition: JSON
    end: JSON
    rows: int | None

    def as_json(self) -> JSON:
        return {"definition": self.definition, "end": self.end, "rows": self.rows}


def name_of(path: str) -> str:
    """Under which name the job remembers the pin of an object."""
    return f"pin {path}"


def recorded(values: dict[str, JSON], each: Object) -> Pin | None:
    """The pin among the job's remembered values; None where the object has none, or was rewound."""
    found = values.get(name_of(each.name))
    return None if found is None else Pin(**found)


def freeze(each: Object, source: Source) -> Pin:
    """Look at the source as it is now."""
    highest = source.highest()
    rows = source.count(highest)
    return Pin(definition=definition(each), end=None if highest is None else encode(highest), rows=rows)


def check_definition(each: Object, state: State, pin: Pin | None) -> str | None:
    """What to tell of a complete object that is declared otherwise now; None where there is nothing to tell.

    Raises DefinitionChanged, with the difference and the ways out, where the object is half done.
    """
    changes = difference(pin.definition, definition(each)) if pin is not None else ""
    if not changes or state is State.PENDING:
        return None
    if state in HALF_DONE:
        raise DefinitionChanged(
            f"{each.name} is half done, and is not declared as it was when it started:\n{changes}",
            hint=f"Three ways out: go on with the new definition for the rest (--accept-changed {each.name}), start the"
            f" object again (milepost rewind FILE {each.name}), or put the old definition back.",
        )
    return f"{each.name} is complete and was moved under another definition; rewind it to move it again:\n{changes}"
