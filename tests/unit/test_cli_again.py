"""The command line that is said to be typed again."""

import os
from pathlib import Path

import pytest

from milepost.cli.again import this_command


def program(folder: Path, name: str) -> str:
    """A program of that name that can be run."""
    file = folder / name
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return str(file)


def test_a_program_that_the_shell_finds_is_named_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, script = program(tmp_path, "python"), program(tmp_path, "milepost")
    monkeypatch.setenv("PATH", str(tmp_path))

    assert this_command([script, "run", "crm.py"]) == "milepost run crm.py"
    assert this_command(["/x/milepost/__main__.py", "run", "crm.py"], python) == "python -m milepost run crm.py"
    assert this_command(["crm.py"], python) == "python crm.py"


def test_one_in_an_environment_that_is_not_activated_is_named_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "python")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), "/nowhere"]))

    assert this_command(["env/bin/milepost", "run", "crm.py"]) == "env/bin/milepost run crm.py"
    assert this_command(["/x/milepost/__main__.py", "run"], "env/bin/python") == "env/bin/python -m milepost run"
    assert this_command(["crm.py"], "env/bin/python") == "env/bin/python crm.py"


def test_no_password_is_in_it() -> None:
    told = this_command(["crm.py", "--source", "postgresql://anna:tr0ub4dor@h/d"], "python")

    assert "tr0ub4dor" not in told
