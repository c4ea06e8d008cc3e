"""Which parent columns can be left out of a row and set once all rows are in."""

from __future__ import annotations

from contextlib import closing

from milepost.migration.object import Object
from milepost.wiring.openers import Openers
from milepost.wiring.places import Places


def why_not_later(each: Object, columns: tuple[str, ...], openers: Openers, places: Places) -> str | None:
    """Why these columns of the object's target cannot be NULL at first; None where they can. Reads only."""
    if not set(columns).isdisjoint(each.target_key):
        return "is part of the key" if len(columns) == 1 else "are part of the key"
    with closing(openers.target(each, places.target)) as target:
        described = target.describe()
    found = [column for name in columns if (column := described.column(name)) is not None]
    return None if all(column.nullable for column in found) else "may not be NULL"
