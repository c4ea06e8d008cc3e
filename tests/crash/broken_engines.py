"""Engines that are broken on purpose, each in one way: Openers for the crash test, which must catch every one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from milepost.jobs.intent import INTENT
from milepost.jobs.lease import Lease
from milepost.jobs.state import Record, State
from milepost.migration.passes import PASSES
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers


class Broken:
    """A store that does what the one inside does, but for what the subclass breaks."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Apart(Broken):
    """Writes called ``apart`` go in a transaction of their own, some time after their rows': before the next thing."""

    apart: str

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._depth = 0
        self._late: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name == self.apart:
            return self._defer
        if not self._depth:
            while self._late:
                getattr(self._store, self.apart)(*self._late.pop(0))
        return super().__getattr__(name)

    def _defer(self, *arguments: Any) -> None:
        self._late.append(arguments)

    @contextmanager
    def transaction(self, lease: Lease) -> Iterator[Any]:
        begin = self.__getattr__("transaction")
        before = list(self._late)
        try:
            with begin(lease) as connection:
                self._depth += 1
                try:
                    yield connection
                finally:
                    self._depth -= 1
        except BaseException:
            self._late = before
            raise


class LedgerApart(Apart):
    """The ledger row goes apart from its rows."""

    apart = "append"


class KeyMapApart(Apart):
    """What the key map is to know of rows goes apart from them."""

    apart = "map_keys"


class LinksApart(Apart):
    """What is to be set in rows later is written down apart from them."""

    apart = "keep_links"


class EpochUnchecked(Broken):
    """Whoever writes, writes: also a run that another has taken over."""

    def __getattr__(self, name: str) -> Any:
        member = super().__getattr__(name)
        if name not in {"renew", "release", "transaction", "put", "append", "rewind", "remember", "replace"}:
            return member
        return lambda lease, *arguments, **settings: member(self._valid(lease), *arguments, **settings)

    def _valid(self, lease: Lease) -> Lease:
        last = self._store.runs(lease.job)[-1]
        if last.ended_at is not None:
            return self._store.acquire(lease.job, holder=lease.holder, ttl=lease.ttl)
        return replace(lease, epoch=last.epoch)


class RollbackUnrecorded(Broken):
    """The user's rollback is run, and nobody writes down that it is, or that it was."""

    def put(self, lease: Lease, record: Record) -> None:
        if record.state not in {State.ROLLING_BACK, State.ROLLED_BACK}:
            self._store.put(lease, record)

    def rewind(self, lease: Lease, path: str) -> int:
        return 0


class IntentForgotten(Broken):
    """What is to be done outside is done, and not written down before."""

    def replace(self, lease: Lease, path: str, name: str, value: Any) -> None:
        if name != INTENT or value is None:
            self._store.replace(lease, path, name, value)


class PassUnrecorded(Broken):
    """That completed ranges are being looked at again is not written down."""

    def replace(self, lease: Lease, path: str, name: str, value: Any) -> None:
        if name != PASSES:
            self._store.replace(lease, path, name, value)


def breaking(how: Callable[[Any], Any]) -> Openers:
    def opened(url: str, *, create: bool) -> Any:
        store = open_store(url, create=create)
        return how(store) if create else store

    return Openers(store=opened)


LEDGER_APART = breaking(LedgerApart)
KEY_MAP_APART = breaking(KeyMapApart)
LINKS_APART = breaking(LinksApart)
EPOCH_UNCHECKED = breaking(EpochUnchecked)
INTENT_FORGOTTEN = breaking(IntentForgotten)
PASS_UNRECORDED = breaking(PassUnrecorded)
ROLLBACK_UNRECORDED = breaking(RollbackUnrecorded)
SOUND = breaking(Broken)
