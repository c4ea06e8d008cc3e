"""The batches of one object: each restructured once, and loaded with its ledger entry in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Forgotten, Intent
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.allowance import Allowance
from milepost.migration.check import check_columns
from milepost.migration.fresh import fresh_of, note_fresh
from milepost.migration.kept_key import KeptKey
from milepost.migration.keys import canonical, decode, encode, highest, readable
from milepost.migration.laid import Outcome
from milepost.migration.limit import allowed, too_many
from milepost.migration.load import Loader
from milepost.migration.pin import Pin
from milepost.migration.restructure import Apply, Restructured, Unmoved, picker, rename, restructure, torn, without
from milepost.migration.route import Route
from milepost.migration.source import Key, Row
from milepost.migration.way import Done, Way

LOOKED_AT = 10  # rows that say whether the target is ahead of the store


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Source rows that are to go together, up to the key ``high``.

    Where they go a second time (``again``), ``rejects`` are those among them that were refused then. ``low`` None:
    from the checkpoint's position on. ``modified`` is the ledger entry's. ``by_key``: the keys say which rows they
    are, not the range. ``replaces`` are batches whose rejects these rows are instead of. ``inserts``: they must change
    no row that is there.
    """

    rows: list[Row]
    high: JSON
    rejects: tuple[RejectedRow, ...] = ()
    again: Intent | None = None
    low: JSON = None
    modified: JSON = None
    forgotten: Forgotten | None = None
    by_key: bool = False
    inserts: bool = False


class Batches:
    """The batches of one object in one run: what they share, and the commit of each.

    ``again``: the checkpoint is that of a pass below the object's, in which rows go in again that went before.
    """

    def __init__(self, checkpoint: Checkpoint, route: Route, pin: Pin, way: Way, *, again: bool = False) -> None:
        self.checkpoint = checkpoint
        self.way = way
        self.route = route
        self.pin = pin
        self.again = again
        self.loader = Loader(checkpoint, route)
        known = checkpoint.store.recall(route.object.name) if again else checkpoint.recall()
        self.columns: tuple[str, ...] = columns_of(known, pin)
        self.allowance = Allowance(checkpoint.store, route)
        self.kept_key = KeptKey(checkpoint, route.object, known)
        fresh = fresh_of(known, route.object)
        self.fresh: bool = self._look_whether_fresh() if fresh is None and not again else bool(fresh)
        # Nothing is taken for granted of an earlier run. Where the last of several rows with one key wins, rows may
        # well be there already, and those that go in a second time change nothing.
        # And a row without a key has a new id, or the one that it had.
        self.proved = again or not fresh or route.object.on_duplicate == "last" or route.object.is_mapped
        self._apply = self._applied()

    def recover(self) -> None:
        """Settle what an earlier run left in doubt at this checkpoint; to be called before the first batch."""
        doubtful = self.way.recover()
        if doubtful is not None:
            self.replay(doubtful)

    def commit(self, rows: list[Row]) -> None:
        """Restructure the rows, once, and load them with their ledger entry in one transaction.

        Where a function splits rows, a source row goes whole or not at all: when a part of one is refused, the
        transaction is given up and the batch loaded again without that row.
        """
        low, high = self.checkpoint.position, encode(self._key(rows[-1]))
        self._commit(Taken(rows=rows, low=low, high=high, modified=self._modified(rows)))

    def commit_again(
        self,
        rows: list[Row],
        *,
        low: JSON,
        high: JSON,
        replaces: Sequence[tuple[str, int]] = (),
        insert_only: bool = False,
        keys_only: bool = False,
    ) -> None:
        """Load rows that went before, by upsert, as one batch ``(low, high]`` of this pass.

        What was rejected of them is forgotten, and with it the rejects of the batches that it ``replaces``. A row that
        was rejected as a duplicate changes none that is there; with ``insert_only`` no row does. ``keys_only``: the
        rows are no range; what is in doubt of them is found by its keys.
        """
        keys = tuple(canonical(self._key(row)) for row in rows)
        forgotten = Forgotten(path=self.route.object.name, keys=keys, batches=tuple(replaces))
        self._commit(
            Taken(
                rows=rows,
                low=low,
                high=high,
                modified=self._modified(rows),
                forgotten=forgotten,
                by_key=keys_only,
                inserts=insert_only,
            )
        )

    def replay(self, intent: Intent) -> None:
        """Load the batch that is in doubt once more, by upsert: its very range, without what it refused then.

        Rows that it had loaded are met and left as they are. Where the source has changed since, what it holds now is
        loaded.
        """
        every, key = self._rows_of(intent), self._key
        refused = {json.dumps(one.key): one for one in intent.rejects}
        before = [refused.get(json.dumps(canonical(key(row)))) for row in every]
        self._commit(
            Taken(
                rows=[row for row, reject in zip(every, before, strict=True) if reject is None],
                low=intent.low,
                high=intent.high if self.again or not every else encode(key(every[-1])),
                rejects=tuple(reject for reject in before if reject is not None),
                again=intent,
                modified=self._modified(every),
                forgotten=intent.forgotten,
                by_key=intent.keys is not None,
            )
        )

    def _rows_of(self, intent: Intent) -> list[Row]:
        if intent.keys is not None:
            return self.route.source.find([decode(key) or () for key in intent.keys])
        read = self.route.source.read(decode(intent.low), decode(intent.high), self.route.limits.chunk)
        return [row for chunk in read for row in chunk]

    def _commit(self, taken: Taken) -> None:
        batch = self._restructure(taken.rows)
        if not self.proved and taken.again is None:
            self._prove_fresh(batch)
        self._look_at_keys(taken, batch)
        while halves := self._attempt(taken, batch):
            batch = without(batch, halves)

    def _look_at_keys(self, taken: Taken, batch: Restructured) -> None:
        rows, key = taken.rows, self._key
        self.kept_key.look(batch, lambda index: key(rows[index]))

    def _attempt(self, taken: Taken, batch: Restructured) -> list[Unmoved]:
        """Commit the batch and return nothing, or return the rows that would go in part only."""
        try:
            with self.way.transaction(acts=bool(batch.rows)) as connection:
                outcome = self._load(connection, taken, batch)
                _keep_whole(batch, outcome.refused)
                self.way.record(connection, self._done(taken, batch, outcome))
        except _Torn as found:
            return found.halves
        self.columns = self.columns or (batch.columns if batch.rows else ())
        return []

    def _load(self, connection: object, taken: Taken, batch: Restructured) -> Outcome:
        if not batch.rows:
            return Outcome(links=() if self.route.later else None)
        if not self.columns:
            check_columns(self.route.object, self.route.target.describe(), batch.columns)
            self.checkpoint.replace("columns", {"names": list(batch.columns), "definition": self.pin.fingerprint})
        rows, key = taken.rows, self._key
        new = self.fresh and not self.again
        fresh, inserts = new and taken.again is None, self._inserts(taken)
        again = self._others if self.again and self._may_take_keys else None
        return self.loader.load(
            connection, batch, lambda index: key(rows[index]), fresh=fresh, old=not new, inserts=inserts, again=again
        )

    @property
    def _may_take_keys(self) -> bool:
        """Whether a row may come to the key of another that went in before, and it is known whose key it is."""
        each = self.route.object
        return self.route.keeps_keys and not each.is_mapped and each.on_duplicate != "last"

    def _others(self, rows: list[Row]) -> tuple[Restructured, Callable[[int], Key]]:
        key = self._key
        return self._restructure(rows), lambda index: key(rows[index])

    def _inserts(self, taken: Taken) -> Collection[int]:
        """The rows that must change none that is there: so that a second row never takes the place of the first."""
        each = self.route.object
        if not self.again or taken.again is not None or each.is_mapped or each.on_duplicate == "last":
            return ()
        if taken.inserts:
            return range(len(taken.rows))
        keys = taken.forgotten.keys if taken.forgotten is not None else ()
        found = self.checkpoint.store.find_rejects(each.name, keys) if keys else []
        doubles = {json.dumps(one.key) for one in found if one.stage == "duplicate"}
        return {index for index, key in enumerate(keys) if json.dumps(key) in doubles} if doubles else ()

    def _applied(self) -> Apply | None:
        """What is called for a row: None for a plain copy. A pass gives the function the object's own checkpoint."""
        each = self.route.object
        function = each.function
        if function is None:
            return None
        if each.wants_checkpoint:
            checkpoint = self.checkpoint.beside(each.name) if self.again else self.checkpoint
            return lambda row: function(row, checkpoint)
        return function if self.again else self.route.trial or function

    def _restructure(self, rows: list[Row]) -> Restructured:
        each, names = self.route.object, self.route.source.columns
        if self._apply is None:
            return rename(each, names, rows)
        return restructure(each, self._apply, names, rows, self.columns)

    def _done(self, taken: Taken, batch: Restructured, outcome: Outcome) -> Done:
        unmoved = sorted([*batch.rejects, *outcome.refused], key=lambda one: one.index)
        rejects = [*taken.rejects, *self._rejects(taken.rows, unmoved)]
        read = len(taken.rows) + len(taken.rejects)
        self._check_limit(read, rejects, taken.forgotten)
        counts = Counts(
            read=read,
            loaded=outcome.loaded,
            unchanged=outcome.unchanged,
            filtered=batch.filtered,
            rejected=len(rejects),
        )
        return Done(
            object=self.route.object.name,
            low=taken.low,
            high=taken.high,
            counts=counts if taken.again is None else counts_of_both(taken.again.counts, counts),
            rejects=rejects,
            last=outcome.last,
            again=taken.again,
            modified=taken.modified,
            keys=list(taken.forgotten.keys) if taken.by_key and taken.forgotten is not None else None,
            old=self.again or not self.fresh,
            forgotten=taken.forgotten,
            mapped=outcome.mapped,
            links=outcome.links,
        )

    @property
    def _key(self) -> Callable[[Row], Key]:
        """Picks a source row's key."""
        names = self.route.source.columns
        return picker([names.index(name) for name in self.route.source.key])

    def _modified(self, rows: list[Row]) -> JSON:
        """The highest value of the column that tells when a row was changed."""
        names, column = self.route.source.columns, self.route.modified
        return highest(map(itemgetter(names.index(column)), rows)) if column is not None and column in names else None

    def _rejects(self, rows: list[Row], unmoved: list[Unmoved]) -> Iterator[RejectedRow]:
        names, key = self.route.source.columns, self._key
        for one in unmoved:
            row = rows[one.index]
            yield RejectedRow(
                path=self.checkpoint.path,
                seq=self.checkpoint.batches + 1,
                stage=one.stage,
                reason=one.reason,
                key=canonical(key(row)),
                content={name: readable(value) for name, value in zip(names, row, strict=True)},
                target_key=one.target_key,
                parent=one.parent,
            )

    def _check_limit(self, read: int, rejects: list[RejectedRow], forgotten: Forgotten | None) -> None:
        """Of the object's rows no more may be rejected at any time, however many passes there are over it."""
        if not rejects:
            return
        name = self.route.object.name
        rows = self.pin.rows if self.pin.rows is not None else self.checkpoint.beside(name).counts.read + read
        limit = allowed(self.route.max_rejects, rows)
        before = self.allowance.taken(rejects, limit, forgotten)
        if before + len(rejects) > limit:
            self.way.confirm()
            raise too_many(name, before, rejects, limit)

    def _prove_fresh(self, batch: Restructured) -> None:
        """The rows to come must not be there yet. Where rows and checkpoint commit together, they cannot be."""
        if not batch.rows:
            return
        self.proved = True
        first = replace(batch, rows=batch.rows[:LOOKED_AT], origins=batch.origins[:LOOKED_AT])
        key = [first.rows[0][batch.columns.index(name)] for name in self.route.object.target_key]
        self.fresh = self.way.comes_next(lambda connection: self.loader.finds_unchanged(connection, first), tuple(key))

    def _look_whether_fresh(self) -> bool:
        with self.way.transaction() as connection:
            fresh = self.route.target.is_empty(connection)
            note_fresh(self.checkpoint, self.route.object, fresh=fresh)
        return fresh


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
