"""Starts ``milepost`` as a process of its own, reads its events, and ends it: kindly, or with SIGKILL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 10.0

Event = dict[str, Any]


def run_until(folder: Path, arguments: tuple[str, ...], enough: Callable[[Event], bool]) -> int:
    """Run ``milepost …`` in the folder and kill it with SIGKILL at the first event that is ``enough``.

    Returns its exit status: -9 if it was killed. The events are what it writes on standard output.
    """
    with _child(folder, arguments, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            if enough(json.loads(line)):
                process.kill()
                break
        process.communicate()
        return process.returncode


def run_to_end(folder: Path, arguments: tuple[str, ...]) -> int:
    """Run ``milepost …`` in the folder, its output shown; its exit status."""
    with _child(folder, arguments, stdout=None) as process:
        return process.wait()


@contextmanager
def _child(folder: Path, arguments: tuple[str, ...], stdout: int | None) -> Iterator[subprocess.Popen[str]]:
    """In a session of its own, so that Ctrl-C reaches the demo alone, which then ends it in order."""
    process = subprocess.Popen(  # noqa: S603 - our own command, in our own folder
        [sys.executable, "-m", "milepost", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Stop it at its next commit if it still runs; without delay if that takes long, or on another Ctrl-C."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.communicate()


def command(folder: Path) -> str:
    """How people call ``milepost`` from within the folder: by name if the shell finds this very one, else by path."""
    script = Path(sys.executable).with_name("milepost")
    if shutil.which("milepost") == str(script):
        return "milepost"
    if script.is_file():
        return min(os.path.relpath(script, folder), str(script), key=len)
    return f"{sys.executable} -m milepost"


@contextmanager
def stop_on_terminate() -> Iterator[None]:
    """SIGTERM and a closed terminal end the demo as Ctrl-C does, so that no child is left behind."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    heeded = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
