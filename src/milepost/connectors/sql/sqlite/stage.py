"""Load through a temporary table: to find parents and duplicates, and to update only rows that really differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from milepost.connectors.sql.sqlite.each import (
    FAULTS,
    Ignored,
    RowFault,
    deferred,
    execute_for_one,
    guarded,
    insert_each,
    require_row_fault,
)
from milepost.connectors.sql.sqlite.into import Into
from milepost.connectors.sql.sqlite.reason import DUPLICATE, absent, load_refusal, null_key, refusal
from milepost.connectors.sql.sqlite.stage_sql import (
    CHOSEN,
    REFUSED,
    REPLACED,
    STAGE,
    WAITING,
    StageSql,
    orphans,
    write_stage_sql,
)
from milepost.migration.source import Row
from milepost.migration.target import Loaded, Refused

ATTEMPT = "milepost_attempt"


def load_staged(connection: sqlite3.Connection, rows: Sequence[Row], into: Into) -> Loaded:
    """Stage the rows, refuse those without a parent and those whose key is taken, load the others."""
    batch = _Batch(connection, rows, into)
    batch.fill()
    batch.refuse_without_key()
    batch.refuse_orphans()
    if into.loading.fresh and not into.loading.last_wins:
        batch.refuse_present()
    with deferred(connection, needed=into.defers):
        loaded, unchanged = batch.load()
    return Loaded(loaded=loaded, unchanged=unchanged, refused=tuple(batch.refused.values()))


def update_staged(connection: sqlite3.Connection, rows: Sequence[Row], into: Into) -> Loaded:
    """Stage the rows, refuse those that are not there, update the others where they differ."""
    batch = _Batch(connection, rows, into)
    batch.fill()
    batch.refuse_without_key()
    batch.refuse_absent()
    batch.refuse_orphans()
    loaded, unchanged = batch.load()
    return Loaded(loaded=loaded, unchanged=unchanged, refused=tuple(batch.refused.values()))


def empty_stage(connection: sqlite3.Connection, create: str) -> None:
    """Make the stage, or empty it where the batch before had the same shape."""
    made = connection.execute("SELECT sql FROM sqlite_temp_master WHERE name = 'milepost_stage'").fetchone()
    if made is not None and made[0] == create.replace(STAGE, "milepost_stage"):
        connection.execute(f"DELETE FROM {STAGE}")
    else:
        connection.execute(f"DROP TABLE IF EXISTS {STAGE}")
        connection.execute(create)


class _Batch:
    """One batch in the stage. ``refused`` holds each refused row by its number."""

    def __init__(self, connection: sqlite3.Connection, rows: Sequence[Row], into: Into) -> None:
        self._connection = connection
        self._rows = rows
        self._into = into
        self._sql: StageSql = write_stage_sql(into)
        self.refused: dict[int, Refused] = {}

    def fill(self) -> None:
        empty_stage(self._connection, self._sql.create)

        def on_fault(place: int, error: RowFault) -> None:
            self.refused[place] = refusal(self._connection, self._into, place, self._rows[place], error)

        numbered = ((place, *row) for place, row in enumerate(self._rows))
        insert_each(self._connection, self._sql.fill, numbered, on_fault, self._into.place)

    def refuse_without_key(self) -> None:
        """A row whose key holds NULL could never be found again."""
        found = {
            place: load_refusal(place, null_key(self._into.loading.columns[column]))
            for column in self._into.nullable_key
            for (place,) in self._connection.execute(f"SELECT milepost_row FROM {STAGE} WHERE c{column} IS NULL")
        }
        self._refuse(found.values())

    def refuse_orphans(self) -> None:
        """Refuse the rows whose parents are not there, then those whose parent in this batch was just refused."""
        while reasons := self._orphans(WAITING, in_table=not self._into.adds):
            self._refuse(_parent_refusals(reasons))
            if not any(wanted.itself for wanted in self._into.wanted):
                return

    def refuse_absent(self) -> None:
        loading = self._into.loading
        pick = [loading.columns.index(name) for name in loading.key]
        found = self._connection.execute(self._sql.absent).fetchall()
        self._refuse(
            load_refusal(place, absent(self._into.table.name, loading.key, [self._rows[place][each] for each in pick]))
            for (place,) in found
        )

    def refuse_present(self) -> None:
        found = self._connection.execute(self._sql.present).fetchall()
        self._refuse(Refused(index=place, stage="duplicate", reason=DUPLICATE) for (place,) in found)

    def load(self) -> tuple[int, int]:
        """Load what waits: all at once if that goes through, otherwise row by row. The rows loaded and unchanged."""
        self._choose()
        counts = None if self._into.careful else self._load_at_once()
        if counts is None:
            counts = self._load_one_by_one()
        self._refuse(Refused(index=place, stage="duplicate", reason=DUPLICATE) for place in self._places(WAITING))
        return counts

    def _choose(self) -> None:
        self._connection.execute(self._sql.choose)
        if self._into.loading.last_wins:
            self._connection.execute(self._sql.replace)

    def _load_at_once(self) -> tuple[int, int] | None:
        """None, and nothing done, if SQLite refuses a row."""
        changed, sql = 0, ""
        try:
            with guarded(self._connection, ATTEMPT):
                for sql in filter(None, (self._update, self._sql.insert if self._into.adds else None)):
                    changed += self._connection.execute(sql).rowcount
        except FAULTS as error:
            require_row_fault(self._connection, sql, error, self._into.place)
            return None
        return changed + len(self._places(REPLACED)), len(self._places(CHOSEN)) - changed

    @property
    def _update(self) -> str | None:
        return self._sql.update if self._upserts else None

    @property
    def _upserts(self) -> bool:
        return not self._into.loading.fresh or self._into.loading.last_wins or not self._into.adds

    def _load_one_by_one(self) -> tuple[int, int]:
        """Load row after row, again if a loaded row's parent was to come in this batch and was refused."""
        self._connection.execute(f"UPDATE {STAGE} SET state = {CHOSEN} WHERE state = {REPLACED}")
        changes: dict[int, bool] = {}
        while True:
            try:
                with guarded(self._connection, ATTEMPT):
                    changes = self._try_each()
                    self._require_parents()
                break
            except _Orphaned as orphaned:
                self._refuse([*self.refused.values(), *orphaned.refused])
                self._choose()
        replaced = self._replaced()
        loaded = sum(1 for place, changed in changes.items() if changed or place in replaced)
        return loaded, len(changes) - loaded

    def _replaced(self) -> set[int]:
        """Of the rows that were loaded, those that a later one replaced."""
        if self._into.loading.last_wins:
            self._connection.execute(f"UPDATE {STAGE} SET state = {WAITING} WHERE state = {CHOSEN}")
            self._choose()
        return set(self._places(REPLACED))

    def _try_each(self) -> dict[int, bool]:
        """Whether each chosen row changed something; where one is refused, the next with its key is chosen instead."""
        changes: dict[int, bool] = {}
        while places := [place for place in self._places(CHOSEN) if place not in changes]:
            for place in places:
                try:
                    with guarded(self._connection):
                        changes[place] = self._load_one(place)
                except FAULTS as error:
                    self._require_row_fault(error)
                    row = self._rows[place]
                    self._refuse([refusal(self._connection, self._into, place, row, error)])
            self._choose()
        return changes

    def _load_one(self, place: int) -> bool:
        sql = self._sql
        if self._upserts and self._is_there(sql.exists_one, place):
            if sql.update_one is None or sql.differs_one is None:
                return False
            if self._connection.execute(sql.update_one, (place,)).rowcount:
                return True
            if self._is_there(sql.differs_one, place):
                raise Ignored
            return False
        if not self._into.adds:
            raise Ignored
        execute_for_one(self._connection, sql.insert_one, (place,))
        return True

    def _is_there(self, sql: str, place: int) -> bool:
        return self._connection.execute(sql, (place,)).fetchone() is not None

    def _require_row_fault(self, error: RowFault) -> None:
        if isinstance(error, Ignored):
            return
        for sql in filter(None, (self._sql.update_one, self._sql.insert_one)):
            require_row_fault(self._connection, sql, error, self._into.place)

    def _require_parents(self) -> None:
        """Raise _Orphaned if a row is loaded whose parent, from the same batch, is not."""
        reasons = self._orphans(CHOSEN, in_table=True)
        if reasons:
            raise _Orphaned(_parent_refusals(reasons))

    def _orphans(self, state: int, *, in_table: bool = False) -> dict[int, list[str]]:
        reasons: dict[int, list[str]] = {}
        for wanted in self._into.wanted:
            if in_table and not wanted.itself and self._into.adds:
                continue
            sql = orphans(self._into, wanted, state, in_table=in_table)
            for place, *values in self._connection.execute(sql):
                reasons.setdefault(place, []).append(absent(wanted.parent.table, wanted.parent.key, values))
        return reasons

    def _places(self, state: int) -> list[int]:
        sql = f"SELECT milepost_row FROM {STAGE} WHERE state = {state} ORDER BY milepost_row"
        return [place for (place,) in self._connection.execute(sql)]

    def _refuse(self, refused: Iterable[Refused]) -> None:
        found = {each.index: each for each in refused}
        self.refused |= found
        mark = f"UPDATE {STAGE} SET state = {REFUSED} WHERE milepost_row = ?"
        self._connection.executemany(mark, [(place,) for place in found])


class _Orphaned(Exception):
    def __init__(self, refused: list[Refused]) -> None:
        super().__init__(f"{len(refused)} rows")
        self.refused = refused


def _parent_refusals(reasons: dict[int, list[str]]) -> list[Refused]:
    return [Refused(index=place, stage="parent", reason="; ".join(each)) for place, each in sorted(reasons.items())]
