"""What a run would do: the command ``plan``. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TextIO

from milepost.cli.human import number, placed
from milepost.cli.lines import write_line
from milepost.errors import PlanError
from milepost.jobs.job import Job
from milepost.jobs.state import State
from milepost.migration.migration import Migration
from milepost.migration.plan import ObjectPlan, Plan
from milepost.wiring.run import Urls, plan


def show_plan(job: Job | Migration, urls: Urls, out: TextIO | None, *, parameters: Mapping[str, str]) -> None:
    """Write the plan as one JSON object to ``out``, or for people to standard output. Raises PlanError."""
    if not isinstance(job, Migration):
        raise PlanError(
            f"{job.name} is a job of your own steps, and what it will do is known only when it runs",
            hint="milepost status shows what it has done; milepost run does the rest.",
        )
    made = plan(job, urls, parameters=parameters)
    if out is not None:
        write_line(out, asdict(made))
    else:
        _draw(made)


def done(each: ObjectPlan) -> str:
    """What stands already: "complete, 3,322 rows", "started, 1,000 rows", or nothing."""
    if each.state is State.PENDING:
        return ""
    return f"{each.state}, {number(each.done.read)} read"


def _draw(made: Plan) -> None:
    from rich.text import Text

    from milepost.cli.tables import console, show, table

    screen = console()
    screen.print(Text(made.job, style="bold"))
    for name, url in (("source", made.source), ("target", made.target), ("store", made.store)):
        screen.print(f"  {name}  {url or ''}".rstrip(), soft_wrap=True)
    drawn = table(
        "", "path:object", "wrap:from", "wrap:to", "wrap:parents", "rows", "left:loading", "left:done",
        drop=["loading", "parents"],
    )  # fmt: skip
    for place, each in enumerate(made.objects, start=1):
        parents = ", ".join(each.parents)
        drawn.add_row(
            str(place), each.name, each.source, each.target, parents, number(each.rows), each.loading, done(each)
        )
    screen.print()
    show(screen, drawn)
    screen.print()
    for promise in dict.fromkeys(each.promise for each in made.objects):
        names = ", ".join(each.name for each in made.objects if each.promise == promise)
        screen.print(f"{names}: {promise}", soft_wrap=True)
    for note in dict.fromkeys(note for each in made.objects for note in each.notes):
        names = ", ".join(each.name for each in made.objects if note in each.notes)
        screen.print(placed(names, note), soft_wrap=True)
    for each in made.objects:
        for warning in each.warnings:
            screen.print(Text.assemble(("warning: ", "yellow"), placed(each.name, warning)), soft_wrap=True)
