"""Delete from the target what is gone at the source, with the rows that refer to it; those are loaded again after it.

1. Children first. What refers to a row that is to go is deleted before it, but for columns that are set later: these
   become NULL.
2. A row is only deleted if the key map knows it to be ours. One that is somebody else's, or that the database holds on
   to, stays, and so does what it refers to.
3. What was deleted with its parent is to be loaded again: whether it is a reject then, is its source's business. Until
   then the key map has it under the batch that deleted it, so that a crash loses none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import WITNESS
from milepost.jobs.ledger import Counts
from milepost.migration.keys import as_written, canonical, decode, is_former, map_key, unmap_key
from milepost.migration.ranges import Batch
from milepost.migration.resolve import Edge, edges_of
from milepost.migration.route import Route, way_of
from milepost.migration.source import Key
from milepost.migration.target import Loading
from milepost.migration.vanished import Mapped


@dataclass(frozen=True, kw_only=True)
class Family:
    """The routes of all objects that go to one database, by the objects' names."""

    routes: Mapping[str, Route]

    def fill(self, route: Route) -> Iterator[Route]:
        """All that fill the route's table, itself too."""
        return (each for each in self.routes.values() if _table(each) == _table(route))

    def children(self, route: Route) -> Iterator[tuple[Edge, Route]]:
        """Every way in which rows of an object refer to the route's table. Objects that fill one table count once."""
        seen = set()
        for each in self.routes.values():
            for edge in edges_of(each.object):
                place = (_table(each), edge.columns)
                if _table(self.routes[edge.parent.name]) == _table(route) and place not in seen:
                    seen.add(place)
                    yield edge, each


def _table(route: Route) -> tuple[str, str | None]:
    return route.object.target.name, route.object.target.database


class Deleting:
    """One object's deletions in one pass, at their own checkpoint."""

    def __init__(self, checkpoint: Checkpoint, family: Family, name: str) -> None:
        self.checkpoint = checkpoint
        self.family = family
        self.route = family.routes[name]
        self.store: BoundStore = checkpoint.store

    def delete(self, rows: Sequence[Mapped]) -> None:
        """Delete these rows of the object, in one transaction with all that refers to them."""
        way = way_of(self.checkpoint, self.route)
        outside = self.route.outside is not None
        with way.transaction() as connection:
            removal = Removal(connection, self.family, self.store, (self.checkpoint.path, self.checkpoint.batches + 1))
            kept = removal.remove(self.route, dict(rows))
            if not outside:
                self._done(rows, removal, kept)
        if outside:
            with self.checkpoint.transaction():
                self._done(rows, removal, kept)

    def _done(self, rows: Sequence[Mapped], removal: Removal, kept: set[str]) -> None:
        """Forget what is gone. In an outside target it is gone already: killed before this, it is deleted once more."""
        gone = [text for text, _ in rows if text not in kept]
        self.store.unmap(self.route.object.name, gone)
        for name in removal.touched if self.route.outside is not None else ():
            self.checkpoint.beside(name).replace(WITNESS, None)  # it may be among them
        deleted = [text for text in gone if (self.route.object.name, text) not in removal.of_others]
        counts = Counts(read=len(rows), loaded=len(deleted), unchanged=len(rows) - len(deleted))
        self.checkpoint.append(self.checkpoint.position, self.checkpoint.batches + 1, counts)


class Removal:
    """What is removed in one transaction. ``batch`` marks the rows that are to be loaded again after it."""

    def __init__(self, connection: object, family: Family, store: BoundStore, batch: Batch) -> None:
        self.connection = connection
        self.family = family
        self.store = store
        self.batch = batch
        self.touched: set[str] = set()
        self.of_others: set[tuple[str, str]] = set()  # by object: source keys whose rows are another source row's now

    def remove(self, route: Route, rows: Mapping[str, object]) -> set[str]:
        """Delete these rows, by their source keys as the key map has them; returns those that had to stay."""
        self.touched.add(route.object.name)
        written = self._as_written(route, rows)
        theirs = self._of_others(route, written)
        self.of_others |= {(route.object.name, text) for text, key in written.items() if _text(key) in theirs}
        mine = {text: key for text, key in written.items() if _text(key) not in theirs}
        held = self._remove_children(route, list(mine.values()))
        doomed = [key for key in mine.values() if _text(key) not in held]
        outcome = route.target.delete(self.connection, doomed)
        held |= {_text(doomed[one.index]) for one in outcome.refused}
        return {text for text in rows if text not in written or (text in mine and _text(mine[text]) in held)}

    def _as_written(self, route: Route, rows: Mapping[str, object]) -> dict[str, Key]:
        """Their target keys as the target has written them. Without those of which nobody knows which row they are."""
        known = {text: key for text, target in rows.items() if (key := decode(target))}
        table, columns = route.object.target.name, route.object.target_key
        found = route.target.find(self.connection, table, columns, columns, list(known.values()))
        written = (decode(as_written(there, None)) for there in found)
        return {text: there or key for (text, key), there in zip(known.items(), written, strict=True)}

    def _of_others(self, route: Route, rows: Mapping[str, Key]) -> set[str]:
        """The target keys among these to which some other source row is mapped: a key that was used again."""
        targets = [canonical(key) for key in rows.values()]
        return {
            _text(decode(target) or ())
            for each in self.family.fill(route)
            for text, target in self.store.mapped_from(each.object.name, targets)
            if (each is not route or text not in rows) and not is_former(text)
        }

    def _remove_children(self, route: Route, keys: list[Key]) -> set[str]:
        """Remove what refers to rows with these target keys. Returns the keys of rows to which something still does."""
        held: set[str] = set()
        for edge, child in self.family.children(route):
            values = self._referred_by(edge, route, keys)
            found = child.target.referring(self.connection, edge.columns, [value for value, _ in values.values()])
            if not found:
                continue
            own = [key for _, key in found]
            if edge.columns in child.later:
                self._set_null(edge, child, own)
                stays: set[str] = set()
            else:
                stays = self._remove_orphans(child, own)
            for value, key in found:
                if _text(key) in stays:
                    known = values.get(_text(value))  # None: in the target it looks otherwise; then all stay
                    held |= {_text(known[1])} if known else set(map(_text, keys))
        return held

    def _referred_by(self, edge: Edge, route: Route, keys: list[Key]) -> dict[str, tuple[Key, Key]]:
        """What the child's columns hold for each of these rows, with its key; by its text."""
        if not edge.gives_id or (edge.parent.target_id,) == route.object.target_key:
            return {_text(key): (key, key) for key in keys}
        wanted = (edge.parent.target_id or "",)
        table = route.object.target
        ids = route.target.find(self.connection, table.name, route.object.target_key, wanted, keys)
        return {_text(one): (one, key) for one, key in zip(ids, keys, strict=True) if one is not None}

    def _remove_orphans(self, child: Route, keys: list[Key]) -> set[str]:
        """Delete rows whose parent goes, and mark them to be loaded again. Returns those that had to stay."""
        stays = {_text(key) for key in keys}
        for each in self.family.fill(child):
            rows = self._parts_of(each, self._mapped_from(each, keys))
            if not rows:
                continue
            kept = self.remove(each, rows)
            again = [(text, target) for text, target in rows.items() if text not in kept]
            self.store.map_keys(each.object.name, self.batch, again)
            stays -= {_text(decode(target) or ()) for _, target in again}
        return stays

    def _mapped_from(self, route: Route, keys: list[Key]) -> list[Mapped]:
        return self.store.mapped_from(route.object.name, [canonical(key) for key in keys])

    def _parts_of(self, route: Route, rows: list[Mapped]) -> dict[str, object]:
        """With the other rows that their source rows were split into: they go together or not at all."""
        found: dict[str, object] = dict(rows)
        sources = list(dict.fromkeys(unmap_key(text)[0] for text, _ in rows))
        for part in count():
            more = self.store.mapped(route.object.name, [map_key(key, part) for key in sources])
            if not more:
                return found
            found |= more
        raise AssertionError  # count() has no end

    def _set_null(self, edge: Edge, child: Route, keys: list[Key]) -> None:
        """Take the reference out of rows that stay, and mark them to be loaded again: whom it meant is gone."""
        columns = (*child.object.target_key, *edge.columns)
        empty = (None,) * len(edge.columns)
        loading = Loading(columns=columns, key=child.object.target_key, fresh=False)
        child.target.update(self.connection, [(*key, *empty) for key in keys], loading)
        for each in self.family.fill(child):
            self.store.map_keys(each.object.name, self.batch, self._mapped_from(each, keys))


def _text(key: Sequence[object]) -> str:
    return map_key(key)
