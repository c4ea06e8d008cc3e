"""The command that crash tests a job, and its options."""

from __future__ import annotations

from typing import Any

import click

from milepost.cli.asked import Asked, about_a_job
from milepost.cli.options import FAULTS, faults, points


@click.command()
@about_a_job(parameters=True)
@click.option(
    "--points",
    callback=points,
    default="50",
    metavar="NUMBER",
    show_default=True,
    help="Break it at so many reads, writes, commits and steps, spread over the run, or at all.",
)
@click.option(
    "--random",
    "random",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="NUMBER",
    help="Rounds in which it is killed at random moments until it completes.",
)
@click.option("--seed", type=int, metavar="NUMBER", help="Draw those moments by this number again.")
@click.option(
    "--faults",
    callback=faults,
    default=FAULTS,
    metavar="NAMES",
    show_default=True,
    help="What goes wrong: some of these, by commas.",
)
@click.option("--replay", metavar="ROUND", help="Play one round alone, by its name, such as kill:before:17.")
@click.option(
    "--batch-rows",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Commit so many rows together, so that little data has many batches.",
)
@click.option("--verbose", is_flag=True, help="Show every round by itself.")
def crashtest(asked: Asked, **options: Any) -> int:
    """Prove that the job survives: break it at every point, run it again, compare with an undisturbed run.

    It runs on scratch copies of the databases and of the file's folder; the real ones are only read. A PostgreSQL
    database is copied beside the real one, for which its user needs the right CREATEDB. Code that must not act
    outside of them can tell by MILEPOST_CRASHTEST=1. Exit status: 0 every round came out the same, 1 some did not, 2 it
    could not be tested.
    """
    from milepost.cli.crashtest import Choice, crashtest_and_tell

    return crashtest_and_tell(asked, Choice(**options))
