"""The drawn tree and summary, rendered to text without a terminal."""

import io

from rich.console import Console, RenderableType

from milepost.cli.draw import fit, frame, summary
from milepost.cli.view import Branch, Standing, View, seen
from milepost.jobs.event import (
    BatchCommitted,
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointStarted,
    Event,
    RowsExpected,
    RunStarted,
)
from milepost.jobs.ledger import NO_ROWS, Counts
from milepost.jobs.state import Failure


def drawn(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=120, force_terminal=False, color_system=None)
    console.print(what)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def started(path: str) -> CheckpointStarted:
    return CheckpointStarted(path=path, attempt=1, recovering=False, failure=None, position=None, counts=NO_ROWS)


def half_way() -> View:
    events: list[tuple[float, Event]] = [
        (0, RunStarted(job="crm", epoch=1, store="s", recovering=False, paused_for=None)),
        (0, started("")),
        (0, started("customer")),
        (2, CheckpointCompleted(path="customer", counts=Counts(read=12_000, loaded=11_950, rejected=50))),
        (2, started("invoice")),
        (2, RowsExpected(path="invoice", rows=40_000)),
        (12, BatchCommitted(path="invoice", seq=1, position=[9], counts=Counts(read=10_000, loaded=10_000))),
    ]
    view = View()
    for at, event in events:
        view = seen(view, event, at)
    return view


def test_the_frame_has_a_line_for_each_checkpoint_with_rate_and_time_left() -> None:
    lines = drawn(frame(half_way(), 12, height=24)).splitlines()

    assert lines[0] == "crm run 1 12s"
    assert lines[1] == "✓ customer 12,000 2.0s 50 rejected"
    assert lines[2].startswith("▶ invoice ━")
    assert lines[2].endswith("25% 10,000 of 40,000 1,000 rows/s 30s left")


def test_a_frame_can_do_with_ascii_signs() -> None:
    assert "+ customer" in drawn(frame(half_way(), 12, height=24, plain=True))


def test_a_note_stands_below_the_tree() -> None:
    assert drawn(frame(half_way(), 12, height=24, note="stopping")).splitlines()[-1] == "stopping"


def test_complete_checkpoints_give_way_to_those_that_run() -> None:
    lines = [(0, Branch(path=f"a{number}", standing=Standing.COMPLETE)) for number in range(30)]
    lines += [(0, Branch(path="b", standing=Standing.RUNNING)), (0, Branch(path="c"))]

    shown, hidden, cropped = fit(lines, 10)

    assert [branch.path for _, branch in shown][-3:] == ["a29", "b", "c"]
    assert (len(shown), hidden, cropped) == (10, 22, 0)


def test_what_does_not_fit_is_counted() -> None:
    lines = [(0, Branch(path=f"a{number}")) for number in range(30)]

    shown, hidden, cropped = fit(lines, 10)

    assert (len(shown), hidden, cropped) == (10, 0, 20)


def test_the_summary_adds_up_and_marks_what_failed() -> None:
    failed = CheckpointFailed(path="invoice", failure=Failure(kind="error", message="x"))
    text = drawn(summary(seen(half_way(), failed, 14), 14))

    assert "✓ customer 12,000 11,950 0 0 50 2.0s" in text
    assert "✗ invoice 10,000 10,000 0 0 0 12s failed" in text
    assert "together 22,000 21,950 0 0 50 14s" in text
