"""A migration to start from: the command ``init``."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from milepost.cli.again import other_command
from milepost.errors import PlanError

STARTER = "starter.py.txt"


def write_starter(file: Path) -> int:
    """Write the starter to ``file``. Raises PlanError where there is something already, or it cannot be written."""
    text = files("milepost.cli").joinpath(STARTER).read_text(encoding="utf-8").replace("STARTER.py", file.name)
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise PlanError(f"{file} is there already, and is left as it is", hint="Give another name.") from None
    except OSError as error:
        raise PlanError(f"{file} cannot be written: {error.strerror}") from None
    click.echo(f"{file} is written. It carries an example that runs as it is:\n")
    for name in ("plan", "run", "status", "rejects"):
        click.echo(f"  {other_command(name, str(file))}")
    click.echo("\nThen put your own databases and tables in.")
    return 0
