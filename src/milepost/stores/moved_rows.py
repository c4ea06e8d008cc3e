"""What the stores in SQL databases keep about single rows: rejects, the key map, links."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from milepost.jobs.lease import Lease
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import JSON
from milepost.stores import row_statements, rows
from milepost.stores.encode import decode, encode, same_name
from milepost.stores.leasing import LeasingStore

PAGE = 1000  # rows read at a time by the methods that iterate


class MovedRowsStore(LeasingStore):
    """The part of the contract that is about rows: one statement for all that it is given, however many."""

    @abstractmethod
    def _writing(self, lease: Lease) -> AbstractContextManager[None]:
        """A transaction, or a part of the open one, under a lease that is valid."""

    # -- rejects

    def rejects(self, job: str, path: str | None = None) -> Iterator[RejectedRow]:
        if not path:
            yield from self._pages_of_rejects(row_statements.REJECTS_OF_JOB, job, "")
            return
        yield from self._pages_of_rejects(row_statements.REJECTS_OF_PATH, job, path)
        yield from self._pages_of_rejects(row_statements.REJECTS_BELOW, job, path)

    def _pages_of_rejects(self, statement: str, job: str, of: str) -> Iterator[RejectedRow]:
        after = {"path": "", "seq": -1, "ordinal": -1}
        while True:
            with self._reading():
                page = self._run(statement, job=job, of=of, page=PAGE, **after).fetchall()
            yield from map(rows.rejected_row, page)
            if len(page) < PAGE:
                return
            after = dict(zip(after, page[-1], strict=False))

    def find_rejects(self, job: str, path: str, keys: Sequence[JSON]) -> list[RejectedRow]:
        if not keys:
            return []
        given = self._dialect.texts(_keys(keys))
        with self._reading():
            found = self._run(row_statements.FIND_REJECTS, job=job, path=path, **given).fetchall()
            return [rows.rejected_row(row) for row in sorted(found, key=lambda row: row[:3])]

    def count_rejects(self, job: str, path: str, batches: Sequence[tuple[str, int]] | None = None) -> int:
        statement = row_statements.COUNT_REJECTS if batches is None else row_statements.COUNT_REJECTS_OF
        given = {} if batches is None else self._dialect.pairs(sorted(set(batches)))
        with self._reading():
            return int(self._run(statement, job=job, path=path, **given).fetchone()[0])

    def forget_rejects(
        self, lease: Lease, path: str, *, keys: Sequence[JSON] = (), batches: Sequence[tuple[str, int]] = ()
    ) -> int:
        of = {"job": lease.job, "path": same_name(path, "path")}
        with_keys, with_batches = self._dialect.texts(_keys(keys)), self._dialect.pairs(batches)
        forgotten = 0
        with self._writing(lease):
            if keys:
                forgotten += self._run(row_statements.FORGET_REJECTS, **of, **with_keys).rowcount
            if batches:
                forgotten += self._run(row_statements.FORGET_REJECTS_OF, **of, **with_batches).rowcount
        return forgotten

    # -- the key map

    def map_keys(self, lease: Lease, path: str, batch: tuple[str, int], rows: Sequence[tuple[str, JSON]]) -> None:
        targets = {same_name(key, "key"): encode(target, "a key in the target") for key, target in rows}
        of = {"job": lease.job, "path": same_name(path, "path")}
        by = {"batch_path": same_name(batch[0], "path"), "batch_seq": batch[1]}
        with self._writing(lease):
            if targets:
                self._run(row_statements.MAP_KEYS, **of, **by, **self._dialect.pairs(list(targets.items())))

    def mapped(self, job: str, path: str, keys: Sequence[str]) -> dict[str, JSON]:
        return dict(self._mapped(row_statements.MAPPED, job, path, self._dialect.texts(keys))) if keys else {}

    def mapped_from(self, job: str, path: str, targets: Sequence[JSON]) -> list[tuple[str, JSON]]:
        texts = [encode(target, "a key in the target") for target in targets]
        return self._mapped(row_statements.MAPPED_FROM, job, path, self._dialect.texts(texts)) if targets else []

    def mapped_by(self, job: str, path: str, batches: Sequence[tuple[str, int]]) -> list[tuple[str, JSON]]:
        each_once = list(dict.fromkeys(batches))
        return self._mapped(row_statements.MAPPED_BY, job, path, self._dialect.pairs(each_once)) if batches else []

    def _mapped(self, statement: str, job: str, path: str, given: dict[str, object]) -> list[tuple[str, JSON]]:
        """In order of the keys, which no statement is asked for: it may choose its index by it."""
        with self._reading():
            return [(key, decode(text)) for key, text in sorted(self._run(statement, job=job, path=path, **given))]

    def unmap(self, lease: Lease, path: str, keys: Sequence[str]) -> None:
        of = {"job": lease.job, "path": same_name(path, "path")}
        with self._writing(lease):
            if keys:
                self._run(row_statements.UNMAP, **of, **self._dialect.texts(keys))

    # -- links

    def keep_links(self, lease: Lease, path: str, seq: int, links: Sequence[JSON]) -> None:
        of = {"job": lease.job, "path": same_name(path, "path"), "seq": seq}
        given = self._dialect.texts([encode(link, "a link") for link in links])
        with self._writing(lease):
            self._run(row_statements.FORGET_LINKS, **of)
            if links:
                self._run(row_statements.KEEP_LINKS, **of, **given)

    def links(self, job: str, path: str, after: tuple[int, int] | None = None) -> Iterator[tuple[int, int, JSON]]:
        seq, place = after or (-1, -1)
        while True:
            with self._reading():
                page = self._run(row_statements.LINKS, job=job, path=path, seq=seq, place=place, page=PAGE).fetchall()
            yield from ((seq, place, decode(link)) for seq, place, link in page)
            if len(page) < PAGE:
                return
            seq, place, _ = page[-1]


def _keys(keys: Sequence[JSON]) -> list[str | None]:
    return [encode(key, "a key") for key in keys]
