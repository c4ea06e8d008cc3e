"""What the demo shows. Plain where there is no terminal; words alone carry the meaning, colours only help."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from milepost.demo.dirt import Dirt
from milepost.demo.prove import ObjectProof, Proof

WIDTH = 100


def open_screen() -> Console:
    """A console on standard output, of a width that reads well; in a pipe too, which has none of its own."""
    screen = Console(highlight=False)
    screen.width = min(screen.width, WIDTH) if screen.is_terminal else WIDTH
    return screen


def act(screen: Console, title: str, text: str) -> None:
    """The heading of an act, and what to know before it."""
    screen.print()
    screen.print(Text(title, style="bold"))
    screen.print(Text(text))
    screen.print()


def say(screen: Console, text: str, style: str = "") -> None:
    screen.print(Text(text, style=style))


def show_command(screen: Console, words: str) -> None:
    screen.print(Text(f"$ {words}", style="bold cyan"), soft_wrap=True)


def show_dirt(screen: Console, sizes: dict[str, int], dirt: Sequence[Dirt]) -> None:
    """What the legacy database holds."""
    screen.print(Text(", ".join(f"{rows:,} {table}" for table, rows in sizes.items())))
    screen.print()
    table = _table("what is wrong with it", ("rows", True), "what becomes of it")
    for each in dirt:
        table.add_row(each.what, f"{each.rows:,}", each.fate)
    screen.print(table)


def show_proof(screen: Console, proof: Proof) -> None:
    """The tables of the proof, and its verdict."""
    say(screen, "Every row of the old database is accounted for (what the store says, and what is at the source):")
    screen.print(_accounts(proof.objects))
    say(screen, "The new database, compared with what plain SQL expects, row by row and column by column:")
    screen.print(_contents(proof.objects))
    say(screen, "What was rejected is what had to be rejected, each row for its reason:")
    screen.print(_rejects(proof))
    if proof.faults:
        screen.print(Text("THE PROOF FAILED", style="bold white on red"))
        for fault in proof.faults:
            screen.print(Text(f"  {fault}", style="red"))
    else:
        say(screen, "Proven: nothing was lost, nothing is doubled, nothing was changed.", "bold green")


def _accounts(objects: Sequence[ObjectProof]) -> Table:
    table = _table(
        "object", ("at source", True), ("read", True), ("loaded", True), ("rejected", True), ("left out", True)
    )
    for each in objects:
        counts = each.counts
        numbers = (each.at_source, counts.read, counts.loaded, counts.rejected, counts.filtered)
        table.add_row(each.object, *(f"{number:,}" for number in numbers))
    return table


def _contents(objects: Sequence[ObjectProof]) -> Table:
    table = _table(
        "object",
        ("expected", True),
        ("target", True),
        ("missing", True),
        ("doubled", True),
        ("wrong", True),
        "sha256",
    )
    for each in objects:
        numbers = (each.expected, each.in_target, each.missing, each.doubled, each.different + each.unexpected)
        same = each.digest == each.expected_digest
        content = each.digest[:8] if same else "DIFFERS"
        table.add_row(each.object, *(f"{number:,}" for number in numbers), content, style=None if same else "red")
    return table


def _rejects(proof: Proof) -> Table:
    table = _table("object", "because", ("rejected", True), ("expected", True), ("wrong", True))
    for each in proof.rejects:
        numbers = (each.rows, each.expected, each.wrong)
        table.add_row(
            each.object, each.reason, *(f"{number:,}" for number in numbers), style="red" if each.wrong else None
        )
    return table


def show_next(screen: Console, folder: Path, milepost: str) -> None:
    """Where things are, and what to try."""
    commands = (
        ("the migration: read it, it is short", f"cd {folder}; less company.py"),
        ("complete, after two runs", f"{milepost} status company.py"),
        ("nothing left to do: no row is read", f"{milepost} run company.py"),
        ("the rows that could not be moved, and why", f"{milepost} rejects company.py"),
        ("the same for a spreadsheet", f"{milepost} rejects export company.py > rejects.csv"),
        (
            "compare the old and the new database, row by row, through the same functions",
            f"{milepost} verify company.py",
        ),
        ("forget that orders were moved, and move them again: each row meets itself, none is doubled", ""),
        ("", f"{milepost} rewind company.py purchase_order"),
        ("", f"{milepost} run company.py"),
        ("change something in company.py, and see what Milepost makes of it", f"{milepost} plan company.py"),
    )
    for meaning, words in commands:
        for text, style in ((f"# {meaning}" if meaning else "", "dim"), (words, "cyan")):
            if text:
                screen.print(Text(f"  {text}", style=style), soft_wrap=True)


def _table(*headings: str | tuple[str, bool]) -> Table:
    """A table with these columns; (heading, True) is one of numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1), header_style="bold")
    for heading in headings:
        if isinstance(heading, tuple):
            table.add_column(heading[0], justify="right")
        else:
            table.add_column(heading, no_wrap=heading == "object")
    return table
