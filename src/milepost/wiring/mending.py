"""Loading again, under the job's own lease, what a comparison found wrong, and deleting what nothing accounts for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.deleting import Deleting, Family
from milepost.migration.keys import canonical, decode
from milepost.migration.links import set_links
from milepost.migration.object import Object
from milepost.migration.orphaned import load_orphans
from milepost.migration.passes import Pass, path_of
from milepost.migration.pin import Pin
from milepost.migration.repair import REPAIR, Pages, repair
from milepost.migration.route import Route
from milepost.migration.vanished import PAGE


class Mending:
    """One pass of repairs, ``this``: ``root`` is the job's own checkpoint, ``routes`` are of all objects."""

    def __init__(
        self, root: Checkpoint, this: Pass, routes: Mapping[str, Route], pin_of: Callable[[Object], Pin]
    ) -> None:
        self.root = root
        self.this = this
        self.routes = routes
        self.pin_of = pin_of

    def load(self, each: Object, pages: Pages) -> None:
        """Load the rows of these pages again."""
        route = self.routes[each.name]
        self.root.call(self._path(each), partial(repair, route=route, pin=self.pin_of(each), pages=pages))
        route.close()

    def set_links(self, objects: Sequence[Object]) -> None:
        """Set the columns that are set once all rows are in, of the rows that were loaded again."""
        for each in objects:
            self._set_links(each, self._path(each))

    def deletes(self, each: Object) -> bool:
        """Whether rows of the object that nothing accounts for are deleted."""
        return self.routes[each.name].deletes == "apply"

    def delete(self, each: Object, keys: Sequence[JSON]) -> int:
        """Delete the rows with these target keys that are surely ours, with what refers to them. Returns how many."""
        self.root.call(f"{self._path(each)}/deletes", partial(self._delete, each=each, keys=keys))
        record = self.root.store.get(f"{self._path(each)}/deletes")
        return 0 if record is None else record.counts.loaded

    def load_orphans(self, objects: Sequence[Object]) -> None:
        """Load again, or reject, what was deleted with what it refers to, also by repairs that were interrupted."""
        paths = [f"{path}/deletes" for path in (*self.this.unsettled, *map(self._path, objects))]
        records = [(path, self.root.store.get(path)) for path in paths]
        deletes = {path: record.batches for path, record in records if record is not None and record.batches}
        for each in objects if deletes else ():
            route, path = self.routes[each.name], f"{self._path(each)}/again"
            self.root.call(path, partial(load_orphans, route=route, pin=self.pin_of(each), deletes=deletes))
            self._set_links(each, path)
            route.close()

    def _path(self, each: Object) -> str:
        return path_of(each.name, REPAIR, self.this.number)

    def _set_links(self, each: Object, path: str) -> None:
        set_links(self.root, self.routes[each.name], path)
        self.routes[each.name].close()

    def _delete(self, checkpoint: Checkpoint, *, each: Object, keys: Sequence[JSON]) -> JSON:
        """A page at a time; the pages that an earlier run deleted are passed over."""
        checkpoint.expect(None)
        deleting = Deleting(checkpoint, Family(routes=self.routes), each.name)
        for start in range(checkpoint.batches * PAGE, len(keys), PAGE):
            page = [canonical(decode(key) or ()) for key in keys[start : start + PAGE]]
            deleting.delete(checkpoint.store.mapped_from(each.name, page))
        for route in self.routes.values():
            route.close()
        return None
