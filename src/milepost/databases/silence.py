"""A bound on waiting for a server that is there and says nothing.

A server that is stopped, or something on the way that swallows what is said, keeps a connection alive for ever: TCP is
content with it. Whoever waits for the answer is let go only by ending the connection from another thread.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol


class Connected(Protocol):
    """A connection over a socket, as psycopg's."""

    @property
    def closed(self) -> bool: ...

    def fileno(self) -> int: ...


@contextmanager
def answered_within(seconds: float, end: Callable[[], None]) -> Iterator[None]:
    """Around what a server answers at once: ``end`` is called, in another thread, where that takes longer."""
    watch = threading.Timer(seconds, end)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        watch.cancel()


def cut(connection: Connected) -> None:
    """End the connection under whoever waits on it: that one meets what it meets when the network fails."""
    with suppress(OSError):
        if not connection.closed:
            with socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
