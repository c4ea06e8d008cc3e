"""The commands and their options. What each does is loaded when it is called, so that --help is quick."""

from __future__ import annotations

from pathlib import Path

import click

from milepost.cli.asked import Asked, about_a_job, guarded
from milepost.cli.crashtest_command import crashtest
from milepost.cli.reject_commands import rejects
from milepost.cli.verify_command import verify


@click.group(context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100})
@click.version_option(package_name="milepost")
def milepost() -> None:
    """Jobs that survive: data migrations, and any long-running program, with durable checkpoints.

    Exit status: 0 complete, 1 failed (run it again to resume), 2 wrong usage or a plan that cannot work (nothing was
    written), 3 another run holds the lease, 130 interrupted (run it again to resume).
    """


@milepost.command()
@about_a_job(parameters=True)
@click.option(
    "--accept-changed",
    metavar="OBJECT",
    multiple=True,
    help="Go on with this half-done object although it is not as it was left: it is declared otherwise (the rest goes "
    "by the new definition), its table was emptied (it goes on without those rows), or its store or target was put "
    "back to an earlier state (it goes on by upsert, behind what is missing). May be given several times.",
)
@click.option(
    "--recheck",
    is_flag=True,
    help="Look again at every range that is done, and load those again whose source has changed; also of a job that is "
    "complete.",
)
@click.option(
    "--catch-up-limit",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    help="Look at most so many times, after the last object, for rows that were added or changed at the source "
    "meanwhile (default: 10; 0: never).",
)
def run(asked: Asked, accept_changed: tuple[str, ...], *, recheck: bool, catch_up_limit: int | None) -> int:
    """Run the job until it is complete, recovering what an earlier run left half done.

    Ctrl-C stops it after the next commit; the same command resumes.
    """
    from milepost.cli.run import run_and_draw

    job = asked.load()
    status, _ = run_and_draw(
        job,
        urls=asked.urls,
        out=asked.out,
        reference=asked.reference,
        accept_changed=frozenset(accept_changed),
        recheck=recheck,
        catch_up_limit=catch_up_limit,
        parameters=asked.parameters,
    )
    return status


@milepost.command()
@about_a_job(parameters=True)
def plan(asked: Asked) -> None:
    """Show what a run would do, and whether it can work. Writes nothing."""
    from milepost.cli.plan import show_plan

    show_plan(asked.load(), asked.urls, asked.out, parameters=asked.parameters)


@milepost.command()
@about_a_job()
def status(asked: Asked) -> None:
    """Show what the store knows of the job: its checkpoints and runs. Writes nothing; works during a run."""
    from milepost.cli.status import show_status

    show_status(asked.load(), asked.urls, asked.out, asked.reference)


milepost.add_command(verify)
milepost.add_command(rejects)


@milepost.command()
@about_a_job()
@click.argument("path", metavar="PATH")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rewind(asked: Asked, path: str, *, yes: bool) -> int:
    """Forget a checkpoint and all below it, so that the next run does it again.

    PATH is as `milepost status` shows it; "." is the whole job. Rows that were loaded stay in the target, and the next
    run meets them by upsert. On a terminal it asks first; declined, it changes nothing and exits with status 1.
    """
    from milepost.cli.rewind import rewind_and_tell

    return rewind_and_tell(asked.load(), asked.urls, path, out=asked.out, yes=yes, reference=asked.reference)


milepost.add_command(crashtest)


@milepost.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("milepost-demo"))
@click.option(
    "--rows", type=click.IntRange(min=1), metavar="NUMBER", help="About how many rows to make (default: some 300,000)."
)
@click.option(
    "--seed", default=1, show_default=True, type=int, metavar="NUMBER", help="Other seeds make other companies."
)
def demo(folder: Path, rows: int | None, seed: int) -> int:
    """Make a small company in FOLDER (default: milepost-demo), migrate it, kill it half way, resume, and prove it."""
    from milepost.demo import run_demo

    return guarded(lambda: run_demo(folder, rows=rows, seed=seed), Asked())


@milepost.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), default=Path("migration.py"))
def init(file: Path) -> int:
    """Write a commented migration to start from, FILE (default: migration.py). It runs as it is."""
    from milepost.cli.init import write_starter

    return guarded(lambda: write_starter(file), Asked())
