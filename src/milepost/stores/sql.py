"""What the stores in SQL databases have in common: every method of the contract but the lease's own locks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Entry, RejectedRow
from milepost.jobs.state import JSON, Completed, Record
from milepost.stores import row_statements, rows, statements
from milepost.stores.encode import LARGE_RESULT, decode, encode, moment, same_name
from milepost.stores.holding import lost, out_of_order
from milepost.stores.moved_rows import PAGE, MovedRowsStore


class SqlStore(MovedRowsStore):
    """All of the contract but what a database must supply."""

    @abstractmethod
    def _joined(self) -> AbstractContextManager[Any]:
        """Makes several statements inside an open transaction atomic."""

    @abstractmethod
    def _insert_rejects(self, values: Sequence[tuple[Any, ...]]) -> None:
        """Add rows of ``rows.REJECT_COLUMNS``, in one statement."""

    @abstractmethod
    def _alone(self, lease: Lease, statement: str, values: dict[str, Any]) -> int:
        """Run a statement that writes, outside a transaction; durable when it returns the number of rows written."""

    def _sign(self, lease: Lease) -> None:
        """Just before the outermost commit."""

    # -- writing together

    @contextmanager
    def transaction(self, lease: Lease) -> Iterator[Any]:
        with self._lock, self._block() as connection:
            self._check(lease)
            yield connection
            if self._depth == 1:
                with self._explained():
                    self._sign(lease)

    @contextmanager
    def _writing(self, lease: Lease) -> Iterator[None]:
        with self._lock:
            if not self._depth:
                with self.transaction(lease), self._explained():
                    yield
            else:
                self._check(lease)
                with self._joined(), self._explained():
                    yield

    def _write(self, lease: Lease, statement: str, values: dict[str, Any]) -> int:
        """Run a statement that itself writes nothing unless the lease is valid; the number of rows written."""
        values |= {"job": lease.job, "epoch": lease.epoch}
        with self._lock, self._explained():
            return self._run(statement, **values).rowcount if self._depth else self._alone(lease, statement, values)

    def _check(self, lease: Lease) -> None:
        if (lease.job, lease.epoch) in self._checked:
            return
        with self._explained():
            row = self._run(statements.CHECK, job=lease.job, epoch=lease.epoch).fetchone()
        if row is None:
            raise lost(lease)
        if self._depth:
            self._checked.add((lease.job, lease.epoch))

    # -- checkpoints

    def put(self, lease: Lease, record: Record) -> None:
        if not self._write(lease, statements.PUT, rows.record_values(record)):
            raise lost(lease)

    def get(self, job: str, path: str) -> Record | None:
        with self._reading():
            row = self._run(statements.ONE_CHECKPOINT, job=job, path=path).fetchone()
            return None if row is None else rows.record(row)

    def checkpoints(self, job: str) -> list[Record]:
        with self._reading():
            return [rows.record(row) for row in self._run(statements.ALL_CHECKPOINTS, job=job)]

    def completed_after(self, job: str, path: str, places: int) -> list[Completed]:
        given = {"job": job, "path": path, "places": places, "longest": LARGE_RESULT}
        with self._reading():
            return [rows.completed(row) for row in self._run(statements.COMPLETED_AFTER, **given)]

    def append(self, lease: Lease, entry: Entry, rejects: Sequence[RejectedRow] = ()) -> None:
        values = rows.entry_values(entry)
        refused = [rows.reject_values(lease.job, entry, ordinal, row) for ordinal, row in enumerate(rejects)]
        if not refused:
            self._append(lease, values)
            return
        with self._writing(lease):
            self._append(lease, values)
            self._insert_rejects(refused)

    def _append(self, lease: Lease, values: dict[str, Any]) -> None:
        with self._lock:
            if not self._write(lease, statements.APPEND, values):
                self._check(lease)
                raise out_of_order(values["path"], values["seq"])

    def ledger(self, job: str, path: str) -> Iterator[Entry]:
        seq = 0
        while True:
            with self._reading():
                page = self._run(statements.LEDGER, job=job, path=path, seq=seq, page=PAGE).fetchall()
            yield from map(rows.entry, page)
            if len(page) < PAGE:
                return
            seq = page[-1][1]

    def rewind(self, lease: Lease, path: str) -> int:
        same_name(path, "path")
        with self._writing(lease):
            forgotten = 0
            self._run(row_statements.REWIND_KEYS, job=lease.job, path=path)
            for table in ("ledger", "reject", "link", "value", "checkpoint"):
                statement = statements.BELOW.replace("table", table)
                forgotten = self._run(statement, job=lease.job, path=path).rowcount
            for values in rows.rewound_values(path) if forgotten else ():
                self._run(statements.REWIND_ABOVE, job=lease.job, **values)
            return forgotten

    # -- remembered values

    def remember(self, lease: Lease, path: str, name: str, value: JSON) -> JSON:
        values = rows.value_values(path, name, encode(value, f"the value {name!r}"))
        with self._lock:
            if self._write(lease, statements.REMEMBER, values):
                return decode(values["value"])
            with self._explained():
                recorded = self._run(statements.RECALL_ONE, **values).fetchone()
        if recorded is None:
            raise lost(lease)
        return decode(recorded[0])

    def recall(self, job: str, path: str) -> dict[str, JSON]:
        with self._reading():
            return {name: decode(text) for name, text in self._run(statements.RECALL, job=job, path=path)}

    def replace(self, lease: Lease, path: str, name: str, value: JSON) -> None:
        values = rows.value_values(path, name, encode(value, f"the value {name!r}"))
        if not self._write(lease, statements.REPLACE, values):
            raise lost(lease)

    # -- the rest

    def jobs(self) -> list[str]:
        with self._reading():
            return [name for (name,) in self._run(statements.JOBS)]

    def now(self) -> datetime:
        with self._reading():
            return moment(self._run(statements.NOW).fetchone()[0])
