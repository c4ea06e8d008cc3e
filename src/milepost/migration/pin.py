"""What is fixed when a migration starts, so that a resumed run does the same: ends, row counts and definitions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256

from milepost.errors import DefinitionChanged
from milepost.jobs.state import JSON, State
from milepost.migration.definition import NONE_LATER, Later, definition, difference
from milepost.migration.keys import encode
from milepost.migration.limit import stay_rejected
from milepost.migration.object import Object
from milepost.migration.source import Source

HALF_DONE = {State.STARTED, State.FAILED, State.ROLLING_BACK, State.ROLLED_BACK}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """``end`` is the highest key, encoded (None: no bound), ``rows`` how many there are up to it (None: unknown)."""

    definition: JSON
    end: JSON
    rows: int | None

    @property
    def fingerprint(self) -> str:
        """A short text that is another one for another definition."""
        return sha256(json.dumps(self.definition, sort_keys=True).encode()).hexdigest()[:16]

    def as_json(self) -> JSON:
        return {"definition": self.definition, "end": self.end, "rows": self.rows}


def name_of(path: str) -> str:
    """Under which name the job remembers the pin of an object."""
    return f"pin {path}"


def recorded(values: dict[str, JSON], each: Object) -> Pin | None:
    """The pin among the job's remembered values; None where the object has none, or was rewound."""
    found = values.get(name_of(each.name))
    return None if found is None else Pin(**found)


def freeze(each: Object, source: Source, database: str | None, later: Later = NONE_LATER) -> Pin:
    """Look at the source as it is now. ``database`` says which one it is, ``later`` which parents are set later."""
    highest = source.highest()
    rows = source.count(highest)
    return Pin(
        definition=definition(each, database, later), end=None if highest is None else encode(highest), rows=rows
    )


def reads_otherwise(pin: Pin, now: JSON) -> bool:
    """Whether the definition ``now`` reads other rows than the pinned one, so that its end must be looked at again."""
    return any(pin.definition.get(name) != now[name] for name in ("database", "source"))


def check_definition(
    each: Object,
    state: State,
    pin: Pin | None,
    database: str | None,
    *,
    accepted: bool,
    rejected: int = 0,
    later: Later = NONE_LATER,
) -> str | None:
    """What to tell of a complete object that is declared otherwise now; None where there is nothing to tell.

    ``database`` is the one that its source is in now. ``accepted``: a half-done one may go on under the new definition.
    ``rejected``: how many of its rows are rejected durably. ``later`` are the parents that are set later.

    Raises DefinitionChanged, with the difference and the ways out, where the object is half done.
    """
    changes = difference(pin.definition, definition(each, database, later)) if pin is not None else ""
    if pin is None or not changes or state is State.PENDING:
        return None
    if state in HALF_DONE and pin.definition["source"]["key"] != list(each.source_key):
        raise DefinitionChanged(
            f"{each.name} is half done in the order of another key, and its position means nothing to the new one:"
            f"\n{changes}",
            hint=f"Start the object again (milepost rewind FILE {each.name}), or put the old key back.",
        )
    if state in HALF_DONE and accepted:
        return None
    if state in HALF_DONE:
        raise DefinitionChanged(
            f"{each.name} is half done, and is not declared as it was when it started:\n{changes}",
            hint=f"Three ways out: go on with the new definition for the rest (--accept-changed {each.name}), start the"
            f" object again (milepost rewind FILE {each.name}), or put the old definition back."
            + stay_rejected(each.name, rejected),
        )
    return f"{each.name} is complete and was moved under another definition; rewind it to move it again:\n{changes}"
