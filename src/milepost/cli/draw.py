"""Draw a view with rich: the tree of a run that goes on, and the table at its end. Loaded only where it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from milepost.cli.human import duration, key, number
from milepost.cli.tables import table
from milepost.cli.view import (
    DONE,
    Branch,
    Standing,
    View,
    branch_of,
    descent,
    rate,
    seconds_left,
    share,
    total,
    total_of_passes,
)
from milepost.jobs.ledger import Counts

BAR_WIDTH = 24
MARKS = {
    Standing.WAITING: ("·", ".", "dim"),
    Standing.RUNNING: ("▶", ">", "cyan"),
    Standing.ROLLING_BACK: ("↶", "<", "yellow"),
    Standing.SKIPPED: ("✓", "=", "dim green"),
    Standing.COMPLETE: ("✓", "+", "green"),
    Standing.FAILED: ("✗", "x", "red"),
    Standing.INTERRUPTED: ("■", "-", "yellow"),
}
Line = tuple[int, Branch]


def frame(view: View, at: float, *, height: int, plain: bool = False, note: str | None = None) -> RenderableType:
    """The tree at the monotonic time ``at``, in at most ``height`` lines, ``note`` below it.

    ``plain``: with none but ASCII signs.
    """
    everything = list(descent(view))
    folded = sum(branch.folded for branch in view.branches.values())
    lines, hidden, cropped = fit(everything, max(height - 4, 1))
    parts: list[RenderableType] = [_header(view, at)]
    if hidden + folded:
        parts.append(Text(f"  {number(hidden + folded)} more complete", style="dim"))
    parts.append(_tree(lines, at, plain=plain))
    if cropped:
        parts.append(Text(f"  {number(cropped)} more below", style="dim"))
    if note is not None:
        parts.append(Text(note, style="yellow"))
    return Group(*parts)


def fit(lines: Sequence[Line], height: int) -> tuple[list[Line], int, int]:
    """The lines that are shown, how many complete ones are hidden for it, and how many are cropped at the end."""
    surplus, shown, hidden = len(lines) - height, [], 0
    for depth, branch in lines:
        if hidden < surplus and branch.standing in DONE:
            hidden += 1
        else:
            shown.append((depth, branch))
    return shown[:height], hidden, max(len(shown) - height, 0)


def summary(view: View, at: float, *, plain: bool = False) -> RenderableType:
    """What became of every checkpoint: one line each, and their total where there is more than one with rows.

    What passes read again, or set, has a total of its own.
    """
    made = table(
        "left:", "path:checkpoint", "read", "loaded", "unchanged", "filtered", "rejected", "time", "left:",
        drop=["unchanged", "filtered"],
    )  # fmt: skip
    lines = list(descent(view))
    for depth, branch in lines:
        counts = branch.counts + branch.folded_counts
        made.add_row(_mark(branch, plain=plain), "  " * depth + branch.path, *_counts(counts), *_ending(branch))
    folded = sum(branch.folded for branch in view.branches.values())
    if folded:
        made.add_row("", f"{number(folded)} more, complete", *_counts(branch_of(view, "").folded_counts))
    if len(lines) > 1 and total(view).read:
        made.add_section()
        time = "" if view.started is None else duration(at - view.started)
        made.add_row("", "together", *_counts(total(view)), time)
        if total_of_passes(view).read:
            made.add_row("", "passes over them", *_counts(total_of_passes(view)))
    return made


def _header(view: View, at: float) -> Text:
    header = Text.assemble((view.job, "bold"), f"  run {view.epoch}")
    if view.recovering:
        header.append("  recovering", style="yellow")
    if view.started is not None:
        header.append(f"  {duration(at - view.started)}", style="dim")
    return header


def _tree(lines: Sequence[Line], at: float, *, plain: bool) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(width=BAR_WIDTH)
    for _ in range(5):
        grid.add_column(justify="right", no_wrap=True, overflow="ellipsis")
    for depth, branch in lines:
        name = Text("  " * depth).append_text(_mark(branch, plain=plain)).append(f" {branch.path}")
        grid.add_row(name, _bar(branch), *_cells(branch, at))
    return grid


def _bar(branch: Branch) -> RenderableType:
    done = share(branch)
    if branch.standing in DONE or branch.standing is Standing.WAITING:
        return Text("")
    if done is None:
        return Text(key(branch.position, width=BAR_WIDTH), style="dim")
    return ProgressBar(total=1.0, completed=done, width=BAR_WIDTH, complete_style="cyan", finished_style="green")


def _cells(branch: Branch, at: float) -> list[Text]:
    """Percent, rows, rate, time left, rejects; what a step without rows does not have stays empty."""
    done, counts = share(branch), branch.counts
    if branch.standing in DONE:
        took = "" if branch.started is None or branch.finished is None else duration(branch.finished - branch.started)
        said = "already" if branch.standing is Standing.SKIPPED else took
        return [Text(""), Text(_rows(counts.read)), Text(""), Text(said, style="dim"), _rejected(counts)]
    if branch.standing not in {Standing.RUNNING, Standing.WAITING}:
        return [Text(""), Text(_rows(counts.read)), Text(""), Text(branch.standing, style="yellow"), _rejected(counts)]
    of = "" if branch.expected is None else f" of {number(branch.expected)}"
    pace, left = rate(branch, at), seconds_left(branch, at)
    return [
        Text("" if done is None else f"{done:.0%}"),
        Text(f"{number(counts.read)}{of}" if of or counts.read else ""),
        Text("" if pace is None else f"{pace:,.0f} rows/s", style="cyan"),
        Text("" if left is None else f"{duration(left)} left"),
        _rejected(counts),
    ]


def _rejected(counts: Counts) -> Text:
    return Text(f"{number(counts.rejected)} rejected" if counts.rejected else "", style="yellow")


def _rows(read: int) -> str:
    return number(read) if read else ""


def _mark(branch: Branch, *, plain: bool) -> Text:
    sign, ascii_sign, style = MARKS[branch.standing]
    return Text(ascii_sign if plain else sign, style=style)


def _counts(counts: Counts) -> list[str | Text]:
    """Five numbers; empty where no row was read, so that a step among objects does not look like an empty one."""
    if not counts.read:
        return [""] * 5
    plain: list[str | Text] = [number(counts.read), number(counts.loaded), number(counts.unchanged)]
    return [*plain, number(counts.filtered), Text(number(counts.rejected), style="yellow" if counts.rejected else "")]


def _ending(branch: Branch) -> tuple[str, Text]:
    time = "" if branch.started is None or branch.finished is None else duration(branch.finished - branch.started)
    said = "" if branch.standing is Standing.COMPLETE else branch.standing
    return time, Text(said, style=MARKS[branch.standing][2])
