"""Set what rows were loaded without: the second pass over an object whose parents came after it, or are its own rows.

The batches of the first pass left links in the store, each with the keys of one row's later parents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import Any

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Intent
from milepost.jobs.ledger import NO_ROWS, Counts, RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.allowance import Allowance
from milepost.migration.batches import counts_of_both
from milepost.migration.keys import canonical, decode, readable
from milepost.migration.limit import allowed, too_many_links
from milepost.migration.missing import explained
from milepost.migration.resolve import ODD, Lookup, OddKey, Orphan, Resolved, edges_of, resolve
from milepost.migration.restructure import masked, picker
from milepost.migration.route import Route, way_of
from milepost.migration.source import Row
from milepost.migration.target import Loaded, Loading
from milepost.migration.way import Done

Link = tuple[int, int, JSON]
"""Batch, place in the batch, and what is to be set: ``{"key": …, "child": …, "parents": {columns: key}}``."""


def set_links(root: Checkpoint, route: Route, of: str) -> None:
    """Set the later columns of the rows that the batches of ``of`` left links of: the object, or a pass below it.

    To be called once all those parents are complete; at the checkpoint ``of``/links, below ``root``. A row whose parent
    is not there stays, with NULL, and its link is a reject. Raises Fatal where more are rejected than allowed.
    """
    if route.later:
        root.call(f"{of}/links", partial(_set_links, route=route, of=of))


def _set_links(checkpoint: Checkpoint, *, route: Route, of: str) -> JSON:
    checkpoint.expect(None)
    setting = _Setting(checkpoint, route)
    doubtful = setting.way.recover()
    if doubtful is not None:
        setting.commit(list(_upto(checkpoint, of, doubtful)), again=doubtful)
    while page := list(islice(_links(checkpoint, of), route.limits.rows)):
        setting.commit(page)
    return None


def _links(checkpoint: Checkpoint, of: str) -> Iterator[Link]:
    """Those behind the position."""
    after = checkpoint.position
    return checkpoint.store.links(of, None if after is None else (after[0], after[1]))


def _upto(checkpoint: Checkpoint, of: str, intent: Intent) -> Iterator[Link]:
    """Those of the batch in doubt."""
    return takewhile(lambda link: [link[0], link[1]] <= list(intent.high), _links(checkpoint, of))


@dataclass(frozen=True, kw_only=True)
class _Page:
    """The links of one batch, the last one of each row: the row's key and what its later columns are to hold."""

    links: list[JSON]
    rows: list[Row]
    replaced: int


class _Setting:
    """Sets the later columns of one object's rows, batch by batch."""

    def __init__(self, checkpoint: Checkpoint, route: Route) -> None:
        self.checkpoint = checkpoint
        self.route = route
        self.way = way_of(checkpoint, route)
        self.allowance = Allowance(checkpoint.store, route)
        self.key = route.object.target_key
        self.edges = [edge for edge in edges_of(route.object) if edge.columns in route.later]
        self.columns = (*self.key, *(name for edge in self.edges for name in edge.columns))

    def commit(self, links: Sequence[Link], again: Intent | None = None) -> None:
        page = self._page(links)
        with self.way.transaction(acts=bool(page.rows)) as connection:
            counts, rejects = self._set(connection, page) if page.rows else (NO_ROWS, [])
            counts += Counts(read=page.replaced, loaded=page.replaced)
            self._check_limit(rejects)
            self.way.record(
                connection,
                Done(
                    object=self.route.object.name,
                    low=self.checkpoint.position,
                    high=[links[-1][0], links[-1][1]] if links else again.high if again is not None else None,
                    counts=counts if again is None else counts_of_both(again.counts, counts),
                    rejects=rejects,
                    last=page.rows[-1][: len(self.key)] if page.rows else None,
                    again=again,
                ),
            )

    def _page(self, links: Sequence[Link]) -> _Page:
        """Of two links of one row the later one counts: its row was loaded later."""
        last = {json.dumps(link["child"]): link for _, _, link in links}
        rows = [(*(decode(link["child"]) or ()), *self._values(link)) for link in last.values()]
        return _Page(links=list(last.values()), rows=rows, replaced=len(links) - len(last))

    def _values(self, link: JSON) -> Iterator[Any]:
        for edge in self.edges:
            parent = link["parents"].get(edge.name)
            if isinstance(parent, dict):
                yield from (OddKey(parent[ODD]) for _ in edge.columns)
            elif len(edge.columns) > 1:
                yield from decode(parent) or [None] * len(edge.columns)
            else:
                key = decode(parent)
                yield key[0] if key is not None and len(key) == 1 else key

    def _set(self, connection: object, page: _Page) -> tuple[Counts, list[RejectedRow]]:
        lookup = Lookup(find=partial(self.route.target.find, connection), mapped=self.checkpoint.store.mapped)
        resolved = resolve(self.edges, self.columns, page.rows, lookup)
        outcome = self._update(connection, resolved.rows)
        gone = self._gone(connection, resolved, outcome)
        unset = {
            resolved.places[one.index]: (one.stage, one.reason) for one in outcome.refused if one.index not in gone
        }
        orphans = {one.index: one for one in explained(self.checkpoint.store, self.route, resolved.orphans)}
        if orphans:
            rest = resolve(self.edges, self.columns, [self._without(page, one) for one in resolved.orphans], lookup)
            self._update(connection, rest.rows)
        unset |= {index: ("parent", one.reason) for index, one in orphans.items()}
        counts = Counts(
            read=len(page.rows),
            loaded=outcome.loaded,
            unchanged=outcome.unchanged + len(gone),
            rejected=len(unset),
        )
        return counts, list(self._rejects(page, unset, orphans))

    def _update(self, connection: object, rows: list[Row]) -> Loaded:
        if not rows:
            return Loaded(loaded=0, unchanged=0)
        return self.route.target.update(connection, rows, Loading(columns=self.columns, key=self.key, fresh=False))

    def _gone(self, connection: object, resolved: Resolved, outcome: Loaded) -> set[int]:
        """Those of the refused rows that are not there any more: nothing is left to be set."""
        refused = [one.index for one in outcome.refused]
        if not refused:
            return set()
        keys = [resolved.rows[index][: len(self.key)] for index in refused]
        found = self.route.target.find(connection, self.route.object.target.name, self.key, self.key, keys)
        return {index for index, row in zip(refused, found, strict=True) if row is None}

    def _without(self, page: _Page, one: Orphan) -> Row:
        """The row with NULL for the parents that are not there, whatever it holds now."""
        return tuple(
            None if name in one.columns and place >= len(self.key) else value
            for place, (name, value) in enumerate(zip(self.columns, page.rows[one.index], strict=True))
        )

    def _rejects(
        self, page: _Page, unset: dict[int, tuple[str, str]], orphans: dict[int, Orphan]
    ) -> Iterator[RejectedRow]:
        contents = self._contents([page.links[index]["key"] for index in unset])
        for index, (stage, reason) in sorted(unset.items()):
            key = canonical(decode(page.links[index]["key"]) or ())
            yield RejectedRow(
                path=self.checkpoint.path,
                seq=self.checkpoint.batches + 1,
                stage=stage,
                reason=masked(reason),
                key=key,
                content=contents.get(json.dumps(key), {}),
                target_key=None if self.route.object.is_mapped else canonical(page.rows[index][: len(self.key)]),
                parent=orphans[index].parents if index in orphans else None,
            )

    def _contents(self, keys: list[JSON]) -> dict[str, JSON]:
        """The source rows of these links as they are now."""
        if not keys:
            return {}
        rows = self.route.source.find([decode(key) or () for key in keys])
        names = self.route.source.columns
        key_of = picker([names.index(name) for name in self.route.source.key])
        return {
            json.dumps(canonical(key_of(row))): {name: readable(value) for name, value in zip(names, row, strict=True)}
            for row in rows
        }

    def _check_limit(self, rejects: list[RejectedRow]) -> None:
        if not rejects:
            return
        moved = self.checkpoint.store.get(self.route.object.name)
        limit = allowed(self.route.max_rejects, moved.counts.read if moved is not None else 0)
        before = self.allowance.taken(rejects, limit)
        if before + len(rejects) > limit:
            self.way.confirm()
            raise too_many_links(self.checkpoint.path, before, rejects, limit)
