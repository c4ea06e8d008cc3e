"""What a forked child must not keep of its parent's: files whose end tells others that the parent has died."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Opened(Protocol):
    """An open file, or a driver's connection."""

    @property
    def closed(self) -> bool: ...

    def fileno(self) -> int: ...


_kept: WeakSet[Opened] = WeakSet()


def keep_from_children(opened: Opened) -> None:
    """Let a child made by a plain ``os.fork`` have nothing in the place of that file number.

    Else the lock or the session behind it would outlive its holder in the child, and a dead run would pass for alive.
    What is said to a server is left to the parent: the child only forgets the number, without a word.
    """
    _kept.add(opened)


def _let_go() -> None:
    """In the child. The number stays taken, so that whoever still holds it meets no other file under it."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for opened in list(_kept):
        if not opened.closed:
            os.dup2(nowhere, opened.fileno(), inheritable=False)
    os.close(nowhere)
    _kept.clear()


os.register_at_fork(after_in_child=_let_go)
