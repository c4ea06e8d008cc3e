"""Load rows through a temporary table, to meet rows that are there already."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fitted
from milepost.connectors.sql.isolate import RowRefused, isolate
from milepost.connectors.sql.postgres.copy import CHECK, DUPLICATE, NOT_INSERTED, NOT_WRITTEN, copy_rows, refusal
from milepost.connectors.sql.postgres.fault import fault, is_rows
from milepost.connectors.sql.postgres.relation import Relation
from milepost.connectors.sql.postgres.statements import Statements, with_parameters
from milepost.migration.description import Column
from milepost.migration.source import Row
from milepost.migration.target import Loaded, Loading, Refused


@dataclass(frozen=True)
class Moved:
    """What became of a range of staged rows."""

    loaded: int
    unchanged: int
    refused: tuple[Refused, ...] = ()


class _Collision(Exception):
    """Some rows have the key of another one; gives up a savepoint and is never seen outside."""


def load_staged(
    connection: psycopg.Connection[Any],
    relation: Relation,
    columns: tuple[Column, ...],
    fitted: Fitted,
    loading: Loading,
) -> Loaded:
    """Stage the rows, and insert or upsert them."""
    return Stage(connection, relation, columns, loading).load(fitted)


class Stage:
    """A batch in its temporary table, on its way into the target table.

    ``milepost_row`` there is a row's index in the batch. The table stays with the connection, and every commit empties
    it.
    """

    def __init__(
        self, connection: psycopg.Connection[Any], relation: Relation, columns: tuple[Column, ...], loading: Loading
    ) -> None:
        self.connection = connection
        self.relation = relation
        self.loading = loading
        self.name = f"milepost_stage_{relation.oid}_{zlib.crc32(repr(loading.columns).encode()):08x}"
        self.table = sql.Identifier("pg_temp", self.name)
        self.statements = Statements(self.table, relation, columns, loading)
        self.inserts_only = loading.fresh and not loading.last_wins
        self._holders: dict[int, int] = {}
        self._alike: set[int] = set()

    def load(self, fitted: Fitted) -> Loaded:
        """Bring the rows into the stage, and from there into the table."""
        rows = [(place, *row) for place, row in zip(fitted.places, fitted.rows, strict=True)]
        refused = [*fitted.refused, *self.fill(rows)]
        bad = {one.index for one in refused}
        moved = self.move([row[0] for row in rows if row[0] not in bad])
        every = sorted([*refused, *moved.refused], key=lambda one: one.index)
        return Loaded(loaded=moved.loaded, unchanged=moved.unchanged, refused=tuple(every))

    def fill(self, rows: Sequence[Row]) -> list[Refused]:
        """Copy the rows in, each behind its index; returns those that are refused."""
        is_new = self.make()
        found = copy_rows(self.connection, self.statements.fill(), rows, f"loading {self.relation.name}")
        if is_new:  # once: the planner then knows what to expect of every batch
            self.connection.execute(sql.SQL("ANALYZE {}").format(self.table))
        return [Refused(index=rows[one.index][0], stage=one.stage, reason=one.reason) for one in found]

    def move(self, indexes: Sequence[int]) -> Moved:
        """Insert or upsert the staged rows of these indexes: by one statement, or where that fails by slices."""
        if not indexes:
            return Moved(0, 0)
        try:
            with self.connection.transaction():
                return self._move_at_once(indexes)
        except (_Collision, psycopg.errors.CardinalityViolation):
            pass
        except psycopg.Error as error:
            if not is_rows(error):
                raise fault(error, f"loading {self.relation.name}") from error
        return self._move_by_slices(indexes)

    def _move_by_slices(self, indexes: Sequence[int]) -> Moved:
        """A row may come before its parent, and so in an earlier slice; such rows are moved after the others."""
        self._index()
        groups = dict(self.connection.execute(self.statements.groups()).fetchall())
        done: list[Moved] = []
        while indexes:
            moved, early = self._move_each(indexes, groups)
            if len(early) == len(indexes) or not self.relation.waits:
                early = set()
            elif self.loading.last_wins:  # a row with the same key may be in by now, and counts
                early = early.difference(groups)
            refused = tuple(one for one in moved.refused if one.index not in early)
            done.append(Moved(moved.loaded, moved.unchanged, refused))
            if early:
                self.execute(self.statements.forget(), [[index for index in indexes if index not in early]])
            indexes = sorted(early)
        refused = tuple(one for each in done for one in each.refused)
        return Moved(sum(each.loaded for each in done), sum(each.unchanged for each in done), refused)

    def _move_each(self, indexes: Sequence[int], groups: Mapping[int, int]) -> tuple[Moved, set[int]]:
        """Find the rows that are refused, and among them those whose parent is not in the table."""
        early: set[int] = set()

        def attempt(start: int, stop: int) -> Moved:
            try:
                with self.connection.transaction():
                    return self._move_apart(indexes[start:stop], groups)
            except psycopg.Error as error:
                if not is_rows(error):
                    raise fault(error, f"loading {self.relation.name}") from error
                if isinstance(error, psycopg.errors.ForeignKeyViolation) and stop - start == 1:
                    early.add(indexes[start])
                raise refusal(error, None, self._is_key) from error

        done, late = isolate(len(indexes), attempt)
        refused = [one for each in done for one in each.refused]
        refused += [Refused(index=indexes[one.index], stage=one.stage, reason=one.reason) for one in late]
        loaded, unchanged = sum(each.loaded for each in done), sum(each.unchanged for each in done)
        return Moved(loaded, unchanged, tuple(refused)), early

    def _move_at_once(self, indexes: Sequence[int]) -> Moved:
        """One statement for all; the quickest, which fails where another row has a row's key."""
        if not self.inserts_only:
            moved = self.move_together(indexes, ())
            if moved.loaded < len(indexes) and self.execute(self.statements.doubles(), {}).fetchone() is not None:
                raise _Collision  # the first of two rows may have stood there already
            return moved
        written = self.execute(self.statements.insert(), chosen_of(indexes, ())).rowcount
        self.check()
        if written < len(indexes):
            raise _Collision
        return Moved(written, 0)

    def move_together(self, indexes: Sequence[int], out: Sequence[int]) -> Moved:
        """Upsert all but ``out`` by one statement."""
        size, chosen = len(indexes) - len(out), chosen_of(indexes, out)
        if not self.relation.guarded:
            written = self.execute(self.statements.upsert(), chosen).rowcount
            self.check()
            return Moved(written, size - written)
        [(written, unlike)] = self.execute(self.statements.upsert_and_tell(), chosen).fetchall()
        self.check()
        kept_out = self._kept_out(unlike) if unlike and written < size else []
        refused = tuple(Refused(index=index, stage="load", reason=NOT_WRITTEN) for index in kept_out)
        return Moved(written, size - written - len(refused), refused)

    def _kept_out(self, indexes: list[int]) -> list[int]:
        """Those of the rows that cannot be written at all; found by writing them and taking that back."""
        with self.connection.transaction(force_rollback=True):
            found = self.execute(self.statements.kept_out(), {"some": indexes}).fetchall()
        return [index for (index,) in found]

    def _move_apart(self, indexes: Sequence[int], groups: Mapping[int, int]) -> Moved:
        """Of rows with one key move only the one that counts: the first, or the last where the last wins."""
        counts: dict[int, int] = {}
        for index in indexes:
            if index in groups and (self.loading.last_wins or groups[index] not in counts):
                counts[groups[index]] = index
        if not self.loading.last_wins:
            counts |= self._holders
        out = [index for index in indexes if index in groups and counts[groups[index]] != index]
        if self.loading.last_wins:
            return self._replace_apart(indexes, out, counts)
        moved = self._insert_apart(indexes, out) if self.inserts_only else self.move_together(indexes, out)
        self._holders = counts
        return Moved(moved.loaded, moved.unchanged, (*moved.refused, *map(_duplicate, out)))

    def _replace_apart(self, indexes: Sequence[int], out: Sequence[int], last: Mapping[int, int]) -> Moved:
        """Upsert all but ``out``, each of which a ``last`` row of its group replaces, and so counts as loaded.

        So does a row of an earlier slice that stood there already (``_alike`` holds its group), once it is replaced.
        """
        alike = self.execute(self.statements.alike(), {"some": list(last.values())}).fetchall() if last else []
        moved = self.move_together(indexes, out)
        refused = {one.index for one in moved.refused}
        if refused and out:
            raise RowRefused(NOT_WRITTEN)  # it may be one that was to replace others: smaller slices will tell
        groups = {group for group, index in last.items() if index not in refused}
        replaced = len(self._alike & groups)
        same = {index for (index,) in alike} if len(alike) <= moved.unchanged else set()  # a trigger may change values
        self._alike = self._alike - groups | {group for group in groups if last[group] in same}
        return Moved(moved.loaded + len(out) + replaced, moved.unchanged - replaced, moved.refused)

    def _insert_apart(self, indexes: Sequence[int], out: Sequence[int]) -> Moved:
        found = self.execute(self.statements.insert_and_tell(), chosen_of(indexes, out)).fetchall()
        self.check()
        refused = [
            _duplicate(index) if is_there else Refused(index=index, stage="load", reason=NOT_INSERTED)
            for index, is_there in found
        ]
        return Moved(len(indexes) - len(out) - len(refused), 0, tuple(refused))

    def check(self) -> None:
        if self.relation.defers:
            self.connection.execute(CHECK)

    def execute(self, query: sql.Composed, parameters: Sequence[Any] | Mapping[str, Any]) -> psycopg.Cursor[Any]:
        return self.connection.execute(with_parameters(query), parameters)

    def make(self) -> bool:
        """Make the stage, or empty it; whether it is new."""
        query = "SELECT to_regclass(%s) IS NULL"
        row = self.connection.execute(query, [f"pg_temp.{self.name}"]).fetchone()
        if row == (True,):
            self.connection.execute(self.statements.make())
            return True
        self.connection.execute(sql.SQL("DELETE FROM {}").format(self.table))
        return False

    def _index(self) -> None:
        """From now on ranges are small; without an index each would read the whole stage."""
        query = "CREATE INDEX IF NOT EXISTS {} ON {} (milepost_row)"
        self.connection.execute(sql.SQL(query).format(sql.Identifier(f"{self.name}_row"), self.table))

    def _is_key(self, index: str | None) -> bool:
        return self.relation.unique_indexes.get(index or "") == frozenset(self.loading.key)


def chosen_of(indexes: Sequence[int], out: Sequence[int]) -> dict[str, Any]:
    """The parameters that say of which rows a statement is to be."""
    return {"low": indexes[0], "high": indexes[-1], "out": list(out)}


def _duplicate(index: int) -> Refused:
    return Refused(index=index, stage="duplicate", reason=DUPLICATE)
