"""Starts the processes of rounds, watches and signals them: the parent's side of the template."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import IO, Any

from milepost.crashtest.task import Task
from milepost.errors import Fatal


class Process:
    """One process of a round."""

    def __init__(self, launcher: Launcher, number: int) -> None:
        self._launcher = launcher
        self._number = number
        self._ended = threading.Event()
        self._stopped = threading.Event()
        self.status: int | None = None

    def wait(self, seconds: float) -> bool:
        """Whether it ended within that time."""
        return self._ended.wait(seconds)

    def wait_until_stopped(self, seconds: float) -> bool:
        """Whether SIGSTOP came within that time, before its end."""
        return self._stopped.wait(seconds) and not self._ended.is_set()

    def send(self, number: signal.Signals) -> None:
        """Signal it, if it has not ended."""
        self._launcher.tell({"signal": self._number, "with": int(number)})

    def heard(self, line: dict[str, Any]) -> None:
        if "ended" in line:
            self.status = line["status"]
            self._ended.set()
        self._stopped.set()  # an end ends the waiting for a stop too


class Launcher:
    """Used by several threads."""

    def __init__(self, template: subprocess.Popen[bytes]) -> None:
        self._template = template
        self._processes: dict[int, Process] = {}
        self._numbers = count(1)
        self._turn = threading.Lock()
        self._listener = threading.Thread(target=self._listen, name="milepost crashtest listener", daemon=True)
        self._listener.start()

    def start(self, task: Task) -> Process:
        number = next(self._numbers)
        process = self._processes[number] = Process(self, number)
        self.tell({"start": number, "task": asdict(task)})
        return process

    def clear_afterwards(self, folder: Path) -> None:
        """Let the template remove that folder at its end: it outlives this process, however that ends."""
        self.tell({"folder": str(folder)})

    def drop_afterwards(self, url: str, prefix: str) -> None:
        """Let it drop the databases whose names begin so, on the server of that URL."""
        self.tell({"server": url, "prefix": prefix})

    def kill_all(self) -> None:
        """End every process that runs; those that are started from now on end at once."""
        with suppress(Fatal):
            self.tell({"kill": True})

    def tell(self, order: dict[str, Any]) -> None:
        try:
            with self._turn:
                pipe = _pipe(self._template.stdin)
                pipe.write(json.dumps(order).encode() + b"\n")
                pipe.flush()
        except (BrokenPipeError, ValueError) as error:
            raise Fatal("the process that runs the crash test's rounds is gone", hint="Was it killed?") from error

    def close(self) -> None:
        """End every process that still runs, and the template, which clears away behind it. Safe to call twice."""
        with self._turn:
            _pipe(self._template.stdin).close()
        self._template.wait()
        self._listener.join()
        _pipe(self._template.stdout).close()

    def _listen(self) -> None:
        for text in _pipe(self._template.stdout):
            line = json.loads(text)
            process = self._processes[line.get("ended", line.get("stopped"))]
            process.heard(line)
        for process in list(self._processes.values()):
            process.heard({"ended": 0, "status": process.status if process.status is not None else -signal.SIGKILL})


@contextmanager
def launching() -> Iterator[Launcher]:
    """A launcher whose processes are gone when the block is left. They are out of reach of a terminal's Ctrl-C."""
    template = subprocess.Popen(
        [sys.executable, "-m", "milepost.crashtest.template"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    launcher = Launcher(template)
    try:
        yield launcher
    finally:
        launcher.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None  # noqa: S101 - both were asked for
    return pipe
