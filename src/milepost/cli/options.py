"""What options mean that are more than a number or a text."""

from __future__ import annotations

import click

from milepost.crashtest.fault import Kind

FAULTS = ",".join(Kind)


def points(ctx: click.Context, param: click.Parameter, value: str) -> int | str:  # noqa: ARG001 - click's signature
    """A number from 1 on, or "all"."""
    if value == "all":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 on nor 'all'.")
    return int(value)


def faults(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:  # noqa: ARG001 - likewise
    """Names of faults, parted by commas."""
    named = tuple(each.strip() for each in value.split(","))
    for each in named:
        if each not in set(Kind):
            raise click.BadParameter(f"{each!r} is none of {', '.join(Kind)}.")
    return named
