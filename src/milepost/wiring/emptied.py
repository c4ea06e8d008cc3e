"""Look whether the tables that should hold rows still hold one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from typing import Any, TypeAlias

from milepost.databases.url import expand
from milepost.errors import MilepostError
from milepost.jobs.state import Record
from milepost.migration.emptied import judge_empty, should_hold_rows
from milepost.migration.migration import Migration
from milepost.migration.object import Object
from milepost.migration.table import Sink
from milepost.wiring.ends import connect_read_only
from milepost.wiring.openers import BY_URL, Openers

Emptied: TypeAlias = tuple[Object, Record, MilepostError | None]


def find_emptied(
    objects: Iterable[Object], records: Mapping[str, Record], *, openers: Openers, url: str | None
) -> Iterator[Emptied]:
    """The objects whose tables hold no row though they should; or why that could not be looked at.

    Reads at most one row of each, and writes nothing. Rows that are missing from a table that holds others are not
    seen.
    """
    with ExitStack() as opened:
        connections: dict[str, Any] = {}
        for each in objects:
            record, place = records.get(each.name), each.target.database or url
            if record is None or place is None or isinstance(each.target, Sink) or not should_hold_rows(each, records):
                continue
            try:
                if place not in connections:
                    connections[place] = opened.enter_context(closing(connect_read_only(expand(place))))
                with closing(openers.target(each, url)) as target:
                    empty, trouble = target.is_empty(connections[place]), None
            except MilepostError as error:
                empty, trouble = True, error
            if empty:
                yield each, record, trouble


def judge(found: Iterable[Emptied], accepted: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is to be told, by the object's name. Raises PlanError for one that is half done, unless it is accepted."""
    for each, record, trouble in found:
        said = judge_empty(each, record, trouble, accepted=each.name in accepted)
        if said:
            yield each.name, said


def say_emptied(migration: Migration, records: Iterable[Record], url: str | None) -> tuple[str, ...]:
    """The same in words, whatever stands."""
    found = find_emptied(migration.objects, {each.path: each for each in records}, openers=BY_URL, url=url)
    return tuple(filter(None, (_in_words(*each) for each in found)))


def _in_words(each: Object, record: Record, trouble: MilepostError | None) -> str | None:
    try:
        return judge_empty(each, record, trouble, accepted=False)
    except MilepostError as error:
        return error.message
