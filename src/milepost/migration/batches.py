"""The batches of one object: each restructured once, and loaded with its ledger entry in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from milepost.errors import Fatal
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Intent
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.check import check_columns
from milepost.migration.fresh import fresh_of, note_fresh
from milepost.migration.keys import decode, encode, readable
from milepost.migration.limit import allowed, stay_rejected
from milepost.migration.pin import Pin
from milepost.migration.restructure import Restructured, Unmoved, masked, picker, rename, restructure, torn, without
from milepost.migration.route import Route
from milepost.migration.source import Key, Row
from milepost.migration.target import Loaded, Loading, Parent
from milepost.migration.way import Done, Way


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Source rows that are to go together, up to the key ``high``.

    Where they go a second time (``again``), ``rejects`` are those among them that were refused then.
    """

    rows: list[Row]
    high: JSON
    rejects: tuple[RejectedRow, ...] = ()
    again: Intent | None = None


class Batches:
    """The batches of one object in one run: what they share, and the commit of each."""

    def __init__(self, checkpoint: Checkpoint, route: Route, pin: Pin, way: Way) -> None:
        self.checkpoint = checkpoint
        self.way = way
        self.route = route
        self.pin = pin
        known = checkpoint.recall()
        self.columns: tuple[str, ...] = columns_of(known, pin)
        fresh = fresh_of(known, route.object)
        self.fresh: bool = self._look_whether_fresh() if fresh is None else fresh
        # Nothing is taken for granted of an earlier run. Where the last of several rows with one key wins, rows may
        # well be there already, and those that go in a second time change nothing.
        self.proved = not fresh or route.object.on_duplicate == "last"

    def commit(self, rows: list[Row]) -> None:
        """Restructure the rows, once, and load them with their ledger entry in one transaction.

        Where a function splits rows, a source row goes whole or not at all: when a part of one is refused, the
        transaction is given up and the batch loaded again without that row.
        """
        self._commit(Taken(rows=rows, high=encode(self._key(rows[-1]))))

    def replay(self, intent: Intent) -> None:
        """Load the batch that is in doubt once more, by upsert: its very range, without what it refused then.

        Rows that it had loaded are met and left as they are. Where the source has changed since, what it holds now is
        loaded.
        """
        read = self.route.source.read(decode(intent.low), decode(intent.high), self.route.limits.chunk)
        every, key = [row for chunk in read for row in chunk], self._key
        refused = {json.dumps(one.key): one for one in intent.rejects}
        before = [refused.get(json.dumps(readable(key(row)))) for row in every]
        self._commit(
            Taken(
                rows=[row for row, reject in zip(every, before, strict=True) if reject is None],
                high=encode(key(every[-1])) if every else intent.high,
                rejects=tuple(reject for reject in before if reject is not None),
                again=intent,
            )
        )

    def _commit(self, taken: Taken) -> None:
        batch = self._restructure(taken.rows)
        if not self.proved and taken.again is None:
            self._prove_fresh(batch)
        while halves := self._attempt(taken, batch):
            batch = without(batch, halves)

    def _attempt(self, taken: Taken, batch: Restructured) -> list[Unmoved]:
        """Commit the batch and return nothing, or return the rows that would go in part only."""
        try:
            with self.way.transaction(acts=bool(batch.rows)) as connection:
                outcome = self._load(connection, batch, upsert=taken.again is not None)
                refused = [
                    Unmoved(index=batch.origins[one.index], stage=one.stage, reason=masked(one.reason))
                    for one in outcome.refused
                ]
                _keep_whole(batch, refused)
                self.way.record(connection, self._done(taken, batch, outcome, refused))
        except _Torn as found:
            return found.halves
        self.columns = self.columns or (batch.columns if batch.rows else ())
        return []

    def _load(self, connection: object, batch: Restructured, *, upsert: bool) -> Loaded:
        if not batch.rows:
            return Loaded(loaded=0, unchanged=0)
        if not self.columns:
            check_columns(self.route.object, self.route.target.describe(), batch.columns)
            self.checkpoint.replace("columns", {"names": list(batch.columns), "definition": self.pin.fingerprint})
        return self.route.target.load(connection, batch.rows, self._loading(batch.columns, upsert=upsert))

    def _loading(self, columns: tuple[str, ...], *, upsert: bool) -> Loading:
        each = self.route.object
        return Loading(
            columns=columns,
            key=each.target_key,
            fresh=self.fresh and not upsert,
            last_wins=each.on_duplicate == "last",
            parents=tuple(
                Parent(object=parent.name, columns=columns, table=parent.target.name, key=parent.target_key)
                for columns, parent in each.parents.items()
            ),
        )

    def _restructure(self, rows: list[Row]) -> Restructured:
        each, names = self.route.object, self.route.source.columns
        function = each.function
        if function is None:
            return rename(each, names, rows)
        if each.wants_checkpoint:
            return restructure(each, lambda row: function(row, self.checkpoint), names, rows, self.columns)
        return restructure(each, self.route.trial or function, names, rows, self.columns)

    def _done(self, taken: Taken, batch: Restructured, outcome: Loaded, refused: list[Unmoved]) -> Done:
        unmoved = sorted([*batch.rejects, *refused], key=lambda one: one.index)
        rejects = [*taken.rejects, *self._rejects(taken.rows, unmoved)]
        read = len(taken.rows) + len(taken.rejects)
        self._check_limit(read, rejects)
        counts = Counts(
            read=read,
            loaded=outcome.loaded,
            unchanged=outcome.unchanged,
            filtered=batch.filtered,
            rejected=len(rejects),
        )
        return Done(
            low=self.checkpoint.position,
            high=taken.high,
            counts=counts if taken.again is None else counts_of_both(taken.again.counts, counts),
            rejects=rejects,
            last=last_key(batch, outcome, self.route.object.target_key),
            again=taken.again,
        )

    @property
    def _key(self) -> Callable[[Row], Key]:
        """Picks a source row's key."""
        names = self.route.source.columns
        return picker([names.index(name) for name in self.route.source.key])

    def _rejects(self, rows: list[Row], unmoved: list[Unmoved]) -> Iterator[RejectedRow]:
        names, key = self.route.source.columns, self._key
        for one in unmoved:
            row = rows[one.index]
            yield RejectedRow(
                path=self.checkpoint.path,
                seq=self.checkpoint.batches + 1,
                stage=one.stage,
                reason=one.reason,
                key=readable(key(row)),
                content={name: readable(value) for name, value in zip(names, row, strict=True)},
            )

    def _check_limit(self, read: int, rejects: list[RejectedRow]) -> None:
        before = self.checkpoint.counts
        limit = allowed(self.route.max_rejects, self.pin.rows if self.pin.rows is not None else before.read + read)
        if before.rejected + len(rejects) <= limit:
            return
        self.way.confirm()
        first = rejects[0]
        key = ", ".join(map(str, first.key))
        raise Fatal(
            f"{self.route.object.name}: batch {first.seq} was not committed, since"
            f" {before.rejected + len(rejects)} rows are rejected and {limit} are allowed."
            f" The first of this batch, key {key}, stage {first.stage}: {first.reason}",
            hint="Mend the data or the function, or allow rejects (max_rejects=100, or a share such as"
            ' max_rejects="2%"), and run the same command again.'
            + stay_rejected(self.route.object.name, before.rejected),
        )

    def _prove_fresh(self, batch: Restructured) -> None:
        """The rows to come must not be there yet. Where rows and checkpoint commit together, they cannot be."""
        if batch.rows:
            self.proved = True
            loading = self._loading(batch.columns, upsert=True)
            self.fresh = self.way.comes_next(self.route.target, batch.rows, loading)

    def _look_whether_fresh(self) -> bool:
        with self.way.transaction() as connection:
            fresh = self.route.target.is_empty(connection)
            note_fresh(self.checkpoint, self.route.object, fresh=fresh)
        return fresh


def last_key(batch: Restructured, outcome: Loaded, key: tuple[str, ...]) -> Key | None:
    """The target key of the last row that went in; None where none did."""
    refused = {one.index for one in outcome.refused}
    last = next((place for place in reversed(range(len(batch.rows))) if place not in refused), None)
    return None if last is None else picker([batch.columns.index(name) for name in key])(batch.rows[last])


def counts_of_both(before: Counts, now: Counts) -> Counts:
    """Of a batch that was loaded twice: what the first time was to do, if the second met the very same rows."""
    alike = replace(now, loaded=before.loaded, unchanged=before.unchanged) == before
    return before if alike and before.loaded + before.unchanged == now.loaded + now.unchanged else now


def _keep_whole(batch: Restructured, refused: list[Unmoved]) -> None:
    if halves := torn(batch, refused):
        raise _Torn(halves)


def columns_of(known: dict[str, JSON], pin: Pin) -> tuple[str, ...]:
    """The columns of the object's rows, as its first batch had them under this very definition; empty before it."""
    recorded = known.get("columns")
    return tuple(recorded["names"]) if recorded and recorded["definition"] == pin.fingerprint else ()


class _Torn(Exception):
    """Gives up a transaction; never seen outside."""

    def __init__(self, halves: list[Unmoved]) -> None:
        self.halves = halves
