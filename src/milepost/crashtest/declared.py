"""What the crash test must know of the user's job before it starts: asked of a process that loads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milepost.databases.url import expand, scheme, sqlite_path
from milepost.jobs.job import Job
from milepost.migration.migration import BATCH_ROWS, Migration
from milepost.migration.table import Table, key_of
from milepost.wiring.ends import place_of
from milepost.wiring.run import Urls, store_url


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What the object ``name`` fills: a table at a place. ``key`` is empty where its rows have an ``id`` alone.

    ``parents`` are its columns with the name of the object that they refer to.
    """

    name: str
    table: str
    place: str
    key: tuple[str, ...]
    id: str | None
    parents: tuple[tuple[tuple[str, ...], str], ...]


@dataclass(frozen=True, kw_only=True)
class Declared:
    """URLs are whole: variables put in, files absolute. ``read`` and ``written`` map places to the databases there.

    ``fills`` says what each object fills; ``undone`` names the objects that have a rollback.
    """

    name: str
    migration: bool
    source: str | None
    target: str | None
    store: str
    read: Mapping[str, str]
    written: Mapping[str, str]
    fills: tuple[Filled, ...]
    undone: tuple[str, ...]
    batch_rows: int


def declared(job: Job | Migration, urls: Urls) -> Declared:
    """As the job says it, and ``urls`` instead."""
    if not isinstance(job, Migration):
        store = whole(store_url(job, urls))
        return Declared(
            name=job.name,
            migration=False,
            source=None,
            target=None,
            store=store,
            read={},
            written={_place(store): store},
            fills=(),
            undone=(),
            batch_rows=0,
        )
    store = whole(store_url(job, urls))
    source, target = urls.source or job.source, urls.target or job.target
    written = [target, *(each.target.database or target for each in job.objects), store]
    read = [getattr(each.source, "database", None) or source for each in job.objects]
    places = dict(_places(written))
    return Declared(
        name=job.name,
        migration=True,
        source=None if source is None else whole(source),
        target=None if target is None else whole(target),
        store=store,
        read={place: url for place, url in _places(read) if place not in places},
        written=places,
        fills=tuple(_filled(job, target)),
        undone=tuple(each.name for each in job.objects if each.undo is not None),
        batch_rows=job.batch_rows or BATCH_ROWS,
    )


def declared_of(document: Mapping[str, Any]) -> Declared:
    """What ``dataclasses.asdict`` made JSON of."""
    lists = {"undone": tuple(document["undone"]), "fills": tuple(map(_filled_of, document["fills"]))}
    return Declared(**{**document, **lists})


def whole(url: str) -> str:
    """The URL with its variables put in, and its file absolute."""
    url = expand(url)
    return f"sqlite:///{sqlite_path(url).resolve()}" if scheme(url) == "sqlite" else url


def file_of(url: str) -> Path | None:
    """The file of a SQLite URL, None for a server's."""
    return sqlite_path(url) if scheme(url) == "sqlite" else None


def _filled(job: Migration, target: str | None) -> Iterator[Filled]:
    for each in job.objects:
        url = each.target.database or target
        if isinstance(each.target, Table) and url is not None:
            yield Filled(
                name=each.name,
                table=each.target.name,
                place=_place(url),
                key=() if each.target.key is None else key_of(each.target),
                id=each.target.id,
                parents=tuple((columns, parent.name) for columns, parent in each.parents.items()),
            )


def _filled_of(document: Mapping[str, Any]) -> Filled:
    parents = tuple((tuple(columns), name) for columns, name in document["parents"])
    return Filled(**{**document, "key": tuple(document["key"]), "parents": parents})


def _places(urls: list[str | None]) -> Iterator[tuple[str, str]]:
    for url in urls:
        if url is not None:
            yield _place(url), whole(url)


def _place(url: str) -> str:
    return str(place_of(url))
