"""What options mean that are more than a number or a text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

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


def named_values(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Mapping[str, str]:  # noqa: ARG001 - likewise
    """``NAME=VALUE``, given several times, as a mapping; of a name that is given twice both must agree."""
    found: dict[str, str] = {}
    for each in value:
        name, equals, text = each.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{each!r} is not NAME=VALUE.")
        if found.setdefault(name.strip(), text) != text:
            raise click.BadParameter(f"{name.strip()} is given twice, with different values.")
    return MappingProxyType(found)


def share(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:  # noqa: ARG001 - likewise
    """A share such as "1%", as a number above 0 and up to 1."""
    if value is None:
        return None
    number = value.strip().removesuffix("%")
    try:
        found = float(number) / 100
    except ValueError:
        found = 0.0
    if not value.strip().endswith("%") or not 0 < found <= 1:
        raise click.BadParameter(f"{value!r} is not a share such as 1% or 0.1%.")
    return found
