"""The reference of the commands as Markdown, made from the commands themselves: docs/command.md.

python -m milepost.cli.reference > docs/command.md
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from milepost.cli.asked import FILE_HELP
from milepost.cli.commands import milepost

PREFACE = """\
# The command

Made from the commands' own help by `python -m milepost.cli.reference`; a test compares.

{file}

## Exit status

| status | meaning |
|---|---|
| 0 | complete |
| 1 | failed; what is committed stays, and the same command resumes. `verify`, `crashtest`: something differs |
| 2 | wrong usage, or a plan that cannot work: nothing was written (a plan that turns out wrong later is 1) |
| 3 | another run holds the lease; the message tells who, and until when |
| 130 | interrupted by Ctrl-C or SIGTERM after a commit; the same command resumes |

## What goes where

A run is shown on standard error: a live tree on a terminal, plain lines elsewhere. What `plan`, `status`, `verify`
and `rejects` tell goes to standard output. With `--json`, standard output holds JSON lines and nothing else, whatever
the job's own code prints: events for `run` and `rejects retry`, one object for the others. An error is then one object
too, with `error`, `hint`, `where` and `exit`. Plain lines name each object and failure, and the first steps; the steps
after fifty such lines are counted. Tables on a narrow terminal leave out columns; `--json` has them all. A reader that
goes away (`| head`) does not stop a job: it goes on to its end, and its exit status is its own. Passwords are shown as
`***` everywhere; the key and content of exported rejects are exact. `NO_COLOR=1` leaves out colours;
`MILEPOST_TRACEBACK=1` shows the whole traceback of an error.
"""


def reference() -> str:
    """The whole document."""
    context = click.Context(milepost, info_name="milepost")
    parts = [PREFACE.format(file=" ".join(FILE_HELP.split()))]
    parts += ["\n".join(_command(each)) for each in _commands(context)]
    return "\n".join(parts)


def _commands(context: click.Context) -> Iterator[click.Context]:
    command = context.command
    if not isinstance(command, click.Group):
        yield context
        return
    for name, below in command.commands.items():
        yield from _commands(click.Context(below, parent=context, info_name=name))


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    usage = " ".join([context.command_path, "[OPTIONS]", *(each.make_metavar(context) for each in arguments)])
    yield f"## `{usage}`\n"
    yield _prose(inspect.cleandoc(command.help or "").replace(inspect.cleandoc(FILE_HELP), "").strip()) + "\n"
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        yield "\n".join(["| option | |", "|---|---|", *(_option(each, context) for each in options), ""])


def _option(option: click.Option, context: click.Context) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    names = ", ".join(option.opts)
    default = f" Default: {option.default}." if option.show_default else ""
    return f"| `{names}{value}` | {option.help or ''}{default} |".replace("[csv|jsonl]", "csv or jsonl")


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


if __name__ == "__main__":
    click.echo(reference(), nl=False)
