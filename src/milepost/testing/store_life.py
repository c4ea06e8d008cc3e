"""A store in a process of its own that can be killed and begun anew, many times a second.

A keeper, a child process with one thread and everything imported, forks a life each time it is asked: that is the
process that opens the store and does what it is told, until it is killed. The keeper waits for it and says so, and only
then begins the next, as a computer would that was switched off and on.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from milepost.jobs.lease import Lease
from milepost.jobs.store import Store
from milepost.testing.store_writes import Act, outcome

Kill = Callable[[FrameType, str, Any], None]
KEEPER = "import sys; from milepost.testing.store_life import keep; keep(int(sys.argv[1]))"


@dataclass(frozen=True)
class Dead:
    """The life ended before it could answer. ``status`` as waitpid tells it: -9 for SIGKILL."""

    status: int


@dataclass(frozen=True)
class _Broken:
    """Something that is no outcome: a fault of the store or of the test, in words."""

    told: str


class Lives:
    """The store that ``open_store`` opens, one life after the other. ``open_store`` must be picklable.

    ``driver`` is the module of the store's driver, such as "sqlite3": a call can be killed wherever it comes to there.
    """

    def __init__(self, open_store: Callable[[], Store], *, driver: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", KEEPER, str(theirs.fileno())]
            self._keeper = subprocess.Popen(command, pass_fds=[theirs.fileno()])  # noqa: S603 — this very Python
        self._line: Connection[Any, Any] = Connection(ours.detach())
        self._line.send(sys.path)
        self._line.send((open_store, driver))
        self.alive = False

    def begin(self) -> None:
        """Begin a life, which opens the store."""
        self._line.send("begin")
        self.alive = True

    def ask(self, act: Act, lease: Lease | None = None, *, killed_at: int | None = None) -> Any:
        """The act's outcome, or Dead.

        ``killed_at`` kills it at the n-th call into the driver or return from it, at the latest when the act is done.
        """
        self._line.send((act, lease, killed_at))
        answer = self._line.recv()
        self.alive = not isinstance(answer, Dead)
        assert not isinstance(answer, _Broken), answer.told  # noqa: S101 — a suite asserts
        return answer

    def close(self) -> None:
        """End the life that goes on in peace, and the keeper."""
        self._line.close()
        self._keeper.wait()


def keep(line: int) -> None:
    """The keeper's program. Ends when nobody listens any more."""
    with Connection(line) as connection:
        sys.path[:] = connection.recv()
        open_store, driver = connection.recv()
        gc.freeze()  # or each life copies what it only counts
        while _asked(connection):
            life = os.fork()
            if life == 0:
                _live(open_store, driver, connection)
            _, status = os.waitpid(life, 0)
            with suppress(ConnectionError):  # nobody waits for one that ended in peace
                connection.send(Dead(os.waitstatus_to_exitcode(status)))


def _asked(connection: Connection[Any, Any]) -> bool:
    try:
        return bool(connection.recv())
    except (EOFError, ConnectionError):
        return False


def _live(open_store: Callable[[], Store], driver: str, connection: Connection[Any, Any]) -> None:
    try:
        store = open_store()
        while True:
            act, lease, killed_at = connection.recv()
            kill = None if killed_at is None else _killer(driver, killed_at)
            connection.send(_answer(store, act, lease, kill))
    except (EOFError, ConnectionError):
        os._exit(0)
    except BaseException:  # noqa: BLE001 — whatever it is, this process must not become a second keeper
        traceback.print_exc()
        os._exit(1)


def _answer(store: Store, act: Act, lease: Lease | None, kill: Kill | None) -> Any:
    if kill is not None:
        sys.setprofile(kill)
    try:
        found = outcome(act, store, lease)
    except Exception:  # noqa: BLE001 — the parent is to say what happened
        found = _Broken(traceback.format_exc())
    if kill is not None:
        os.kill(os.getpid(), signal.SIGKILL)
    return found


def _killer(driver: str, calls: int) -> Kill:
    """A profiler that kills this process where something of the driver is called, or returns, for the n-th time."""
    left = calls

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal left
        of_c = event.startswith("c_")
        module = type(getattr(called, "__self__", None)).__module__ if of_c else frame.f_globals.get("__name__", "")
        left -= module.partition(".")[0] == driver
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count
