"""Plain lines: one for each step while they are few, and a few a minute where they are many."""

import io
import json

from milepost.cli.face import EVERY, FEW, PlainFace
from milepost.cli.run import Showing
from milepost.cli.view import View, branch_of, seen
from milepost.jobs.event import (
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointSkipped,
    CheckpointStarted,
    Event,
    RunStarted,
    Told,
)
from milepost.jobs.ledger import NO_ROWS, Counts
from milepost.jobs.state import Failure
from milepost.testing.clock import ManualClock


class Watching:
    """A face that is shown events, and the lines it has written."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stream = io.StringIO()
        self.view = View()
        self.face = PlainFace(self.stream, clock=self.clock, hide=str, objects=frozenset({"invoice"}))
        self.show(RunStarted(job="crm", epoch=1, store="s", recovering=False, paused_for=None))

    def show(self, event: Event) -> None:
        self.view = seen(self.view, event, self.clock.monotonic())
        self.face.show(event, self.view)

    def step(self, path: str) -> None:
        self.show(
            CheckpointStarted(path=path, attempt=1, recovering=False, failure=None, position=None, counts=NO_ROWS)
        )
        self.show(CheckpointCompleted(path=path, counts=NO_ROWS))

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_few_steps_have_a_line_each() -> None:
    watching = Watching()
    watching.step("load")

    assert watching.lines[1:] == ["load: started", "load: complete in 0.0s"]


def test_thousands_of_steps_have_few_lines_and_none_is_left_out_of_the_count() -> None:
    watching = Watching()
    for number in range(5_000):
        watching.step(f"load/part-{number}")
    watching.face.close()

    assert len(watching.lines) == 1 + FEW + 1
    assert watching.lines[-1] == f"{5_000 - FEW // 2:,} more steps complete, now at load/part-4999"


def test_every_so_often_a_line_tells_how_far_many_steps_are() -> None:
    watching = Watching()
    for number in range(1_000):
        watching.step(f"load/part-{number}")
    watching.clock.advance(EVERY)
    watching.step("load/next")
    watching.face.close()

    assert watching.lines[-2:] == [
        f"{1_000 - FEW // 2} more steps complete, now at load/next",
        "1 more step complete, now at load/next",
    ]


def test_objects_failures_and_what_is_told_have_their_lines_among_thousands_of_steps() -> None:
    watching = Watching()
    for number in range(1_000):
        watching.step(f"load/part-{number}")
    watching.step("invoice")
    watching.show(CheckpointFailed(path="load/last", failure=Failure(kind="error", message="no disk")))
    watching.show(Told(message="look"))

    assert watching.lines[-4:] == ["invoice: started", "invoice: complete in 0.0s", "load/last: error: no disk", "look"]


def test_what_is_told_before_a_run_starts_has_its_line() -> None:
    watching = Watching()
    watching.view = View()
    watching.show(Told(message="customer is declared otherwise now"))

    assert watching.lines[-1] == "customer is declared otherwise now"


def test_thousands_of_steps_that_were_complete_already_are_counted_to_the_last(capsys) -> None:
    shown = Showing(clock=ManualClock(), urls=[], out=None, objects=frozenset({"invoice"}))
    shown.emit(RunStarted(job="crm", epoch=2, store="s", recovering=True, paused_for=None))
    for number in range(1_234):
        shown.emit(CheckpointSkipped(path=f"part-{number}", counts=NO_ROWS))
    shown.emit(CheckpointSkipped(path="invoice", counts=Counts(read=7)))
    shown.close()

    lines = capsys.readouterr().err.splitlines()
    assert "invoice: complete already, 7 rows" in lines
    assert lines[-1] == f"{1_234 - FEW:,} more steps complete, now at part-1233"
    assert branch_of(shown.view, "").folded + len(shown.view.branches) - 1 >= 1_234


def test_each_step_that_was_complete_already_has_its_json_line(capsys) -> None:
    out = io.StringIO()
    shown = Showing(clock=ManualClock(), urls=[], out=out, objects=frozenset())
    for number in range(500):
        shown.emit(CheckpointSkipped(path=f"part-{number}", counts=Counts(read=number)))
    shown.close()

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["event"], line["path"], line["counts"]["read"]) for line in lines] == [
        ("checkpoint_skipped", f"part-{number}", number) for number in range(500)
    ]
