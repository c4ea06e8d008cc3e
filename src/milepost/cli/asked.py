"""What every command about a job is given, and how an error of any command becomes its exit status."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import click

from milepost.cli.options import named_values

if TYPE_CHECKING:
    from milepost.wiring.find import AnyJob
    from milepost.wiring.run import Urls

FILE_HELP = """FILE is a Python file, or module:name. FILE:NAME picks one of several jobs in a file. The file's folder
is put at the front of Python's path. Relative SQLite URLs (sqlite:///x.db) start from the folder you are in."""

Function = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every command about a job is given: FILE, the URLs that override it, and the JSON output where wanted.

    ``parameters`` are those that were given by ``-p``.
    """

    reference: str = ""
    source: str | None = None
    target: str | None = None
    store: str | None = None
    out: TextIO | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
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


def about_a_job(*, as_json: bool = True, parameters: bool = False) -> Callable[[Function], Function]:
    """Decorate a command that takes FILE and the URLs; it is called with ``asked`` and its own options.

    ``parameters``: it takes those of the job too, by ``-p``.
    """
    named = parameters

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(
            file: str,
            source: str | None,
            target: str | None,
            store: str | None,
            *,
            parameters: Mapping[str, str] | None = None,
            json: bool = False,
            **own: Any,
        ) -> int:
            with json_output(wanted=json) as out:
                given = parameters or {}
                asked = Asked(reference=file, source=source, target=target, store=store, out=out, parameters=given)
                return guarded(functools.partial(function, asked, **own), asked)

        decorated: Function = click.argument("file", metavar="FILE")(command)
        for option in (*[_JSON] * as_json, *[_PARAMETER] * named, _STORE, _TARGET, _SOURCE):
            decorated = option(decorated)
        decorated.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{FILE_HELP}"  # by Python 3.13 already clean
        return decorated

    return decorate


_SOURCE = click.option("--source", metavar="URL", help="Read from this database instead of the file's.")
_TARGET = click.option("--target", metavar="URL", help="Write to this database instead of the file's.")
_STORE = click.option("--store", metavar="URL", help="Keep checkpoints in this store instead of the file's.")
_PARAMETER = click.option(
    "-p",
    "--parameter",
    "parameters",
    metavar="NAME=VALUE",
    multiple=True,
    callback=named_values,
    help="Give a parameter that the file declares; the first run pins it. May be given several times.",
)
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
