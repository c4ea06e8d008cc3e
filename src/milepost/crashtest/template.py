"""A warmed process that forks one for each run: a start of Python for each would take most of the time.

It has one thread, no connection, and nothing of the user's: each fork loads the user's file itself, as a new process
does. Told by JSON lines on standard input what to start and what to signal, it tells on standard output what stopped
and what ended. When standard input ends, however it does, every fork is killed and the scratch databases and
folder are cleared away.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import select
import shutil
import signal
import sys
from contextlib import suppress
from typing import Any

from milepost.crashtest.child import carry_out
from milepost.crashtest.task import task_of
from milepost.errors import mask

DIE_WITH_PARENT = 1  # Linux: PR_SET_PDEATHSIG
UNHEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # it ends when its parent does, however that was told to
WANTED = (
    "milepost.stores.sqlite",
    "milepost.stores.postgres",
    "milepost.connectors.sql.sqlite.source",
    "milepost.connectors.sql.sqlite.target",
    "milepost.connectors.sql.postgres.source",
    "milepost.connectors.sql.postgres.target",
)


class Template:
    """What is under way: the forks by the numbers that the parent gave them."""

    def __init__(self) -> None:
        self.forks: dict[int, int] = {}  # process to number
        self.killed = False  # nothing is started any more
        self.folder: str | None = None
        self.servers: dict[str, str] = {}  # URL to the beginning of the names of what was made there

    def obey(self, order: dict[str, Any]) -> None:
        """Carry out one line of the parent's."""
        if "start" in order:
            self._start(order["start"], order["task"])
        elif "signal" in order:
            self._signal(order["signal"], order["with"])
        elif "kill" in order:
            self.killed = True
            for process in self.forks:
                os.kill(process, signal.SIGKILL)
        elif "folder" in order:
            self.folder = order["folder"]
        elif "server" in order:
            self.servers[order["server"]] = order["prefix"]

    def look(self) -> None:
        """Tell of every fork that stopped or ended."""
        while self.forks:
            process, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if not process:
                return
            if os.WIFSTOPPED(status):
                _tell(stopped=self.forks[process])
            else:
                _tell(ended=self.forks.pop(process), status=os.waitstatus_to_exitcode(status))

    def end(self) -> None:
        """Leave nothing behind."""
        for process in self.forks:
            os.kill(process, signal.SIGKILL)
        while self.forks:
            process, _ = os.waitpid(-1, 0)
            self.forks.pop(process, None)
        for url, prefix in self.servers.items():
            from milepost.crashtest.postgres_copy import drop_all

            try:
                drop_all(url, prefix)
            except Exception as error:  # noqa: BLE001 - the other servers and the folder are still to be cleared
                with suppress(OSError):
                    text = f"crashtest: drop the databases whose names begin with {prefix} yourself: {error}\n"
                    os.write(2, mask(text).encode())
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, number: int, document: dict[str, Any]) -> None:
        if self.killed:
            _tell(ended=number, status=-signal.SIGKILL)
            return
        process = os.fork()
        if process:
            self.forks[process] = number
            return
        status = 70
        try:
            _become_a_run(document["output"])
            status = carry_out(task_of(document))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _signal(self, number: int, with_signal: int) -> None:
        for process, known in self.forks.items():
            if known == number:  # not yet waited for, so its number is nobody else's
                os.kill(process, with_signal)


def warm() -> None:
    """Import what every run will need; what is not installed is for the run itself to miss."""
    for name in WANTED:
        with suppress(ImportError):
            importlib.import_module(name)


def serve() -> None:
    """Obey until standard input ends."""
    warm()
    template = Template()
    woken, wakes = os.pipe()
    for descriptor in (woken, wakes):
        os.set_blocking(descriptor, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in UNHEARD:
        signal.signal(number, signal.SIG_IGN)
    try:
        _obey_all(template, woken)
    finally:
        template.end()


def _obey_all(template: Template, woken: int) -> None:
    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
        template.look()
        if 0 not in ready:
            continue
        read = os.read(0, 65536)
        if not read:
            return
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            template.obey(json.loads(line))


def _become_a_run(output: str) -> None:
    """Forget what was the template's alone, die when it dies, and print into a file."""
    with suppress(OSError, AttributeError):  # not every system has it
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor, place in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(descriptor, place)


def _tell(**line: Any) -> None:
    with suppress(BrokenPipeError):  # the parent is gone: that is heard where its orders end, and cleared away after
        os.write(1, json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    serve()
