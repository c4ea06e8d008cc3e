"""`milepost run` on a terminal, and a screen that understands what rich sends."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from fix_terminal import Terminals
from run_command import arrived_rows, expected_rows, let_go, make_company, typed, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_company(tmp_path)
    return tmp_path


def test_the_live_tree_shows_bars_and_gives_way_to_the_summary(folder: Path, terminals: Terminals) -> None:
    (folder / "hold").touch()
    terminal = terminals(folder, "run", "crm.py")
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


def test_ctrl_c_is_answered_in_the_tree_and_ends_with_the_command_to_resume(folder: Path, terminals: Terminals) -> None:
    (folder / "hold").touch()
    terminal = terminals(folder, "run", "crm.py")
    wait_for(folder / "reached", terminal.process)
    terminal.process.send_signal(signal.SIGINT)

    terminal.read_until("stopping at the next commit; press again to stop now")
    let_go(folder)
    final = terminal.read_to_end().text

    assert terminal.process.returncode == 130
    assert "press again" not in final
    assert re.search(r"■\s+invoice\s+150 .*interrupted", final)
    assert final.endswith(f"Run the same command again to resume: {typed('run', 'crm.py')}")


def test_no_color_leaves_the_tree_without_colours(folder: Path, terminals: Terminals) -> None:
    terminal = terminals(folder, "run", "crm.py", NO_COLOR="1")
    terminal.read_to_end()

    assert not re.search(rb"\x1b\[[0-9;]*3[0-9][0-9;]*m", terminal.raw)
    coloured = terminals(folder, "run", "crm.py")
    coloured.read_to_end()
    assert re.search(rb"\x1b\[[0-9;]*3[0-9][0-9;]*m", coloured.raw)


def test_a_dumb_terminal_gets_plain_lines(folder: Path, terminals: Terminals) -> None:
    terminal = terminals(folder, "run", "crm.py", TERM="dumb")

    final = terminal.read_to_end().text

    assert b"\x1b" not in terminal.raw
    assert "customer: started" in final
    assert "crm: complete in" in final


def test_rewind_asks_on_a_terminal_and_no_keeps_everything(folder: Path, terminals: Terminals) -> None:
    terminals(folder, "run", "crm.py").read_to_end()
    terminal = terminals(folder, "rewind", "crm.py", ".")
    terminal.read_until("[y/N]")
    terminal.type("n\n")
    final = terminal.read_to_end().text

    assert terminal.process.returncode == 1
    assert "Nothing was changed." in final
    assert "resume" not in final
    told = terminals(folder, "status", "crm.py").read_to_end().text
    assert told.startswith("crm: complete")


def test_json_on_a_terminal_is_not_mixed_with_a_live_tree(folder: Path, terminals: Terminals) -> None:
    terminal = terminals(folder, "run", "crm.py", "--json")

    final = terminal.read_to_end().text

    assert b"\x1b[?25l" not in terminal.raw
    assert '{"event": "run_started"' in final
