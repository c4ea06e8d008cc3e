"""Tables and consoles as the command draws them."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.table import Table

from milepost.cli.streams import fall_silent

WIDE = 200  # where there is no terminal nothing is cut at 80


class Screen(Console):
    """A console whose reader may go away (``| head``): what is left to say is said to nobody."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program here, and a job must not end for that."""
        fall_silent(self.file.fileno())


def console(*, to_stderr: bool = False) -> Console:
    """Colours only on a terminal, and none under NO_COLOR; text is never taken for markup."""
    made = Screen(stderr=to_stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = WIDE
    return made


def table(*columns: str) -> Table:
    """A table without a frame; columns are right-aligned numbers unless they say ``left:``."""
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        left, _, title = column.rpartition(":")
        made.add_column(title, justify="left" if left else "right", overflow="fold")
    return made


def show(screen: Console, what: RenderableType) -> None:
    """Print; where there is no terminal without the blanks that pad a table's lines."""
    if screen.is_terminal:
        screen.print(what)
        return
    with screen.capture() as captured:
        screen.print(what)
    for text in captured.get().splitlines():
        screen.print(text.rstrip(), soft_wrap=True)


def plain_signs(screen: Console) -> bool:
    """Whether what the screen can show is ASCII only."""
    return not screen.encoding.lower().startswith("utf")
