"""Processes that start in milliseconds: forked from one in which everything is imported. They are real all the same."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Self

from milepost.clock import SystemClock

KEEPER = "import sys, warm_processes; warm_processes.keep(sys.argv[1], int(sys.argv[2]))"
_CLOCK = SystemClock()


class WarmProcesses:
    """Starts ``module.main(*arguments)`` in processes of their own. Those that are left at the end are killed."""

    def __init__(self, module: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._keeper = subprocess.Popen(
                [sys.executable, "-c", KEEPER, module, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._line: Connection[Any, Any] = Connection(ours.detach())
        self._lock = threading.Lock()
        self._ended: dict[int, int] = {}

    def start(self, output: Path, *arguments: Any) -> int:
        """The process's id. What it prints goes to the file ``output``."""
        return int(self._ask((str(output), arguments)))

    def wait(self, process: int, seconds: float = 60.0) -> int:
        """Its exit status, as subprocess tells it; fails if it does not end in time."""
        until = _CLOCK.monotonic() + seconds
        while process not in self._ended:
            assert _CLOCK.monotonic() < until, f"process {process} does not end"
            _CLOCK.sleep(0.01)
            self._ended |= self._ask(None)
        return self._ended[process]

    def _ask(self, what: Any) -> Any:
        with self._lock:
            self._line.send(what)
            return self._line.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        self._keeper.wait()


def keep(module: str, line: int) -> None:
    """The program of the process from which the others are forked."""
    main = __import__(module).main
    running: set[int] = set()
    with Connection(line) as connection, suppress(EOFError):
        while True:
            asked = connection.recv()
            if asked is None:
                connection.send(_ended(running))
                continue
            process = os.fork()
            if process == 0:
                connection.close()
                _live(main, *asked)
            running.add(process)
            connection.send(process)
    for process in running:
        os.kill(process, 9)


def _ended(running: set[int]) -> dict[int, int]:
    """Those that have ended since, with how."""
    found = [os.waitpid(process, os.WNOHANG) for process in running]
    ended = {process: os.waitstatus_to_exitcode(status) for process, status in found if process}
    running -= set(ended)
    return ended


def _live(main: Any, output: str, arguments: tuple[Any, ...]) -> None:
    status = 1
    try:
        with open(output, "w", buffering=1) as file:  # noqa: PTH123 — as a shell would
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
            status = main(*arguments)
    except BaseException:  # noqa: BLE001 — it must not become a second keeper
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)
