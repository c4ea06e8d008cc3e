"""The rows that could not be moved: the command ``rejects``. Reads only."""

from __future__ import annotations

import csv
import difflib
import json
import os
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
from milepost.jobs.store import Store
from milepost.migration.migration import Migration
from milepost.wiring.run import Urls

MOST_GROUPS = 10_000  # a reason that quotes the row is different for every one; memory is bounded all the same
COLUMNS = ("object", "stage", "reason", "key", "content")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rejects with the same object, stage and reason. ``key`` is the first one's."""

    object: str
    stage: str
    reason: str
    count: int
    key: Any


def show_rejects(job: Job | Migration, urls: Urls, out: TextIO | None, *, only: str | None, limit: int) -> None:
    """Write the groups, the largest first, as one JSON object to ``out``, or for people to standard output."""
    with look(job, urls) as store:
        groups = gathered(found(store, job, only))
    total = sum(group.count for group in groups)
    shown = groups[:limit]
    if out is not None:
        document = {"job": job.name, "rejects": total, "groups": [asdict(group) for group in shown]}
        write_line(out, {**document, "more_groups": len(groups) - len(shown)})
    else:
        _draw(job.name, total, shown, len(groups) - len(shown))


def gathered(rejects: Iterable[RejectedRow]) -> list[Group]:
    """The rejects counted by object, stage and reason, the largest group first."""
    groups: dict[tuple[str, str, str], Group] = {}
    for row in rejects:
        place = (row.path, row.stage, mask(row.reason))
        if place not in groups and len(groups) >= MOST_GROUPS:
            place = (row.path, row.stage, "other reasons")
        group = groups.get(place) or Group(object=place[0], stage=place[1], reason=place[2], count=0, key=row.key)
        groups[place] = replace(group, count=group.count + 1)
    return sorted(groups.values(), key=lambda group: -group.count)


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
    chosen = [path for path in paths if path == only or path.startswith(f"{only}/")]
    declared = {each.name for each in job.objects} if isinstance(job, Migration) else set()
    if not chosen and only not in declared:
        near = difflib.get_close_matches(only, {*paths, *declared} - {""})
        raise PlanError(
            f"{job.name} has no object called {only}", hint=f"Did you mean {' or '.join(near)}?" if near else None
        )
    return (row for path in chosen if store is not None for row in store.rejects(job.name, path))


def _write(rejects: Iterable[RejectedRow], form: str, stream: TextIO) -> int:
    """Object, stage and reason with no password of a URL; key and content exactly as they were rejected."""
    count = 0
    writer = csv.writer(stream, lineterminator="\n")
    if form == "csv":
        writer.writerow(COLUMNS)
    for count, row in enumerate(rejects, start=1):  # noqa: B007 - how many there were is wanted after the loop
        reason = mask(row.reason)
        if form == "csv":
            writer.writerow((row.path, row.stage, reason, _json(row.key), _json(row.content)))
        else:
            values = (row.path, row.stage, reason, row.key, row.content)
            stream.write(_json(dict(zip(COLUMNS, values, strict=True))) + "\n")
    stream.flush()
    return count


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _draw(job: str, total: int, groups: list[Group], more: int) -> None:
    from milepost.cli.tables import console, show, table

    screen = console()
    if not total:
        screen.print(f"{job}: no rejects")
        return
    screen.print(f"{job}: {number(total)} rejected")
    example = "for example, key"
    drawn = table("path:object", "left:stage", "rows", "wrap:reason", f"left:{example}", drop=[example])
    for group in groups:
        drawn.add_row(group.object, group.stage, number(group.count), group.reason, key(group.key, width=40))
    screen.print()
    show(screen, drawn)
    if more:
        screen.print(f"\n{number(more)} more groups; --limit shows more.")
