"""Forget a checkpoint so that it is done again: the command ``rewind``."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

from milepost.cli.again import other_command
from milepost.cli.lines import write_line
from milepost.cli.looking import look
from milepost.errors import PlanError
from milepost.jobs.job import Job
from milepost.migration.migration import Migration
from milepost.migration.object import Object
from milepost.wiring.run import Urls, rewind

WHOLE = {".", "/", ""}


def rewind_and_tell(
    job: Job | Migration, urls: Urls, path: str, *, out: TextIO | None, yes: bool, reference: str
) -> int:
    """Ask on a terminal, rewind, and tell what it means; the exit status. Raises PlanError for an unknown path."""
    path = "" if path in WHOLE else path.strip("/")
    known = _paths(job, urls)
    below = _below(path, known)
    if not below:
        raise _unknown(job, path, known)
    if not yes and sys.stdin.isatty() and not _agreed(job, path, below):
        click.echo("Nothing was changed.", err=True)
        return 1  # so that what a script would do next is not done
    forgotten = rewind(job, urls, path)
    children = [each.name for each in descendants(job, path) if each.name in known]
    if out is not None:
        write_line(out, {"job": job.name, "path": path, "forgotten": forgotten, "children": children})
        return 0
    click.echo(f"{path or job.name}: {forgotten} checkpoint{'' if forgotten == 1 else 's'} forgotten.")
    if isinstance(job, Migration):
        click.echo("The rows stay in the target; the next run meets them by upsert.")
    for child in children:
        click.echo(
            f"{child} has it among its parents and stays as it is; if its rows must be moved again, rewind it too."
        )
    click.echo(f"To do it again: {other_command('run', reference)}")
    return 0


def descendants(job: Job | Migration, path: str) -> list[Object]:
    """The objects that have the rewound one among their parents, or their parents' parents."""
    if not isinstance(job, Migration):
        return []
    rewound = {path}
    found: list[Object] = []
    grown = True
    while grown:
        grown = False
        for each in job.objects:
            if each.name not in rewound and any(parent.name in rewound for parent in each.parents.values()):
                rewound.add(each.name)
                found.append(each)
                grown = True
    return found


def _paths(job: Job | Migration, urls: Urls) -> list[str]:
    with look(job, urls) as store:
        return [] if store is None else [record.path for record in store.checkpoints(job.name)]


def _below(path: str, known: Iterable[str]) -> list[str]:
    return [each for each in known if not path or each == path or each.startswith(f"{path}/")]


def _unknown(job: Job | Migration, path: str, known: Sequence[str]) -> PlanError:
    if not known:
        return PlanError(f"{job.name} has no checkpoint yet: there is nothing to rewind")
    near = difflib.get_close_matches(path, [each for each in known if each])
    hint = f"Did you mean {' or '.join(near)}?" if near else "milepost status shows the checkpoints."
    return PlanError(f"{job.name} has no checkpoint {path}", hint=hint)


def _agreed(job: Job | Migration, path: str, below: Sequence[str]) -> bool:
    what = f"{path} and all below it" if path else f"the whole job {job.name}"
    try:
        return click.confirm(f"Forget {what} ({len(below)} checkpoints), to do it again?", err=True)
    except click.Abort:
        click.echo(err=True)
        return False
