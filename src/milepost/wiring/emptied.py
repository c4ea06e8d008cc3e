"""Look whether the tables that should hold rows still hold one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any

from milepost.databases.url import expand
from milepost.errors import MilepostError
from milepost.jobs.state import Record, State
from milepost.migration.emptied import judge_empty, should_hold_rows
from milepost.migration.object import Object
from milepost.migration.table import Sink
from milepost.migration.target import Target
from milepost.wiring.ends import connect_read_only
from milepost.wiring.openers import Openers


def find_emptied(
    objects: Iterable[Object],
    records: Mapping[str, Record],
    *,
    accepted: frozenset[str],
    openers: Openers,
    url: str | None,
) -> Iterator[tuple[Object, str]]:
    """The objects whose tables somebody emptied, each with what is to be told of it. Reads at most a row of each.

    Rows that are missing from a table that holds others are not seen. Raises PlanError for an object that is half done,
    unless it is ``accepted``.
    """
    with ExitStack() as opened:
        connections: dict[str, Any] = {}
        for each in objects:
            record, place = records.get(each.name), each.target.database or url
            if record is None or place is None or isinstance(each.target, Sink) or not should_hold_rows(each, record):
                continue
            if place not in connections:
                connections[place] = opened.enter_context(closing(connect_read_only(expand(place))))
            with closing(openers.target(each, url)) as target:
                told = _look(target, connections[place], each, record, accepted)
            if told:
                yield each, told


def _look(target: Target, connection: Any, each: Object, record: Record, accepted: frozenset[str]) -> str | None:
    try:
        empty = target.is_empty(connection)
    except MilepostError as error:
        if record.state is State.COMPLETE:  # it is not needed any more
            return f"{each.name} is complete, and its table {each.target.name} could not be looked at: {error.message}"
        raise
    return judge_empty(each, record, accepted=each.name in accepted) if empty else None
