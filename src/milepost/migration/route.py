"""The route of one object: its declaration, both ends, the limits, and how its batches become durable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from milepost.clock import Clock
from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.apart import Apart
from milepost.migration.gather import BatchLimits
from milepost.migration.object import Object
from milepost.migration.outside import Outside
from milepost.migration.sink import Sending
from milepost.migration.source import Source
from milepost.migration.table import Query, Sink, Table
from milepost.migration.target import Target
from milepost.migration.trial import Trial
from milepost.migration.way import Together, Way


@dataclass(frozen=True, kw_only=True)
class Route:
    """All that is needed to move one object: its declaration, both ends, and the limits.

    ``outside`` is given where the store is not in the target's database. ``accepted``: it is to go on although
    it is not as it was left. ``later`` are the parent columns that rows are loaded without, and that are set once all
    rows are in. ``deletes``: as the migration's. ``source_of`` gives another object's source, to be closed again.
    """

    object: Object
    source: Source
    target: Target
    limits: BatchLimits
    max_rejects: int | str
    clock: Clock
    trial: Trial | None = None  # of the function, on the first rows to come
    outside: Outside | None = None
    accepted: bool = False
    later: frozenset[tuple[str, ...]] = frozenset()
    deletes: str = "report"
    source_of: Callable[[Object], Source] | None = None

    @property
    def keeps_keys(self) -> bool:
        """Whether it is recorded of which source row each row of the target came."""
        return self.object.is_mapped or (self.deletes == "apply" and not isinstance(self.object.target, Sink))

    @property
    def modified(self) -> str | None:
        """The source's column that tells when a row was last changed."""
        place = self.object.source
        return place.modified if isinstance(place, Table | Query) else None

    def close(self) -> None:
        """Close what the route itself opened. The store is then the last to close a SQLite file, and folds its WAL."""
        self.source.close()
        self.target.close()
        if self.outside is not None:
            self.outside.close()


def way_of(checkpoint: Checkpoint, route: Route) -> Way:
    """How the object's batches become durable."""
    if isinstance(route.object.target, Sink):
        return Apart(checkpoint, Sending(route.object.target, checkpoint), route.object)
    if route.outside is None:
        return Together(checkpoint)
    return Apart(checkpoint, route.outside, route.object, accepted=route.accepted)
