"""Stores that break their promise in a way that shows only where their process is killed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from milepost.jobs.lease import Lease
from milepost.jobs.store import Store
from milepost.stores.sqlite import SqliteStore


class Hasty:
    """Says that a write is durable, and commits it with the next call: whoever asks it sees nothing amiss."""

    def __init__(self, path) -> None:
        self.store: Store = SqliteStore.create(path)
        self.uncommitted = ExitStack()
        self.inside = 0

    def __getattr__(self, name: str) -> Any:
        if name in ("put", "append", "remember", "replace", "forget_rejects", "map_keys", "unmap", "keep_links"):
            return lambda lease, *given, **named: self.write(getattr(self.store, name), lease, *given, **named)
        if name in ("acquire", "release", "renew", "rewind", "close"):
            self.uncommitted.close()
        return getattr(self.store, name)

    def write(self, method: Any, lease: Lease, *given: Any, **named: Any) -> Any:
        if self.inside:
            return method(lease, *given, **named)
        self.uncommitted.close()
        with ExitStack() as opened:
            opened.enter_context(self.store.transaction(lease))
            answer = method(lease, *given, **named)
            self.uncommitted = opened.pop_all()
        return answer

    @contextmanager
    def transaction(self, lease: Lease) -> Iterator[Any]:
        self.uncommitted.close()
        with self.store.transaction(lease) as connection:
            self.inside += 1
            try:
                yield connection
            finally:
                self.inside -= 1


class Torn(SqliteStore):
    """Takes two commits for a checkpoint or a value."""

    def put(self, lease, record) -> None:
        super().put(lease, dataclasses.replace(record, attempt=record.attempt + 1))
        super().put(lease, record)

    def replace(self, lease, path, name, value) -> None:
        super().replace(lease, path, name, None)
        super().replace(lease, path, name, value)
