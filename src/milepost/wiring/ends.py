"""Which source and target a URL stands for."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

from milepost.databases.postgres import need_driver
from milepost.databases.url import expand, scheme, sqlite_path
from milepost.errors import PlanError
from milepost.migration.object import Object
from milepost.migration.outside import Outside
from milepost.migration.rows import RowsSource
from milepost.migration.sink import SinkTarget
from milepost.migration.source import Source
from milepost.migration.table import Query, Rows, Sink
from milepost.migration.target import Target


def open_source(each: Object, url: str | None) -> Source:
    """The object's source. Connects no sooner than it is asked something. Raises PlanError for a URL that cannot be."""
    place = each.source
    if isinstance(place, Rows):
        return RowsSource(place)
    url = expand(_needed(place.database or url, each, "source"))
    query = isinstance(place, Query)
    settings: dict[str, Any] = {
        "name": None if query else place.name,
        "sql": place.sql if isinstance(place, Query) else None,
        "key": each.source_key,
        "columns": None if isinstance(place, Query) else _read_columns(each),
        "where": None if isinstance(place, Query) else place.where,
        "modified": place.modified,
    }
    if _database(url, each, "source") == "sqlite":
        from milepost.connectors.sql.sqlite.source import SqliteSource

        return SqliteSource(url, **settings)
    need_driver()
    from milepost.connectors.sql.postgres.source import PostgresSource

    return PostgresSource(url, **settings)


def open_target(each: Object, url: str | None) -> Target:
    """The object's target, likewise."""
    if isinstance(each.target, Sink):
        return SinkTarget(each.target)
    url = expand(_needed(each.target.database or url, each, "target"))
    if _database(url, each, "target") == "sqlite":
        from milepost.connectors.sql.sqlite.target import SqliteTarget

        return SqliteTarget(url, name=each.target.name, key=each.target_key)
    need_driver()
    from milepost.connectors.sql.postgres.target import PostgresTarget

    return PostgresTarget(url, name=each.target.name, key=each.target_key)


def open_outside(each: Object, url: str | None, job: str) -> Outside:
    """The transactions of the object's target, where the store is in another database; likewise."""
    url = expand(_needed(each.target.database or url, each, "target"))
    if _database(url, each, "target") == "sqlite":
        from milepost.connectors.sql.sqlite.outside import SqliteOutside

        return SqliteOutside(url, name=each.target.name, key=each.target_key)
    need_driver()
    from milepost.connectors.sql.postgres.outside import PostgresOutside

    return PostgresOutside(url, name=each.target.name, key=each.target_key, job=job, path=each.name)


def place_of(url: str | None) -> str | None:
    """Which database a URL names, without who asks for it: its file, or its host, port and name."""
    if url is None:
        return None
    url = expand(url)
    if scheme(url) == "sqlite":
        return str(sqlite_path(url).resolve())
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))  # libpq takes these before what stands in front
    host, port = said.get("host") or parts.hostname or "localhost", said.get("port") or parts.port or 5432
    return f"{host}:{port}/{said.get('dbname') or parts.path.removeprefix('/')}"


def connect_read_only(url: str) -> Any:
    """A connection that cannot write, as the url's target takes it."""
    if scheme(url) == "sqlite":
        from milepost.databases.sqlite import connect_read_only as connect_to_file

        return connect_to_file(sqlite_path(url))
    from milepost.databases.postgres import connect

    return connect(url, read_only=True)


def _read_columns(each: Object) -> tuple[str, ...] | None:
    """The columns to read: those that are asked for, the key, and the one that tells of changes; None for all."""
    place = each.source
    asked = getattr(place, "columns", None)
    if asked is None and each.columns is not None:
        asked = tuple(dict.fromkeys(each.columns.values()))
    if asked is None:
        return None
    told = getattr(place, "modified", None)
    return tuple(dict.fromkeys((*asked, *each.source_key, *([told] if told else []))))


def _needed(url: str | None, each: Object, side: str) -> str:
    if url is None:
        raise PlanError(
            f"{each.name} has no {side}", hint=f"Give the migration a URL ({side}=…), or the command --{side} URL."
        )
    return url


def _database(url: str, each: Object, side: str) -> str:
    name = scheme(url)
    if name == "memory":
        raise PlanError(f"{each.name}: {url} cannot be a {side}", hint="Write sqlite:///file.db or postgresql://….")
    return name
