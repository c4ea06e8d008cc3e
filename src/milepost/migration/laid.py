"""A batch laid ready for its target, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from milepost.jobs.state import JSON
from milepost.migration.keys import map_key
from milepost.migration.resolve import Resolved
from milepost.migration.restructure import Restructured, Unmoved
from milepost.migration.source import Key, Row

KeyOf = Callable[[int], Key]
"""The source key of the row at that index of the batch."""


@dataclass(frozen=True, kw_only=True)
class Laid:
    """Rows as they are handed to the target, and where in the batch they come from.

    ``texts`` are their source keys as the key map has them, where they are in it.
    """

    batch: Restructured
    resolved: Resolved
    columns: tuple[str, ...]
    rows: list[Row]
    texts: Sequence[str] | None = None

    def origin(self, index: int) -> int:
        """The index of the source row that ``rows[index]`` came from."""
        return self.batch.origins[self.resolved.places[index]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a batch. ``refused`` counts by source rows; a row that was split may be in it more than once.

    ``last`` is the target key of the last row that went in. ``mapped`` and ``links`` are what the store is to keep of
    the rows that went in; ``links`` is None where no column is set later.
    """

    loaded: int = 0
    unchanged: int = 0
    refused: list[Unmoved] = field(default_factory=list)
    last: Key | None = None
    mapped: Sequence[tuple[str, JSON]] = ()
    links: Sequence[JSON] | None = None


def map_keys_of(batch: Restructured, places: Sequence[int], key_of: KeyOf) -> list[str]:
    """The source keys of these rows for the key map; of the parts of one source row each has its own."""
    origins = batch.origins
    if not batch.splits:
        return [map_key(key_of(origins[place])) for place in places]
    seen: Counter[int] = Counter()
    parts: list[int] = []
    for origin in origins:
        parts.append(seen[origin])
        seen[origin] += 1
    return [map_key(key_of(origins[place]), parts[place]) for place in places]
