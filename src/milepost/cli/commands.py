"""The commands and their options. What each does is loaded when it is called, so that --help is quick."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from milepost.cli.options import FAULTS, faults, points

if TYPE_CHECKING:
    from milepost.wiring.find import AnyJob
    from milepost.wiring.run import Urls

FILE_HELP = """FILE is a Python file, or module:name. FILE:NAME picks one of several jobs in a file. The file's folder
is put at the front of Python's path. Relative SQLite URLs (sqlite:///x.db) start from the folder you are in."""

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every command about a job is given: FILE, the URLs that override it, and the JSON output where wanted."""

    reference: str = ""
    source: str | None = None
    target: str | None = None
    store: str | None = None
    out: TextIO | None = None
    known: list[str] = field(default_factory=list)  # every URL that is in play, so that no password of one is shown

    @property
    def urls(self) -> Urls:
        from milepost.wiring.run import Urls

        return Urls(source=self.source, target=self.target, store=self.store)

    def load(self) -> AnyJob:
        from milepost.cli.run import known_urls
        from milepost.wiring.find import find

        job = find(self.reference)
        self.known.extend(known_urls(job, self.urls))
        return job


def about_a_job(*, as_json: bool = True) -> Callable[[Function], Function]:
    """Decorate a command that takes FILE and the URLs; it is called with ``asked`` and its own options."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(
            file: str, source: str | None, target: str | None, store: str | None, *, json: bool = False, **own: Any
        ) -> int:
            with json_output(wanted=json) as out:
                asked = Asked(reference=file, source=source, target=target, store=store, out=out)
                return guarded(functools.partial(function, asked, **own), asked)

        decorated: Function = click.argument("file", metavar="FILE")(command)
        for option in (_JSON,) if as_json else ():
            decorated = option(decorated)
        for option in (_STORE, _TARGET, _SOURCE):
            decorated = option(decorated)
        decorated.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{FILE_HELP}"  # by Python 3.13 already clean
        return decorated

    return decorate


_SOURCE = click.option("--source", metavar="URL", help="Read from this database instead of the file's.")
_TARGET = click.option("--target", metavar="URL", help="Write to this database instead of the file's.")
_STORE = click.option("--store", metavar="URL", help="Keep checkpoints in this store instead of the file's.")
_JSON = click.option("--json", is_flag=True, help="Write JSON lines to standard output, and nothing else there.")


@contextmanager
def json_output(*, wanted: bool) -> Iterator[TextIO | None]:
    """Standard output for JSON alone, or None where people read it."""
    if not wanted:
        yield None
        return
    from milepost.cli.lines import kept_for_json

    with kept_for_json() as out:
        yield out


def guarded(function: Callable[[], int | None], asked: Asked) -> int:
    """Call; an error is shown as people, and JSON readers, need it, and becomes the exit status."""
    try:
        return function() or 0
    except (click.ClickException, click.Abort):
        raise
    except BrokenPipeError:
        return _nobody_reads(asked)
    except BaseException as error:  # noqa: BLE001 - the last resort: nobody sees a traceback of ours
        from milepost.cli.report import report

        return report(error, [*asked.known, *filter(None, (asked.source, asked.target, asked.store))], asked.out)


def _nobody_reads(asked: Asked) -> int:
    """Whoever read standard output has gone (``| head``); what is still buffered must not raise at exit."""
    from milepost.cli.streams import fall_silent

    fall_silent(sys.stdout.fileno() if asked.out is None else asked.out.fileno())
    return 0


class Rejects(click.Group):
    """``milepost rejects FILE`` lists; only a first word that is a command's name is a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args.insert(0, "list")
        return super().parse_args(ctx, args)


@click.group(context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100})
@click.version_option(package_name="milepost")
def milepost() -> None:
    """Jobs that survive: data migrations, and any long-running program, with durable checkpoints.

    Exit status: 0 complete, 1 failed (run it again to resume), 2 wrong usage or a plan that cannot work (nothing was
    written), 3 another run holds the lease, 130 interrupted (run it again to resume).
    """


@milepost.command()
@about_a_job()
@click.option(
    "--accept-changed",
    metavar="OBJECT",
    multiple=True,
    help="Go on with this half-done object although it is not as it was left: it is declared otherwise (the rest goes "
    "by the new definition), its table was emptied (it goes on without those rows), or its store or target was put "
    "back to an earlier state (it goes on by upsert, behind what is missing). May be given several times.",
)
def run(asked: Asked, accept_changed: tuple[str, ...]) -> int:
    """Run the job until it is complete, recovering what an earlier run left half done.

    Ctrl-C stops it after the next commit; the same command resumes.
    """
    from milepost.cli.run import run_and_draw

    job = asked.load()
    status, _ = run_and_draw(
        job, urls=asked.urls, out=asked.out, accept_changed=frozenset(accept_changed), reference=asked.reference
    )
    return status


@milepost.command()
@about_a_job()
def plan(asked: Asked) -> None:
    """Show what a run would do, and whether it can work. Writes nothing."""
    from milepost.cli.plan import show_plan

    show_plan(asked.load(), asked.urls, asked.out)


@milepost.command()
@about_a_job()
def status(asked: Asked) -> None:
    """Show what the store knows of the job: its checkpoints and runs. Writes nothing; works during a run."""
    from milepost.cli.status import show_status

    show_status(asked.load(), asked.urls, asked.out, asked.reference)


@milepost.group(cls=Rejects, subcommand_metavar="[export] [OPTIONS] FILE")
def rejects() -> None:
    """Show the rows that could not be moved, or export them.

    `milepost rejects FILE` lists them; `milepost rejects export FILE` writes them as CSV or JSON lines.
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


@milepost.command()
@about_a_job()
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

    return crashtest_and_tell(asked.reference, asked.urls, Choice(**options), asked.out, asked.known.extend)


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


def carry_out(arguments: Sequence[str] | None) -> int:
    """Run the command; the exit status. Wrong usage is told with any password hidden."""
    from milepost.cli.streams import end_output, open_missing, quiet_drivers

    open_missing()
    quiet_drivers()
    try:
        status = _carried_out(arguments)
    finally:
        end_output()
    return status


def _carried_out(arguments: Sequence[str] | None) -> int:
    try:
        status = milepost.main(arguments, prog_name="milepost", standalone_mode=False)
    except click.ClickException as error:
        return _refuse(error)
    except (click.Abort, KeyboardInterrupt):
        return 130
    return status if isinstance(status, int) else 0


def _refuse(error: click.ClickException) -> int:
    from milepost.errors import mask

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message())
        return 2
    context = error.ctx if isinstance(error, click.UsageError) else None
    usage = "" if context is None else f"{context.get_usage()}\nTry '{context.command_path} --help'.\n"
    click.echo(mask(f"{usage}error: {error.format_message()}"), err=True)
    return 2
