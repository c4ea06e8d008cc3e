"""The commands about rejected rows."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.asked import Asked, about_a_job


class Rejects(click.Group):
    """``milepost rejects FILE`` lists; only a first word that is a command's name is a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args.insert(0, "list")
        return super().parse_args(ctx, args)


@click.group(cls=Rejects, subcommand_metavar="[export|retry] [OPTIONS] FILE")
def rejects() -> None:
    """Show the rows that could not be moved, export them, or try them again.

    `milepost rejects FILE` lists them; `milepost rejects export FILE` writes them as CSV or JSON lines; `milepost
    rejects retry FILE` runs them again.
    """


@rejects.command("list")
@about_a_job()
@click.option("--object", "only", metavar="NAME", help="Only those of this object.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(min=1), metavar="NUMBER", help="Groups to show."
)
def list_rejects(asked: Asked, only: str | None, limit: int) -> None:
    """Count the rejected rows by object, stage and reason, with an example of each."""
    from milepost.cli.rejects import show_rejects

    show_rejects(asked.load(), asked.urls, asked.out, only=only, limit=limit)


@rejects.command("export")
@about_a_job(as_json=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    default="csv",
    show_default=True,
    help="Form of the output.",
)
@click.option("--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")
@click.option("--object", "only", metavar="NAME", help="Only those of this object.")
def export_rejects(asked: Asked, form: str, output: Path | None, only: str | None) -> None:
    """Write the rejected rows with object, stage, reason, key and content.

    Key and content are JSON. Without --output they go to standard output.
    """
    from milepost.cli.rejects import export

    export(asked.load(), asked.urls, only=only, form=form, output=output)


@rejects.command("retry")
@about_a_job(parameters=True)
@click.option("--object", "only", metavar="NAME", help="Only those of this object, and what waits for them below it.")
def retry_rejects(asked: Asked, only: str | None) -> int:
    """Run the rejected rows again, and the children that wait for them, after data or code was mended.

    They are read from the source as it is now and go the way that all rows go. What fails again stays a reject. The
    exit status is that of a run.
    """
    from milepost.cli.retry import retry_and_tell

    return retry_and_tell(asked, only)
