"""Show an error: to people on standard error, to programs as JSON."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TextIO

import click

from milepost.cli.explain import INTERRUPTED, Explanation, explain, hide_secrets
from milepost.cli.lines import write_line
from milepost.cli.streams import unheard


def report(error: BaseException, urls: Iterable[str], out: TextIO | None) -> int:
    """Show an error that came outside a run, and as one JSON object on ``out``; the exit status."""
    hide = partial(hide_secrets, urls=list(urls))
    explained = explain(error, started=False)
    if out is not None:
        with unheard(out.fileno()):
            write_line(out, error_document(explained, hide))
    with unheard(2):
        show_explanation(explained, hide, error)
    return explained.status


def show_explanation(explained: Explanation, hide: Callable[[str], str], error: BaseException | None = None) -> None:
    """The error, where in the user's own code, and what to do next, on standard error."""
    if os.environ.get("MILEPOST_TRACEBACK") and error is not None:
        click.echo(hide("".join(traceback.format_exception(error))), err=True)
    word = "" if explained.status == INTERRUPTED else "error: "
    say_on_stderr(hide(f"{word}{explained.message}"), style="yellow" if explained.status == INTERRUPTED else "red")
    for text in (*[f"  {text}" for text in explained.where], *([explained.hint] if explained.hint else [])):
        say_on_stderr(hide(text))


def error_document(explained: Explanation, hide: Callable[[str], str]) -> dict[str, Any]:
    """An error as JSON: error, hint, where and the exit status."""
    return {
        "error": hide(explained.message),
        "hint": None if explained.hint is None else hide(explained.hint),
        "where": [hide(text) for text in explained.where],
        "exit": explained.status,
    }


def say_on_stderr(text: str, *, style: str = "") -> None:
    """A line for people; coloured only on a terminal."""
    if not sys.stderr.isatty():
        click.echo(text, err=True)
        return
    from rich.text import Text

    from milepost.cli.tables import console

    console(to_stderr=True).print(Text(text, style=style), soft_wrap=True)
