"""The command line to type again."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from milepost.databases.url import hide_password


def this_command(argv: Sequence[str] | None = None, program: str | None = None) -> str:
    """How this process was started, any password hidden."""
    argv = sys.argv if argv is None else argv
    script = Path(argv[0]).name
    start = _ours(argv[0], program) if script in {"milepost", "__main__.py"} else [_python(program), argv[0]]
    return shlex.join([*start, *map(hide_password, argv[1:])])


def other_command(name: str, reference: str, *more: str) -> str:
    """Another command of ours, started as this one was."""
    return shlex.join([*_ours(sys.argv[0]), name, reference, *more])


def _ours(script: str, program: str | None = None) -> list[str]:
    if Path(script).name == "milepost":
        return [_shortest(script)]
    return [_python(program), "-m", "milepost"]


def _python(program: str | None = None) -> str:
    """Python as it was typed: one that is in an environment that is not activated needs its whole path."""
    return _shortest(program or (sys.orig_argv[0] if sys.orig_argv else "") or sys.executable)


def _shortest(program: str) -> str:
    """The name alone where the shell finds the same program by it."""
    name = Path(program).name
    return name if program == name or shutil.which(name) == program else program
