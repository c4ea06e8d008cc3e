"""Whether an object's rows have in the target the key that they have at the source.

Of a plain copy that is declared. Of a function it is seen by the rows that it made: only then may a key of the target
be looked for among those of the source. Rows of different keys can hold the same number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from milepost.errors import Fatal
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.keys import canonical
from milepost.migration.object import Object
from milepost.migration.restructure import Restructured, picker
from milepost.migration.source import Key
from milepost.migration.table import Sink

KEPT_KEY = "kept key"  # under which name the object remembers what was seen
LOOKED_AT = 10  # rows of a batch


def keeps_key(each: Object, known: Mapping[str, JSON]) -> bool:
    """Whether children name the object's rows by the key that its source has, as far as is ``known`` of the object."""
    if each.is_mapped:
        return True
    if each.function is not None:
        return known.get(KEPT_KEY) is True
    columns = each.columns or {name: name for name in each.target_key}
    return tuple(columns.get(name) for name in each.target_key) == each.source_key


class KeptKey:
    """Looks at the rows that an object's function made, and remembers whether all of them kept their keys."""

    def __init__(self, checkpoint: Checkpoint, each: Object, known: Mapping[str, JSON]) -> None:
        self.checkpoint = checkpoint
        self.each = each
        self.kept: bool | None = known.get(KEPT_KEY)
        self.counts = each.function is not None and _has_children(each) and not _has_made_key(each)

    def look(self, batch: Restructured, key_of: Callable[[int], Key]) -> None:
        """Look at some rows of the batch, as the function made them. ``key_of`` gives a source row's key."""
        if not self.counts or self.kept is False or not batch.rows:
            return
        target_key = picker([batch.columns.index(name) for name in self.each.target_key])
        places = range(0, len(batch.rows), max(1, len(batch.rows) // LOOKED_AT))
        kept = all(_is_one_key(key_of(batch.origins[place]), target_key(batch.rows[place])) for place in places)
        if kept is not self.kept:
            self.checkpoint.beside(self.each.name).replace(KEPT_KEY, kept)
            self.kept = kept


def _is_one_key(source: Key, target: Key) -> bool:
    try:
        return bool(canonical(source) == canonical(target))
    except Fatal:  # of a type that no key is of
        return False


def _has_children(each: Object) -> bool:
    """Whether rows of other objects, or its own, name those of its table."""
    named = (parent.target.name for one in each.siblings for parent in one.parents.values())
    return not isinstance(each.target, Sink) and not each.is_mapped and each.target.name in named


def _has_made_key(each: Object) -> bool:
    """Whether the key holds an id that the target gives a parent: no source has it."""
    made = {name for columns, parent in each.parents.items() if parent.target_id is not None for name in columns}
    return not made.isdisjoint(each.target_key)
