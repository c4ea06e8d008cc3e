"""What the crash test must know of the user's job before it starts: asked of a process that loads it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from milepost.databases.url import expand, scheme, sqlite_path
from milepost.jobs.job import Job
from milepost.migration.migration import BATCH_ROWS, Migration
from milepost.wiring.ends import place_of
from milepost.wiring.run import Urls, store_url


@dataclass(frozen=True, kw_only=True)
class Declared:
    """URLs are whole: variables put in, files absolute. ``read`` and ``written`` map places to the databases there.

    ``targets`` names the table that each object fills; ``undone`` the objects that have a rollback.
    """

    name: str
    migration: bool
    source: str | None
    target: str | None
    store: str
    read: Mapping[str, str]
    written: Mapping[str, str]
    targets: Mapping[str, str]
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
            targets={},
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
        targets={each.name: each.target.name for each in job.objects},
        undone=tuple(each.name for each in job.objects if each.undo is not None),
        batch_rows=job.batch_rows or BATCH_ROWS,
    )


def declared_of(document: Mapping[str, Any]) -> Declared:
    """What ``dataclasses.asdict`` made JSON of."""
    return Declared(**{**document, "undone": tuple(document["undone"])})


def whole(url: str) -> str:
    """The URL with its variables put in, and its file absolute."""
    url = expand(url)
    return f"sqlite:///{sqlite_path(url).resolve()}" if scheme(url) == "sqlite" else url


def file_of(url: str) -> Path | None:
    """The file of a SQLite URL, None for a server's."""
    return sqlite_path(url) if scheme(url) == "sqlite" else None


def _places(urls: list[str | None]) -> Iterator[tuple[str, str]]:
    for url in urls:
        if url is not None:
            yield _place(url), whole(url)


def _place(url: str) -> str:
    return str(place_of(url))
