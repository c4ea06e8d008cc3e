"""Compare one object's source with its target, batch by batch, through the functions that move its rows.

Nothing but the comparison's own checkpoint is written: what was found so far commits with each batch's entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.replayed import Replayed
from milepost.jobs.state import JSON
from milepost.jobs.store import Store
from milepost.migration.check import check_columns
from milepost.migration.expected import Expected, expected, restructured
from milepost.migration.findings import (
    Example,
    Findings,
    Judged,
    Kind,
    Wrong,
    first_of_each,
    judge,
    recorded,
    shortened,
)
from milepost.migration.gather import gather
from milepost.migration.keys import canonical, decode, encode, map_key, readable
from milepost.migration.move import no_garbage_collection
from milepost.migration.resolve import Lookup
from milepost.migration.restructure import picker
from milepost.migration.route import Route
from milepost.migration.sample import Span
from milepost.migration.source import Key, Row
from milepost.migration.supersede import Superseding
from milepost.migration.target import Compared, Comparing

FOUND = "found"  # under which names the comparison's checkpoint remembers what it found
AGAIN = "again"  # and what part of it the rows are that are to be loaded again
NOTHING = Compared(equal=0)

Reads = Callable[[JSON], Iterator[tuple[JSON, list[Row]]]]
"""Gives the batches behind a position, each with the position that it reaches."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is to be compared: an object's route, and what the ``store`` of its ``job`` knows of it.

    ``columns`` are those that its rows had, where that is known. ``spans`` are the parts of the source to read, and
    ``rows`` how many there are in them, where that is known. ``most`` examples of each kind are kept. ``keeps``: so are
    the keys of all rows with which something is wrong. ``replaces``: a later row with the same key took the place of an
    earlier one.
    """

    route: Route
    store: Store
    job: str
    columns: tuple[str, ...]
    spans: tuple[Span, ...]
    rows: int | None
    most: int
    sampled: bool = False
    keeps: bool = False
    replaces: bool = False

    @property
    def name(self) -> str:
        return self.route.object.name


def compare(checkpoint: Checkpoint, subject: Subject, batches: Reads | None = None) -> JSON:
    """Compare every row behind the checkpoint's position, or those that ``batches`` gives behind it.

    What was found is remembered under ``FOUND``.
    """
    checkpoint.expect(subject.rows if batches is None else None)
    with closing(Comparison(subject)) as comparison:
        comparing = _Batches(checkpoint, comparison)
        for high, rows in batches(checkpoint.position) if batches else _reads(subject, checkpoint.position):
            with no_garbage_collection():
                comparing.compare(rows, high)
    return None


def found_at(checkpoint: Checkpoint) -> Findings:
    """What was found at the checkpoint so far."""
    return recorded(checkpoint.recall().get(FOUND))


def look_for_extra(checkpoint: Checkpoint, subject: Subject, met: int, most: int) -> JSON:
    """How many rows of the target the source does not account for, and the first ``most`` of their keys.

    Where the table holds as many rows as were ``met``, there is none. Else the whole source is read once more, from the
    beginning also after an interruption: what is expected is kept by the target's connection only.
    """
    with closing(Comparison(subject)) as comparison:
        if comparison.count() == met and not subject.replaces:
            return {"extra": 0, "keys": []}
        checkpoint.tell("the target does not hold as many rows as were met: reading the source again to find which")
        read = 0
        for _, rows in _reads(subject, None):
            with no_garbage_collection():
                comparison.account_for(rows)
            read += len(rows)
            checkpoint.save({"read": read})
        count, keys = comparison.unaccounted(most)
    return {"extra": count, "keys": [encode(key) for key in keys]}


def _reads(subject: Subject, position: JSON) -> Iterator[tuple[JSON, list[Row]]]:
    """The batches behind the position, each with the position that it reaches."""
    route = subject.route
    if subject.sampled:
        yield from _reads_of_spans(subject, position)
        return
    (span,) = subject.spans
    chunks = route.source.read(decode(position), decode(span.high), route.limits.chunk)
    for rows in gather(chunks, route.limits, route.clock):
        names = route.source.columns
        yield encode(picker([names.index(name) for name in route.source.key])(rows[-1])), rows


def _reads_of_spans(subject: Subject, position: JSON) -> Iterator[tuple[JSON, list[Row]]]:
    """One batch for each span."""
    done = 0 if position is None else position["spans"]
    for place, span in enumerate(subject.spans[done:], start=done + 1):
        yield {"spans": place}, _first_of(subject.route, span)


def _first_of(route: Route, span: Span) -> list[Row]:
    chunk = route.limits.chunk if span.rows is None else min(span.rows, route.limits.chunk)
    found: list[Row] = []
    for rows in route.source.read(decode(span.low), decode(span.high), chunk):
        found += rows
        if span.rows is not None and len(found) >= span.rows:
            break
    return found[: span.rows]


class _Batches:
    """The batches of one comparison: each is compared, and what was found commits with its entry."""

    def __init__(self, checkpoint: Checkpoint, comparison: Comparison) -> None:
        self.checkpoint = checkpoint
        self.comparison = comparison
        self.subject = comparison.subject
        self.found = found_at(checkpoint)
        self.superseding = Superseding(checkpoint, comparison.target_keys) if self.subject.replaces else None

    def compare(self, rows: list[Row], high: JSON) -> None:
        wanted, outdone = self.comparison.expect(rows), 0
        if self.superseding is not None:
            wanted, outdone = self.superseding.last_of_each(wanted)
        judged = self.comparison.judge(rows, wanted)
        here = judged.findings.plus(Findings(equal=outdone), 0)
        examples = self.comparison.examples(rows, wanted, judged.wrong)
        with self.checkpoint.transaction():
            before = self._settled(rows, wanted, judged)
            self._keep(rows, judged, self.found.differing - before.differing)
            found = before.plus(replace(here, examples=examples), self.subject.most)
            self.checkpoint.append(self.checkpoint.position, high, here.counts)
            self.checkpoint.replace(FOUND, found.as_json())
        self.found = found

    def _settled(self, rows: list[Row], wanted: Expected, judged: Judged) -> Findings:
        """What was found before, without those differences that a row of this batch explains."""
        if self.superseding is None:
            return self.found
        differing = {one.place: self._text(rows[one.index]) for one in judged.wrong if one.kind is Kind.DIFFERING}
        return self.superseding.settle(self.found, wanted, differing)

    def _keep(self, rows: list[Row], judged: Judged, explained: int) -> None:
        """The keys of the rows that are to be loaded again, under this batch, and the numbers of them."""
        if not self.subject.keeps or not (judged.again or explained):
            return
        path, seq = self.checkpoint.path, self.checkpoint.batches + 1
        keys = dict.fromkeys(self._text(rows[index]) for index in judged.again)
        self.checkpoint.store.map_keys(path, (path, seq), [(key, True) for key in keys])
        before = recorded(self.checkpoint.recall().get(AGAIN))
        gone = Findings(read=explained, differing=explained, met=explained)
        self.checkpoint.replace(AGAIN, before.minus(gone).plus(judged.of_those, 0).as_json())

    def _text(self, row: Row) -> str:
        return map_key(self.comparison.key(row))


class Comparison:
    """One object's source and target side by side. Connects when it must; ``close`` lets go."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.route = subject.route
        self.columns = subject.columns
        self._comparing: Comparing | None = None
        self._lookup = Lookup(find=self._find, mapped=self._mapped)

    def expect(self, rows: list[Row]) -> Expected:
        """What the target should hold for these rows. Raises PlanError where it lacks a column."""
        batch = restructured(self.route, rows, self.columns, self._checkpoint)
        if batch.rows and not self.columns:
            check_columns(self.route.object, self.route.target.describe(), batch.columns)
            self.columns = batch.columns
        return expected(self.route, rows, batch, self._lookup)

    def judge(self, rows: list[Row], wanted: Expected) -> Judged:
        compared = self.comparing(wanted.columns).compare(wanted.rows) if wanted.rows else NOTHING
        return judge(len(rows), wanted, compared, self._known_rejects(rows))

    def examples(self, rows: list[Row], wanted: Expected, wrong: Sequence[Wrong]) -> tuple[Example, ...]:
        """The first ones of each kind."""
        made = (self._example(rows, wanted, one) for one in first_of_each(wrong, self.subject.most))
        return tuple(made)

    def account_for(self, rows: list[Row]) -> None:
        """Remember that the target should hold rows for these."""
        wanted = self.expect(rows)
        if wanted.rows:
            self.comparing(wanted.columns).expect(self.target_keys(wanted))

    def count(self) -> int:
        """How many rows the target's table holds."""
        return self.comparing(self.columns or self.route.object.target_key).count()

    def unaccounted(self, most: int) -> tuple[int, list[Key]]:
        """How many rows nothing accounts for, and the first keys of them."""
        compared = self.comparing(self.columns or self.route.object.target_key)
        return compared.extra(most)  # noqa: S610 - no Django

    def key(self, row: Row) -> Key:
        """A source row's key."""
        return self._pick_key(row)

    def target_keys(self, wanted: Expected) -> list[Key]:
        """The target keys of the expected rows, in their order."""
        pick = picker([wanted.columns.index(name) for name in self.route.object.target_key])
        return [pick(row) for row in wanted.rows]

    def comparing(self, columns: tuple[str, ...]) -> Comparing:
        if self._comparing is None:
            self._comparing = self.route.target.comparing(columns, self.route.object.target_key)
        return self._comparing

    def close(self) -> None:
        if self._comparing is not None:
            self._comparing.close()
        self.route.source.close()
        self.route.target.close()

    def _find(self, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]) -> list[Row | None]:
        columns = (*self.route.object.target_key, *self.columns) if self.route.object.is_mapped else self.columns
        return self.comparing(columns).find(table, key, wanted, keys)

    def _mapped(self, path: str, keys: Sequence[str]) -> dict[str, JSON]:
        return self.subject.store.mapped(self.subject.job, path, keys)

    @cached_property
    def _checkpoint(self) -> Replayed:
        return Replayed(self.subject.store, self.subject.job, self.subject.name)

    @property
    def _pick_key(self) -> Callable[[Row], Key]:
        names = self.route.source.columns  # of a reader of the user's own known from its first row on
        return picker([names.index(name) for name in self.route.source.key])

    @cached_property
    def _has_rejects(self) -> bool:
        return next(iter(self.subject.store.rejects(self.subject.job, self.subject.name)), None) is not None

    def _known_rejects(self, rows: list[Row]) -> dict[int, RejectedRow]:
        """The rejects of these very rows, by index."""
        if not self._has_rejects:
            return {}
        pick = self._pick_key
        keys = [canonical(pick(row)) for row in rows]
        found = self.subject.store.find_rejects(self.subject.job, self.subject.name, keys)
        by_key = {json.dumps(one.key): one for one in found}
        texts = enumerate(map(json.dumps, keys))
        return {index: by_key[text] for index, text in texts if text in by_key}

    def _example(self, rows: list[Row], wanted: Expected, one: Wrong) -> Example:
        key = [readable(value) for value in self.key(rows[one.index])]
        columns, target_key = shortened(one.columns), self._target_key(wanted, one)
        return Example(kind=one.kind, key=key, target_key=target_key, columns=columns, reason=one.reason)

    def _target_key(self, wanted: Expected, one: Wrong) -> JSON:
        """None where there is no target row to it, or its id is not known."""
        if one.place is None or one.place not in wanted.places:
            return None
        row = wanted.rows[wanted.places.index(one.place)]
        return [readable(row[wanted.columns.index(name)]) for name in self.route.object.target_key]
