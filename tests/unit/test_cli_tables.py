"""Tables on screens of every width."""

import io

from rich.console import Console

from milepost.cli.tables import Sheet, table


def drawn(what: Sheet, width: int) -> list[list[str]]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    console.print(what)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    return [line.split() for line in text.splitlines()]


def status(path: str = "customer") -> Sheet:
    made = table(
        "path:checkpoint", "left:state", "attempt", "left:position", "read", "batches", drop=["batches", "position"]
    )
    made.add_row(path, "started, not running", "1", "2013-01-01, 1.10", "336,776", "1,204")
    return made


def test_a_wide_screen_shows_every_column() -> None:
    lines = drawn(status(), 200)

    assert lines[0] == ["checkpoint", "state", "attempt", "position", "read", "batches"]
    assert lines[2] == ["customer", "started,", "not", "running", "1", "2013-01-01,", "1.10", "336,776", "1,204"]


def test_columns_that_can_be_done_without_go_in_their_order_and_no_word_is_broken() -> None:
    assert drawn(status(), 80)[0] == ["checkpoint", "state", "attempt", "position", "read"]
    lines = drawn(status(), 60)

    assert lines[0] == ["checkpoint", "state", "attempt", "read"]
    assert lines[2] == ["customer", "started,", "not", "running", "1", "336,776"]


def test_a_path_that_is_too_long_is_broken_and_no_number_is() -> None:
    path = "load/" + "x" * 60
    lines = drawn(status(path), 60)

    assert "".join(line[0] for line in lines[2:]) == path
    assert lines[2][-1] == "336,776"


def test_sentences_break_between_words_and_names_stay_whole() -> None:
    made = table("path:object", "left:stage", "rows", "wrap:reason", "left:for example, key", drop=["for example, key"])
    made.add_row("customer", "restructure", "336,776", "the parent customer is not there, or rejected", "k" * 40)

    lines = drawn(made, 80)

    assert lines[0] == ["object", "stage", "rows", "reason"]
    assert lines[2][:3] == ["customer", "restructure", "336,776"]
    words = [*lines[2][3:], *(word for line in lines[3:] for word in line)]
    assert " ".join(words) == "the parent customer is not there, or rejected"
