"""What a process of a round may open: scratch copies only; its connections are noted, so that all can be lost."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import weakref
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import unquote

from milepost.databases.url import expand, scheme, sqlite_path
from milepost.errors import Fatal, PlanError

HERE = ("", "localhost", "127.0.0.1", "::1")  # several names of one server

_opened: weakref.WeakSet[Any] = weakref.WeakSet()
_refused: list[Fatal] = []


def guard(real: Collection[str]) -> None:
    """From now on refuse to open the real databases of these URLs, and note every connection to a server."""
    files = {os.path.realpath(sqlite_path(url)) for url in real if scheme(url) == "sqlite"}
    if files:
        _watch_sqlite(files)
    with suppress(ImportError):
        _watch_psycopg([url for url in real if scheme(url) == "postgresql"])


def sever_all() -> bool:
    """Break them, as a network or a server does that goes away; False where none is open."""
    broken = False
    for connection in list(_opened):
        if not connection.closed:
            with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)
                broken = True
    return broken


def real_place(text: str) -> str | None:
    """The place that a value of an environment variable names, if it is a database's URL."""
    from milepost.wiring.ends import place_of

    try:
        return place_of(text) if "://" in text or text.startswith("sqlite:") else None
    except (PlanError, ValueError):
        return None


def refused() -> Fatal | None:
    """What was refused in the middle of a statement, where only SQLite could say no, and only in two words."""
    return _refused[0] if _refused else None


def _watch_sqlite(files: Collection[str]) -> None:
    def refuse(event: str, values: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect" and _is_one_of(files, values[0]):
            raise _touched(os.fsdecode(values[0]))

    connect = sqlite3.connect

    def watched(*arguments: Any, **settings: Any) -> Any:
        connection = connect(*arguments, **settings)
        connection.set_authorizer(partial(_may, files))
        return connection

    sys.addaudithook(refuse)
    sqlite3.connect = sqlite3.dbapi2.connect = watched


def _may(files: Collection[str], action: int, name: str | None, *_: object) -> int:
    """Whether SQLite may do that. Which file is attached is not said where it is no literal in the statement."""
    if action != sqlite3.SQLITE_ATTACH or (name is not None and not _is_one_of(files, name)):
        return sqlite3.SQLITE_OK
    _refused.append(_unseen() if name is None else _touched(name))
    return sqlite3.SQLITE_DENY


def _is_one_of(files: Collection[str], named: Any) -> bool:
    name = os.fsdecode(named) if isinstance(named, str | bytes | os.PathLike) else ""
    if name.startswith("file:"):
        name = unquote(name.removeprefix("file:").partition("?")[0]).removeprefix("//")
    return os.path.realpath(name) in files


def _watch_psycopg(real: Collection[str]) -> None:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    def server(parts: Any) -> tuple[str, str, str]:
        name, host = parts.get("dbname") or parts.get("user") or "", str(parts.get("host") or "")
        here = host in HERE or host.startswith("/")
        return "localhost" if here else host, str(parts.get("port") or 5432), str(name)

    forbidden = {server(conninfo_to_dict(_plain(expand(url)))): url for url in real}
    connect = psycopg.Connection.connect.__func__  # type: ignore[attr-defined]

    def noted(cls: Any, /, conninfo: str = "", **settings: Any) -> Any:
        said = {name: settings[name] for name in ("host", "port", "dbname", "user") if settings.get(name) is not None}
        place = server(conninfo_to_dict(conninfo, **said))
        if place in forbidden:
            raise _touched("/".join(place))
        connection = connect(cls, conninfo, **settings)
        _opened.add(connection)
        return connection

    psycopg.Connection.connect = classmethod(noted)  # type: ignore[assignment,method-assign]
    psycopg.connect = psycopg.Connection.connect


def _plain(url: str) -> str:
    head, _, rest = url.partition("://")
    return f"{head.partition('+')[0]}://{rest}"


def _touched(what: str) -> Fatal:
    return Fatal(
        f"the job opens the real database {what} by itself, and a crash test must not touch it",
        hint="Take the connection of cp.transaction(), or the URL from an environment variable: in a crash test it"
        " holds the scratch copy's. MILEPOST_CRASHTEST=1 tells code that it is in one.",
    )


def _unseen() -> Fatal:
    return Fatal(
        "the job attaches a SQLite file whose name stands in a parameter, and a crash test must know that it is no"
        " real one",
        hint="Write the name into the statement: ATTACH 'file.db' AS name.",
    )
