"""Write names into SQL so that SQLite takes them as names, whatever they hold."""

from __future__ import annotations

from collections.abc import Iterable


def quote(name: str) -> str:
    """The name as an identifier. Double quotes in it are doubled."""
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str], *, of: str | None = None) -> str:
    """The names as identifiers, separated by commas, each of the table (or alias) ``of`` where that is given."""
    prefix = "" if of is None else f"{of}."
    return ", ".join(prefix + quote(name) for name in names)


def texted(value: str) -> str:
    """The value as a SQL text literal, for pragma functions and EXPLAIN, which take no parameters everywhere."""
    return "'" + value.replace("'", "''") + "'"
