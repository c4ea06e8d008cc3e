"""docs/command.md says what the commands say of themselves."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from milepost.cli.commands import milepost
from milepost.cli.reference import reference

DOCUMENT = Path(__file__).parents[2] / "docs" / "command.md"


def test_the_reference_is_what_the_commands_say() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == reference(), (
        "make it again: python -m milepost.cli.reference > docs/command.md"
    )


@pytest.mark.parametrize(
    "text", ["milepost run", "milepost rejects export", "milepost rewind", "--accept-changed OBJECT", "| 130 |"]
)
def test_the_reference_is_not_empty(text: str) -> None:
    assert text in reference()


@pytest.mark.parametrize("accepted", ["declared otherwise", "emptied", "without those rows", "put back", "by upsert"])
def test_the_option_that_accepts_changes_names_all_that_it_accepts(accepted: str) -> None:
    (option,) = [each for each in milepost.commands["run"].params if each.name == "accept_changed"]

    assert isinstance(option, click.Option)
    assert accepted in (option.help or "")


def test_no_command_promises_what_is_not_there_yet() -> None:
    assert set(milepost.commands) == {
        *("run", "plan", "status", "verify", "rejects", "rewind", "crashtest", "demo", "init")
    }


def test_every_option_has_a_help_text() -> None:
    commands = [*milepost.commands.values(), *milepost.commands["rejects"].commands.values()]  # type: ignore[attr-defined]
    options = [option for command in commands for option in command.params if isinstance(option, click.Option)]

    assert len(options) > 20
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("name", [*milepost.commands, "rejects list", "rejects export", "rejects retry"])
def test_the_help_of_no_command_has_holes_in_its_sentences(name: str) -> None:
    said = CliRunner().invoke(milepost, [*name.split(), "--help"], terminal_width=100).output
    prose = said.partition("\n\n")[2].partition("Options:")[0]

    assert len(prose) > 50
    assert re.findall(r"\S {2,}\S.*|^ {3,}.*", prose.partition("Commands:")[0], re.MULTILINE) == []
