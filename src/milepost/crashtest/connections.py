"""Every connection of this process to a PostgreSQL server, so that all can be lost at once."""

from __future__ import annotations

import os
import socket
import weakref
from contextlib import suppress
from typing import Any

_opened: weakref.WeakSet[Any] = weakref.WeakSet()


def watch() -> None:
    """From now on note every connection that psycopg opens, where psycopg is installed."""
    try:
        import psycopg
    except ImportError:
        return
    connect = psycopg.Connection.connect

    def noted(*arguments: Any, **settings: Any) -> Any:
        connection = connect(*arguments, **settings)
        _opened.add(connection)
        return connection

    psycopg.connect = noted


def sever_all() -> bool:
    """Break them, as a network or a server does that goes away; False where none is open."""
    broken = False
    for connection in list(_opened):
        if not connection.closed:
            with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
                end.shutdown(socket.SHUT_RDWR)
                broken = True
    return broken
