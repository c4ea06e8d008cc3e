"""Load one restructured batch inside a transaction: parents resolved, ids given, later columns left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.holders import taken_by_others
from milepost.migration.identify import identify
from milepost.migration.keys import as_written, canonical, decode, encode
from milepost.migration.laid import KeyOf, Laid, Outcome, map_keys_of
from milepost.migration.missing import explained
from milepost.migration.resolve import Lookup, Orphan, Resolved, edges_of, key_as_json, link_value, resolve
from milepost.migration.restructure import Restructured, Unmoved, masked, picker
from milepost.migration.route import Route
from milepost.migration.source import Key, Row
from milepost.migration.target import Loaded, Loading, Refused
from milepost.migration.vanished import Mapped

Again = Callable[[list[Row]], tuple[Restructured, KeyOf]]
"""Restructures source rows that are not of the batch."""


class Loader:
    """Loads the batches of one object."""

    def __init__(self, checkpoint: Checkpoint, route: Route) -> None:
        self.checkpoint = checkpoint
        self.route = route
        edges = edges_of(route.object)
        self.edges = [edge for edge in edges if edge.columns not in route.later]
        self.later = [edge for edge in edges if edge.columns in route.later]

    def load(
        self,
        connection: object,
        batch: Restructured,
        key_of: KeyOf,
        *,
        fresh: bool,
        old: bool,
        inserts: Collection[int] = (),
        again: Again | None = None,
    ) -> Outcome:
        """Load the rows. ``inserts`` are the source rows that must not change a row that is there.

        ``again`` is given where they may meet rows of others: it restructures those, as they are at the source now. A
        row that comes to the key of another is a duplicate then.

        ``fresh``: as a :class:`~milepost.migration.target.Loading` has it. ``old``: a later column of a row that is
        there may hold something; not so in a replay of rows that were new, whose links were never set.
        The batch stays as it is, so that it can be loaded again without some of its rows.
        """
        laid = self._lay(connection, batch, key_of)
        apart = {index for index in range(len(laid.rows)) if laid.origin(index) in inserts} if inserts else set()
        if again is not None and laid.texts is not None:
            apart |= self._taken(connection, laid, laid.texts, again)
        loaded = self._load(connection, laid, fresh=fresh, inserts=apart)
        orphans = explained(self.checkpoint.store, self.route, laid.resolved.orphans)
        refused = [self._orphan(batch, one) for one in orphans]
        refused += [self._refused(laid, one) for one in loaded.refused]
        outcome = Outcome(loaded=loaded.loaded, unchanged=loaded.unchanged, refused=refused)
        outcome = self._with_kept(outcome, laid, loaded, key_of, old=old or self.route.object.on_duplicate == "last")
        return replace(outcome, mapped=self._as_written(connection, outcome.mapped))

    def _taken(self, connection: object, laid: Laid, texts: Sequence[str], again: Again) -> set[int]:
        """The rows that come to keys of others."""

        def keys_now(rows: list[Row]) -> list[Mapped]:
            batch, key_of = again(rows)
            if not batch.rows:
                return []
            theirs = self._lay(connection, batch, key_of)
            return list(zip(theirs.texts or (), self._target_keys(connection, theirs), strict=True))

        return taken_by_others(self.checkpoint.store, self.route, texts, self._target_keys(connection, laid), keys_now)

    def _target_keys(self, connection: object, laid: Laid) -> list[JSON]:
        """As the key map has them: as the target has written them, where it holds such a row."""
        pick = picker([laid.columns.index(name) for name in self.route.object.target_key])
        given = [("", canonical(pick(row))) for row in laid.rows]
        written = self._as_written(connection, given)
        return [there or key for (_, there), (_, key) in zip(written, given, strict=True)]

    def finds_unchanged(self, connection: object, batch: Restructured) -> bool:
        """Whether an upsert of these rows finds every one of them there and equal. It writes where it does not."""
        resolved = self._resolve(connection, batch)
        columns, rows = self._without_later(batch.columns, resolved.rows)
        laid = Laid(batch=batch, resolved=resolved, columns=columns, rows=rows)
        return self._load(connection, laid, fresh=False).unchanged == len(batch.rows)

    def _lay(self, connection: object, batch: Restructured, key_of: KeyOf) -> Laid:
        resolved = self._resolve(connection, batch)
        columns, rows = self._without_later(batch.columns, resolved.rows)
        each, texts = self.route.object, None
        if self.route.keeps_keys:
            texts = map_keys_of(batch, resolved.places, key_of)
            if each.is_mapped:
                columns = (*columns, *each.target_key)
                rows = identify(connection, self.checkpoint, self.route, rows, texts)
        return Laid(batch=batch, resolved=resolved, columns=columns, rows=rows, texts=texts)

    def _resolve(self, connection: object, batch: Restructured) -> Resolved:
        if not self.edges:
            return Resolved(rows=batch.rows, places=range(len(batch.rows)))
        lookup = Lookup(find=partial(self.route.target.find, connection), mapped=self.checkpoint.store.mapped)
        return resolve(self.edges, batch.columns, batch.rows, lookup)

    def _without_later(self, columns: tuple[str, ...], rows: list[Row]) -> tuple[tuple[str, ...], list[Row]]:
        left_out = {name for edge in self.later for name in edge.columns}
        if not left_out:
            return columns, rows
        places = [place for place, name in enumerate(columns) if name not in left_out]
        return tuple(columns[place] for place in places), list(map(picker(places), rows))

    def _load(self, connection: object, laid: Laid, *, fresh: bool, inserts: Collection[int] = ()) -> Loaded:
        """Those that must change nothing go in last: what gives way to them has done so then."""
        if not inserts:
            return self._load_rows(connection, laid, range(len(laid.rows)), fresh=fresh)
        others = [place for place in range(len(laid.rows)) if place not in inserts]
        first = self._load_rows(connection, laid, others, fresh=fresh)
        second = self._load_rows(connection, laid, sorted(inserts), fresh=True)
        refused = sorted((*first.refused, *second.refused), key=lambda one: one.index)
        loaded, unchanged = first.loaded + second.loaded, first.unchanged + second.unchanged
        return Loaded(loaded=loaded, unchanged=unchanged, refused=tuple(refused))

    def _load_rows(self, connection: object, laid: Laid, places: Sequence[int], *, fresh: bool) -> Loaded:
        if not places:
            return Loaded(loaded=0, unchanged=0)
        every, each = len(places) == len(laid.rows), self.route.object
        loading = Loading(columns=laid.columns, key=each.target_key, fresh=fresh, last_wins=each.on_duplicate == "last")
        rows = laid.rows if every else [laid.rows[place] for place in places]
        loaded = self.route.target.load(connection, rows, loading)
        if every or not loaded.refused:
            return loaded
        return replace(loaded, refused=tuple(replace(one, index=places[one.index]) for one in loaded.refused))

    def _orphan(self, batch: Restructured, one: Orphan) -> Unmoved:
        unknown = {name for edge in self.edges if edge.gives_id for name in edge.columns}
        known = unknown.isdisjoint(self.route.object.target_key)
        return Unmoved(
            index=batch.origins[one.index],
            stage="parent",
            reason=masked(one.reason),
            target_key=self._target_key(batch.columns, batch.rows[one.index]) if known else None,
            parent=one.parents,
        )

    def _refused(self, laid: Laid, one: Refused) -> Unmoved:
        return Unmoved(
            index=laid.origin(one.index),
            stage=one.stage,
            reason=masked(one.reason),
            target_key=self._target_key(laid.columns, laid.rows[one.index]),
        )

    def _target_key(self, columns: tuple[str, ...], row: Row) -> JSON:
        """As a reject holds it; None where the row was yet to be given one."""
        each = self.route.object
        return None if each.is_mapped else key_as_json(tuple(row[columns.index(name)] for name in each.target_key))

    def _with_kept(self, outcome: Outcome, laid: Laid, loaded: Loaded, key_of: KeyOf, *, old: bool) -> Outcome:
        """With what the store is to keep of the rows that went in."""
        gone = {one.index for one in loaded.refused}
        places = [place for place in range(len(laid.rows)) if place not in gone] if gone else range(len(laid.rows))
        if not places:
            return replace(outcome, links=() if self.later else None)
        target_key = picker([laid.columns.index(name) for name in self.route.object.target_key])
        outcome = replace(outcome, last=target_key(laid.rows[places[-1]]))
        if laid.texts is not None:
            mapped = [(laid.texts[place], canonical(target_key(laid.rows[place]))) for place in places]
            outcome = replace(outcome, mapped=mapped)
        if self.later:
            links = list(self._links(laid, places, target_key, key_of, old=old))
            outcome = replace(outcome, links=links)
        return outcome

    def _as_written(self, connection: object, mapped: Sequence[tuple[str, JSON]]) -> Sequence[tuple[str, JSON]]:
        """With the keys as the target has written them: keys that it holds to be equal are one text then.

        None where it has no row under such a key (a trigger changed it): nobody knows then which row it is.
        """
        each = self.route.object
        if not mapped or each.is_mapped:
            return mapped
        keys = [decode(target) or () for _, target in mapped]
        found = self.route.target.find(connection, each.target.name, each.target_key, each.target_key, keys)
        return [(text, as_written(key, given)) for (text, given), key in zip(mapped, found, strict=True)]

    def _links(
        self, laid: Laid, places: Sequence[int], target_key: Callable[[Row], Key], key_of: KeyOf, *, old: bool
    ) -> Iterator[JSON]:
        """What is to be set in each row that went in. That it is nothing is worth a link for an old one."""
        names = laid.batch.columns
        pickers = [(edge, picker([names.index(name) for name in edge.columns])) for edge in self.later]
        for place in places:
            row = laid.resolved.rows[place]
            parents = {edge.name: link_value(edge, pick(row)) for edge, pick in pickers}
            if old or any(value is not None for value in parents.values()):
                key, child = encode(key_of(laid.origin(place))), encode(target_key(laid.rows[place]))
                yield {"key": key, "child": child, "parents": parents}
