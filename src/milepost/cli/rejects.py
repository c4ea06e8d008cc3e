"""The rows that could not be moved: the command ``rejects``. Reads only."""

from __future__ import annotations

import csv
import difflib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import click

from milepost.cli.human import key, number, rows
from milepost.cli.lines import write_line
from milepost.cli.looking import look
from milepost.errors import PlanError, mask
from milepost.jobs.job import Job
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import JSON
from milepost.jobs.store import Store
from milepost.migration.keys import decode, readable_key, shown
from milepost.migration.migration import Migration
from milepost.wiring.run import Urls

WIDTH = 40  # characters of the keys that are shown of a group
EXAMPLES = 3  # keys that are shown of a group
MOST_GROUPS = 10_000  # a reason that quotes the row is different for every one; memory is bounded all the same
COLUMNS = ("object", "stage", "reason", "key", "content")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rejects with the same object, stage and reason. ``keys`` are those of the first of them."""

    object: str
    stage: str
    reason: str
    count: int = 0
    keys: tuple[JSON, ...] = ()

    def with_one(self, key: JSON) -> Group:
        keys = self.keys if len(self.keys) == EXAMPLES else (*self.keys, readable_key(key))
        return replace(self, count=self.count + 1, keys=keys)


def show_rejects(job: Job | Migration, urls: Urls, out: TextIO | None, *, only: str | None, limit: int) -> None:
    """Write the groups, the largest first, as one JSON object to ``out``, or for people to standard output."""
    with look(job, urls) as store:
        groups = gathered(found(store, job, only), isinstance(job, Migration))
    total = sum(group.count for group in groups)
    shown = groups[:limit]
    if out is not None:
        document = {"job": job.name, "rejects": total, "groups": [asdict(group) for group in shown]}
        write_line(out, {**document, "more_groups": len(groups) - len(shown)})
    else:
        _draw(job.name, total, shown, len(groups) - len(shown))


def gathered(rejects: Iterable[RejectedRow], of_objects: bool) -> list[Group]:
    """The rejects counted by object, stage and reason, the largest group first.

    Children that wait for different parents are one group if these lack the same. ``of_objects``: what is below an
    object's checkpoint, such as a pass that loaded its rows again, counts as the object's.
    """
    groups: dict[tuple[str, str, str], Group] = {}
    for row in rejects:
        path = row.path.partition("/")[0] if of_objects else row.path
        place = (path, row.stage, mask(without_keys(row)))
        if place not in groups and len(groups) >= MOST_GROUPS:
            place = (path, row.stage, "other reasons")
        group = groups.get(place) or Group(object=place[0], stage=place[1], reason=place[2])
        groups[place] = group.with_one(row.key)
    return sorted(groups.values(), key=lambda group: -group.count)


def without_keys(row: RejectedRow) -> str:
    """The reason, without the keys of the parents that the row lacks."""
    reason = row.reason
    for _, parent in row.parent or ():
        told = shown(decode(parent) or ())  # as the reason has it
        reason = re.sub(rf"(?<!\w){re.escape(told)}(?!\w)", "…", reason)
    return reason


def export(job: Job | Migration, urls: Urls, *, only: str | None, form: str, output: Path | None) -> None:
    """Write every reject as CSV or JSON lines, one at a time. A file is put in place when it is whole."""
    with look(job, urls) as store:
        rejects = found(store, job, only)
        if output is None:
            _write(rejects, form, sys.stdout)
            return
        half = output.with_name(f".{output.name}.half")
        try:
            with half.open("w", encoding="utf-8", newline="") as stream:
                count = _write(rejects, form, stream)
            half.replace(output)
        finally:
            half.unlink(missing_ok=True)
    click.echo(f"{rows(count)} written to {os.fspath(output)}", err=True)


def found(store: Store | None, job: Job | Migration, only: str | None) -> Iterator[RejectedRow]:
    """The job's rejects; of one object, those of its partitions too. Raises PlanError for an unknown object."""
    if only is None:
        return iter(()) if store is None else store.rejects(job.name)
    paths = [] if store is None else [record.path for record in store.checkpoints(job.name)]
    declared = {each.name for each in job.objects} if isinstance(job, Migration) else set()
    if not any(path == only or path.startswith(f"{only}/") for path in paths) and only not in declared:
        near = difflib.get_close_matches(only, {*paths, *declared} - {""})
        raise PlanError(
            f"{job.name} has no object called {only}", hint=f"Did you mean {' or '.join(near)}?" if near else None
        )
    return iter(()) if store is None else store.rejects(job.name, only)


def _write(rejects: Iterable[RejectedRow], form: str, stream: TextIO) -> int:
    """Object, stage and reason with no password of a URL; key and content exactly as they were rejected.

    The object is told with what is below its checkpoint, where the rows were loaded again.
    """
    count = 0
    writer = csv.writer(stream, lineterminator="\n")
    if form == "csv":
        writer.writerow(COLUMNS)
    for count, row in enumerate(rejects, start=1):  # noqa: B007 - how many there were is wanted after the loop
        reason = mask(row.reason)
        if form == "csv":
            writer.writerow((row.path, row.stage, reason, _json(readable_key(row.key)), _json(row.content)))
        else:
            values = (row.path, row.stage, reason, readable_key(row.key), row.content)
            stream.write(_json(dict(zip(COLUMNS, values, strict=True))) + "\n")
    stream.flush()
    return count


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _examples(group: Group) -> str:
    """As many of the keys as have room, the first in any case."""
    first, *others = [key(each, width=WIDTH) for each in group.keys]
    said = [first]
    for other in others:
        if len("; ".join([*said, other])) <= WIDTH:
            said.append(other)
    return "; ".join([*said, "…"] if group.count > len(said) else said)


def _draw(job: str, total: int, groups: list[Group], more: int) -> None:
    from milepost.cli.tables import console, show, table

    screen = console()
    if not total:
        screen.print(f"{job}: no rejects")
        return
    screen.print(f"{job}: {number(total)} rejected")
    example = "for example, keys"
    drawn = table("path:object", "left:stage", "rows", "wrap:reason", f"left:{example}", drop=[example])
    for group in groups:
        drawn.add_row(group.object, group.stage, number(group.count), group.reason, _examples(group))
    screen.print()
    show(screen, drawn)
    if more:
        screen.print(f"\n{number(more)} more groups; --limit shows more.")
