"""The command line to type again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from milepost.databases.url import hide_password


def this_command(argv: Sequence[str] | None = None, program: str | None = None) -> str:
    """How this process was started, any password hidden."""
    argv = sys.argv if argv is None else argv
    return shlex.join([*_program(argv[0], program or sys.executable), *map(hide_password, argv[1:])])


def other_command(name: str, reference: str, *more: str) -> str:
    """Another command of ours, started as this one was."""
    return shlex.join([*_ours(sys.argv[0]), name, reference, *more])


def _program(script: str, python: str) -> list[str]:
    path = Path(script)
    if path.name in {"milepost", "__main__.py"}:
        return _ours(script)
    return [Path(python).name, script]


def _ours(script: str) -> list[str]:
    return ["python", "-m", "milepost"] if Path(script).name == "__main__.py" else ["milepost"]
