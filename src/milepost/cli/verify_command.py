"""The command that compares source and target, and its options."""

from __future__ import annotations

from typing import Any

import click

from milepost.cli.asked import Asked, about_a_job
from milepost.cli.options import share


@click.command()
@about_a_job(parameters=True)
@click.option("--repair", is_flag=True, help="Put right what differs, under the job's lease.")
@click.option(
    "--sample",
    callback=share,
    metavar="SHARE",
    help="Look at so many of the rows only, such as 1%: the first ones of every range.",
)
@click.option("--seed", type=int, metavar="NUMBER", help="Choose those ranges by this number again.")
@click.option("--object", "only", metavar="NAME", help="Only this object.")
@click.option(
    "--limit",
    default=10,
    show_default=True,
    type=click.IntRange(min=0, max=1000),
    metavar="NUMBER",
    help="Examples to keep and show of each object and kind of difference.",
)
def verify(asked: Asked, **options: Any) -> int:
    """Compare source and target, row by row, through the functions that moved them.

    It finds rows that are missing in the target, that differ, and that nothing accounts for. Without --repair it writes
    nothing but its own progress, in NAME.verify.milepost.db beside FILE, so that the same command resumes; the file is
    removed when all was compared. Exit status: 0 nothing differs, 1 something differs (or still does after --repair),
    2 it could not be compared.
    """
    from milepost.cli.verify import Choice, verify_and_tell

    return verify_and_tell(asked, Choice(**options))
