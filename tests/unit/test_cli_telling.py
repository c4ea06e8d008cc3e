"""What is said of events in lines of text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from milepost.cli.human import duration, key, moment, number, rows, value
from milepost.cli.telling import announcement, completed, line, progress
from milepost.cli.view import View, branch_of, seen
from milepost.jobs.event import (
    BatchCommitted,
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointSkipped,
    CheckpointStarted,
    Event,
    RowsExpected,
    RunStarted,
    Told,
)
from milepost.jobs.ledger import Counts
from milepost.jobs.state import Failure
from milepost.stores.holding import held_by

RUN = RunStarted(job="crm", epoch=3, store="sqlite:///x.db", recovering=True, paused_for=192.0)


def start(path: str, failure: Failure | None, *, attempt: int = 2, position: object = None, read: int = 0) -> Event:
    return CheckpointStarted(
        path=path,
        attempt=attempt,
        recovering=attempt > 1,
        failure=failure,
        position=position,
        counts=Counts(read=read, loaded=read),
    )


def view_after(*events: tuple[float, Event]) -> View:
    view = View()
    for at, event in events:
        view = seen(view, event, at)
    return view


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0s"), (0.44, "0.4s"), (12, "12s"), (72.9, "1m 12s"), (10_920, "3h 02m"), (190_800, "2d 05h"), (-1, "0.0s")],
)
def test_durations_show_their_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_have_their_commas() -> None:
    assert (number(336_776), number(None), rows(1), rows(2_000)) == ("336,776", "?", "1 row", "2,000 rows")


@pytest.mark.parametrize("hours", [0, 2, -5])
def test_a_time_has_one_form_whatever_its_zone(hours: int) -> None:
    at = datetime(2026, 11, 23, 16, 45, 47, 120_000, tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))

    assert moment(at) == "2026-11-23 16:45:47 UTC"
    assert "until 2026-11-23 16:45:47 UTC and" in held_by("crm", "host pid 1", at).message


def test_a_key_reads_as_its_values_and_a_position_of_a_step_as_json() -> None:
    assert key(["2013-01-01", {"decimal": "1.10"}, 7]) == "2013-01-01, 1.10, 7"
    assert key({"page": 3}) == '{"page": 3}'
    assert key(None) == ""
    assert len(value("x" * 500, width=40)) == 40


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (Failure(kind="killed", message=""), "crm: recovering. The last run was killed 3m 12s ago."),
        (Failure(kind="interrupted", message=""), "crm: recovering. The last run was interrupted 3m 12s ago."),
        (
            Failure(kind="error", message="disk full\nat line 3"),
            "crm: recovering. The last run failed (disk full) 3m 12s ago.",
        ),
    ],
)
def test_a_recovering_run_says_what_ended_the_last_one_and_how_long_ago(failure: Failure, text: str) -> None:
    assert announcement(view_after((0, RUN)), start("", failure)) == text


def test_a_run_after_a_rewind_does_not_claim_that_the_last_one_broke_off() -> None:
    event = start("", Failure(kind="rewound", message="something below it was forgotten"))

    assert announcement(view_after((0, RUN)), event) == "crm: going on after a rewind 3m 12s ago."


def test_a_try_after_another_in_the_same_run_is_not_said_to_follow_a_run() -> None:
    first = start("", None, attempt=1)
    second = start("", Failure(kind="error", message="no answer"))

    assert announcement(view_after((0, RUN), (1, first), (2, second)), second) == (
        "crm: recovering. The try before failed (no answer)."
    )


def test_what_is_told_before_the_run_started_is_announced_and_the_run_starts_as_ever() -> None:
    told = Told(message="customer is declared otherwise now; it is complete and stays as it is")

    assert announcement(View(), told) == told.message
    assert view_after((0, told), (1, RUN)) == view_after((1, RUN))


def test_a_resumed_object_says_where_it_goes_on() -> None:
    event = start("invoice", Failure(kind="killed", message=""), position=[4_000], read=120_000)

    assert announcement(view_after((0, RUN)), event) == "invoice: resuming after 120,000 rows at 4000 (attempt 2)"


def test_an_object_that_had_committed_nothing_does_not_claim_to_resume() -> None:
    event = start("invoice", Failure(kind="error", message="x"))

    assert announcement(view_after((0, RUN)), event) == "invoice: starting again from its beginning (attempt 2)"


def test_what_was_told_is_announced_with_its_place() -> None:
    assert announcement(View(), Told(message="look")) == "look"
    assert announcement(View(), Told(message="look", path="invoice")) == "invoice: look"
    assert announcement(View(), Told(message="invoice is complete", path="invoice")) == "invoice is complete"


def test_starts_and_ends_have_lines_and_the_job_itself_has_none() -> None:
    done = CheckpointCompleted(path="invoice", counts=Counts(read=10, loaded=10))
    view = view_after((0, RUN), (1, start("invoice", None, attempt=1)), (73, done))

    assert line(view, start("invoice", None, attempt=1)) == "invoice: started"
    assert line(view, done) == "invoice: complete, 10 rows in 1m 12s"
    assert line(view, CheckpointSkipped(path="a", counts=Counts(read=1))) == "a: complete already, 1 row"
    assert line(view, CheckpointFailed(path="a", failure=Failure(kind="error", message="no\nmore"))) == "a: error: no"
    assert line(view, CheckpointCompleted(path="", counts=Counts())) is None


def test_a_resumed_object_that_is_complete_tells_of_this_run_and_of_all() -> None:
    done = CheckpointCompleted(path="invoice", counts=Counts(read=200_000, loaded=200_000))
    resumed = start("invoice", Failure(kind="killed", message=""), position=[88_000], read=88_000)
    view = view_after((0, RUN), (1, resumed), (4.3, done))

    assert line(view, done) == "invoice: complete, 112,000 rows in 3.3s (200,000 in all)"
    assert completed(view, 4.3) == "complete, 112,000 rows in 4.3s (200,000 in all)"
    assert completed(view_after((0, RUN), (1, start("invoice", None, attempt=1)), (4, done)), 4.3) == "complete in 4.3s"


def test_what_an_earlier_try_of_the_same_run_read_counts_as_read_by_the_run() -> None:
    done = CheckpointCompleted(path="invoice", counts=Counts(read=200_000, loaded=200_000))
    resumed = start("invoice", Failure(kind="killed", message=""), position=[88_000], read=88_000)
    tried = start("invoice", Failure(kind="error", message="gone"), attempt=3, position=[100_000], read=100_000)
    view = view_after((0, RUN), (1, resumed), (2, tried), (4.3, done))

    assert line(view, done) == "invoice: complete, 112,000 rows in 3.3s (200,000 in all)"


def test_progress_shows_share_rows_rate_time_left_and_rejects() -> None:
    counts = Counts(read=61, loaded=59, rejected=2)
    view = view_after(
        (0, RUN),
        (0, start("invoice", None, attempt=1)),
        (0, RowsExpected(path="invoice", rows=100)),
        (10, BatchCommitted(path="invoice", seq=1, position=[61], counts=counts)),
    )

    told = progress(branch_of(view, "invoice"), 10)

    assert told == "invoice: 61%, 61 of 100 rows, 6 rows/s, 6.4s left, 2 rejected"
