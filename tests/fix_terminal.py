"""A terminal for the command: the fixture `terminals` starts it on one and shows what a user sees.

A pseudo-terminal where the machine has them. Minimal containers have none (no /dev/pts); there, and everywhere once
more, a terminal is imitated: streams that say they are one, at the other end of a socket.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from run_command import command

SEQUENCE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")
WIDTH = 110


class Screen:
    """Lines of text as a terminal shows them: cursor up, erase line, carriage return, newline; colours are dropped."""

    def __init__(self) -> None:
        self.lines = [""]
        self.row = 0
        self.column = 0

    def feed(self, text: str) -> None:
        for arguments, letter, control, plain in SEQUENCE.findall(text):
            if plain:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[: self.column] + plain + line[self.column + len(plain) :]
                self.column += len(plain)
            elif control == "\r":
                self.column = 0
            elif control == "\n":
                self.row += 1
                self.lines += [""] * (self.row + 1 - len(self.lines))
            elif letter == "A":
                self.row = max(self.row - int(arguments or 1), 0)
            elif letter == "K":
                self.lines[self.row] = ""
            else:
                assert letter in {"m", "h", "l"}, f"a sequence this screen does not know: {arguments}{letter}"

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.lines).strip()


class Terminal:
    """The command on a terminal of its own, whose other end `reader` is."""

    def __init__(self, process: subprocess.Popen[bytes], reader: int, newline: bytes) -> None:
        self.process = process
        self.reader = reader
        self.newline = newline  # what a newline comes through as
        self.raw = b""

    def type(self, text: str) -> None:
        os.write(self.reader, text.encode())

    def read_until(self, text: str) -> Screen:
        """Read until the screen shows the text."""
        while text not in (screen := self.screen()).text:
            assert self._read(), f"it ended and never showed {text!r}, but {screen.text!r}"
        return screen

    def read_to_end(self) -> Screen:
        while self._read():
            pass
        self.process.wait(timeout=60)
        os.close(self.reader)
        return self.screen()

    def screen(self) -> Screen:
        screen = Screen()
        screen.feed(self.raw.decode(errors="ignore"))
        return screen

    def _read(self) -> bool:
        ready, _, _ = select.select([self.reader], [], [], 60)
        assert ready, f"nothing came for a minute; so far {self.raw!r}"
        try:
            more = os.read(self.reader, 65536)
        except OSError:  # how a pseudo-terminal says that the other end is closed
            return False
        self.raw += more.replace(self.newline, b"\r\n")
        return bool(more)


Terminals = Callable[..., Terminal]  # (folder, *arguments, **environment)


def on_a_pseudo_terminal(folder: Path, *arguments: str, **environment: str) -> Terminal:
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 30, WIDTH, 0, 0))
    return Terminal(start(command(*arguments), folder, writer, environment), reader, newline=b"\r\n")


def on_an_imitated_terminal(folder: Path, *arguments: str, **environment: str) -> Terminal:
    ours, theirs = (end.detach() for end in socket.socketpair())
    imitated = [sys.executable, str(Path(__file__).parent / "imitate_terminal.py"), *arguments]
    environment = {"COLUMNS": str(WIDTH), "LINES": "30"} | environment
    return Terminal(start(imitated, folder, theirs, environment), ours, newline=b"\n")


def start(command: list[str], folder: Path, end: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    settings = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
    settings |= {"TERM": "xterm-256color", "PYTHONUTF8": "1", **environment}
    process = subprocess.Popen(command, cwd=folder, env=settings, stdin=end, stdout=end, stderr=end)
    os.close(end)
    return process


def has_pseudo_terminals() -> bool:
    try:
        ends = pty.openpty()
    except OSError:
        return False
    for end in ends:
        os.close(end)
    return True


KINDS = {"imitated": on_an_imitated_terminal} | ({"pseudo": on_a_pseudo_terminal} if has_pseudo_terminals() else {})


def pytest_report_header() -> str:
    return f"terminals: {', '.join(KINDS)}"


@pytest.fixture(params=list(KINDS))
def terminals(request) -> Terminals:
    """A function that starts the command on a terminal: (folder, *arguments, **environment)."""
    return KINDS[request.param]
