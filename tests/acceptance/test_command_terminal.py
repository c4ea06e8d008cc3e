"""`milepost run` on a terminal: a pseudo-terminal, and a screen that understands what rich sends."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from run_command import arrived_rows, command, expected_rows, let_go, make_company, wait_for

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
    """The command on a pseudo-terminal of its own."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.reader, writer = pty.openpty()
        fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 30, WIDTH, 0, 0))
        settings = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
        settings |= {"TERM": "xterm-256color", "PYTHONUTF8": "1", **environment}
        self.process = subprocess.Popen(
            command(*arguments), cwd=folder, env=settings, stdin=writer, stdout=writer, stderr=writer
        )
        os.close(writer)
        self.raw = b""

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
        self.raw += more
        return bool(more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_company(tmp_path)
    return tmp_path


def test_the_live_tree_shows_bars_and_gives_way_to_the_summary(folder: Path) -> None:
    (folder / "hold").touch()
    terminal = Terminal(folder, "run", "crm.py")
    wait_for(folder / "reached", terminal.process)

    frame = terminal.read_until("100 of 300").text
    let_go(folder)
    final = terminal.read_to_end().text

    lines = frame.splitlines()
    assert lines[0].startswith("crm  run 1")
    assert re.match(r"✓ customer\s+40 .*2 rejected", lines[1])
    assert re.match(r"▶ invoice\s+━+.*33%\s+100 of 300", lines[2])
    assert terminal.process.returncode == 0
    assert "━" not in final.replace("─", "")
    assert "of 300" not in final
    assert re.search(r"✓\s+invoice\s+300\s+274\s+0\s+10\s+16", final)
    assert "crm: complete in" in final
    assert b"\x1b[?25h" in terminal.raw  # the cursor is shown again
    assert arrived_rows(folder) == expected_rows(folder)


def test_ctrl_c_is_answered_in_the_tree_and_ends_with_the_command_to_resume(folder: Path) -> None:
    (folder / "hold").touch()
    terminal = Terminal(folder, "run", "crm.py")
    wait_for(folder / "reached", terminal.process)
    terminal.process.send_signal(signal.SIGINT)

    terminal.read_until("stopping at the next commit; press again to stop now")
    let_go(folder)
    final = terminal.read_to_end().text

    assert terminal.process.returncode == 130
    assert "press again" not in final
    assert re.search(r"■\s+invoice\s+150 .*interrupted", final)
    assert final.endswith("Run the same command again to resume: python -m milepost run crm.py")


def test_no_color_leaves_the_tree_without_colours(folder: Path) -> None:
    terminal = Terminal(folder, "run", "crm.py", NO_COLOR="1")
    terminal.read_to_end()

    assert not re.search(rb"\x1b\[[0-9;]*3[0-9][0-9;]*m", terminal.raw)
    coloured = Terminal(folder, "run", "crm.py")
    coloured.read_to_end()
    assert re.search(rb"\x1b\[[0-9;]*3[0-9][0-9;]*m", coloured.raw)


def test_a_dumb_terminal_gets_plain_lines(folder: Path) -> None:
    terminal = Terminal(folder, "run", "crm.py", TERM="dumb")

    final = terminal.read_to_end().text

    assert b"\x1b" not in terminal.raw
    assert "customer: started" in final
    assert "crm: complete in" in final


def test_rewind_asks_on_a_terminal_and_no_keeps_everything(folder: Path) -> None:
    Terminal(folder, "run", "crm.py").read_to_end()
    terminal = Terminal(folder, "rewind", "crm.py", ".")
    terminal.read_until("[y/N]")
    os.write(terminal.reader, b"n\n")
    terminal.read_to_end()

    assert terminal.process.returncode == 1
    told = Terminal(folder, "status", "crm.py").read_to_end().text
    assert told.startswith("crm: complete")


def test_json_on_a_terminal_is_not_mixed_with_a_live_tree(folder: Path) -> None:
    terminal = Terminal(folder, "run", "crm.py", "--json")

    final = terminal.read_to_end().text

    assert b"\x1b[?25l" not in terminal.raw
    assert '{"event": "run_started"' in final
