"""Stores, sources and targets whose effects are counted. What they do is what the wrapped ones do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

from milepost.crashtest.fault import Effect
from milepost.crashtest.player import Player
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Entry
from milepost.jobs.state import Record
from milepost.jobs.store import Store
from milepost.migration.object import Object
from milepost.migration.outside import Outside
from milepost.migration.source import Key, Row, Source
from milepost.migration.target import Comparing, Target
from milepost.wiring.openers import Openers

STORE_WRITES = {
    "acquire", "release", "put", "append", "rewind", "remember", "replace",
    "forget_rejects", "map_keys", "unmap", "keep_links",
}  # fmt: skip
SOURCE_READS = {"highest", "count", "extent"}
TARGET_WRITES = {
    "load": "",
    "update": "update",
    "delete": "delete",
    "draw_ids": "draw ids",
}  # with what is said of each
TARGET_READS = {"find", "referring"}
COMPARISONS = {"compare", "find", "count", "expect", "extra"}


class CountedStore:
    """A store; each of its writes is an effect, and so is the commit of a transaction. Reads are not."""

    def __init__(self, store: Store, player: Player) -> None:
        self._store = store
        self._player = player
        self._depth = 0

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._store, name)
        return partial(self._write, name, member) if name in STORE_WRITES else member

    @contextmanager
    def transaction(self, lease: Lease) -> Iterator[Any]:
        number = 0
        with self._store.transaction(lease) as connection:
            self._depth += 1
            try:
                yield connection
            finally:
                self._depth -= 1
            if not self._depth:
                number = self._player.before(Effect.COMMIT, "")
        if number:
            self._player.after(number)

    def _write(self, name: str, write: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        with self._player.effect(Effect.STORE_WRITE, " ".join([name, *_about(arguments)])):
            return write(*arguments, **settings)


class CountedSource:
    """A source; each list of rows that it gives is an effect."""

    def __init__(self, source: Source, player: Player, name: str) -> None:
        self._source = source
        self._player = player
        self._name = name

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._source, name)
        return partial(self._read, name, member) if name in SOURCE_READS else member

    def read(self, after: Key | None, upto: Key | None, chunk: int) -> Generator[list[Row], None, None]:
        chunks = self._source.read(after, upto, chunk)
        while True:
            with self._player.effect(Effect.SOURCE_READ, self._name):
                rows = next(chunks, None)
            if rows is None:
                return
            self._player.read(len(rows))
            yield rows

    def find(self, keys: Sequence[Key]) -> list[Row]:
        rows: list[Row] = self._read("find", self._source.find, keys)
        self._player.read(len(rows))
        return rows

    def _read(self, name: str, read: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        with self._player.effect(Effect.SOURCE_READ, f"{self._name} {name}"):
            return read(*arguments, **settings)


class CountedTarget:
    """A target; each of its writes is an effect, and each look into its tables. A number drawn is one that is gone."""

    def __init__(self, target: Target, player: Player, name: str) -> None:
        self._target = target
        self._player = player
        self._name = name

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._target, name)
        if name in TARGET_WRITES:
            return partial(self._do, Effect.TARGET_WRITE, TARGET_WRITES[name], member)
        return partial(self._do, Effect.TARGET_READ, name, member) if name in TARGET_READS else member

    def comparing(self, columns: tuple[str, ...], key: tuple[str, ...]) -> Comparing:
        comparing = self._target.comparing(columns, key)
        return cast("Comparing", CountedComparing(comparing, self._player, self._name))

    def _do(self, effect: Effect, what: str, do: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        with self._player.effect(effect, f"{self._name} {what}".rstrip()):
            return do(*arguments, **settings)


class CountedComparing:
    """Each comparison is an effect."""

    def __init__(self, comparing: Comparing, player: Player, name: str) -> None:
        self._comparing = comparing
        self._player = player
        self._name = name

    def __getattr__(self, name: str) -> Any:
        member = getattr(self._comparing, name)
        return partial(self._read, name, member) if name in COMPARISONS else member

    def _read(self, name: str, read: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        with self._player.effect(Effect.TARGET_READ, f"{self._name} {name}"):
            return read(*arguments, **settings)


class CountedOutside:
    """A target's own transactions, where the store is elsewhere; the commit of each is an effect."""

    def __init__(self, outside: Outside, player: Player, name: str) -> None:
        self._outside = outside
        self._player = player
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outside, name)

    @contextmanager
    def transaction(self, check_lease: Callable[[], None]) -> Iterator[Any]:
        with self._outside.transaction(check_lease) as connection:
            yield connection
            number = self._player.before(Effect.COMMIT, self._name)
        self._player.after(number)


def counted(openers: Openers, player: Player) -> Openers:
    """Openers that give what ``openers`` give, counted."""

    def store(url: str, *, create: bool) -> Store | None:
        opened = openers.store(url, create=create)
        return cast("Store", CountedStore(opened, player)) if create and opened is not None else opened

    def source(each: Object, url: str | None) -> Source:
        return cast("Source", CountedSource(openers.source(each, url), player, each.name))

    def target(each: Object, url: str | None) -> Target:
        return cast("Target", CountedTarget(openers.target(each, url), player, each.name))

    def outside(each: Object, url: str | None, job: str) -> Outside:
        return cast("Outside", CountedOutside(openers.outside(each, url, job), player, each.name))

    return Openers(store=store, source=source, target=target, outside=outside)


def _about(arguments: Sequence[Any]) -> Iterator[str]:
    """Which checkpoint a store's write is about, and which state or name it writes."""
    texts = [each for each in arguments if isinstance(each, str)]
    yield from (each or "the job" for each in texts[:2])  # a third would be a value
    for each in arguments:
        match each:
            case Record():
                yield f"{each.path or 'the job'} {each.state}"
            case Entry():
                yield each.path
