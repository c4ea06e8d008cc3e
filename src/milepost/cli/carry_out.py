"""Carry out what was typed: the exit status, with wrong usage told and any password hidden."""

from __future__ import annotations

from collections.abc import Sequence

import click

from milepost.cli.commands import milepost


def carry_out(arguments: Sequence[str] | None) -> int:
    """Run the command; the exit status. Wrong usage is told with any password hidden."""
    from milepost.cli.streams import end_output, open_missing, quiet_drivers

    open_missing()
    quiet_drivers()
    try:
        status = _carried_out(arguments)
    finally:
        end_output()
    return status


def _carried_out(arguments: Sequence[str] | None) -> int:
    try:
        status = milepost.main(arguments, prog_name="milepost", standalone_mode=False)
    except click.ClickException as error:
        return _refuse(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    return status if isinstance(status, int) else 0


def _refuse(error: click.ClickException) -> int:
    from milepost.errors import mask

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return 2
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = "" if context is None else f"{context.get_usage()}\nTry '{context.command_path} --help'.\n"
    click.echo(mask(f"{usage}error: {error.format_message()}"), err=True)
    return 2
