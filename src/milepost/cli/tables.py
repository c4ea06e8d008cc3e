"""Tables and consoles as the command draws them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from milepost.cli.streams import fall_silent

WIDE = 200  # where there is no terminal nothing is cut at 80
NARROW = 28  # a column of sentences is no narrower than that if others can be left out
GAP = 3  # between two columns
BREAKS = {"wrap", "path"}


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


class Sheet:
    """A table without a frame. On a narrow screen it leaves out columns before it breaks a word or a number."""

    def __init__(self, columns: Sequence[str], drop: Sequence[str]) -> None:
        self.columns = [column.rpartition(":") for column in columns]
        self.drop = drop
        self.rows: list[list[str | Text] | None] = []

    def add_row(self, *cells: str | Text) -> None:
        """Cells that are not given are empty."""
        self.rows.append([*cells, *[""] * (len(self.columns) - len(cells))])

    def add_section(self) -> None:
        """A line below the rows so far."""
        self.rows.append(None)

    def __rich_console__(self, screen: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        shown = self._fitting(options.max_width)
        made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
        for place in shown:
            kind, _, title = self.columns[place]
            made.add_column(title, justify="left" if kind else "right", overflow="fold", no_wrap=kind not in BREAKS)
        for cells in self.rows:
            if cells is None:
                made.add_section()
            else:
                made.add_row(*[cells[place] for place in shown])
        yield made

    def _fitting(self, width: int) -> list[int]:
        """The columns that are shown on a screen of that width: those that can be done without go one after another."""
        shown = list(range(len(self.columns)))
        for title in self.drop:
            if sum(self._width(place) for place in shown) + GAP * (len(shown) - 1) <= width:
                break
            shown = [place for place in shown if self.columns[place][2] != title]
        return shown

    def _width(self, place: int) -> int:
        kind, _, title = self.columns[place]
        widest = max(cell_len(str(text)) for text in (title, *[cells[place] for cells in self.rows if cells]))
        return min(widest, NARROW) if kind == "wrap" else widest


def table(*columns: str, drop: Sequence[str] = ()) -> Sheet:
    """An empty table; columns are right-aligned numbers unless they say otherwise.

    ``left:`` text that is never broken, ``wrap:`` sentences, ``path:`` names, broken only where nothing else helps.
    Columns named in ``drop`` are left out in that order where the screen is too narrow.
    """
    return Sheet(columns, drop)


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
