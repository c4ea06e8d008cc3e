"""The view of a run, folded from events. No screen, no clock: times are given."""

import pytest

from milepost.cli.view import (
    KEPT_COMPLETE,
    PACE_SECONDS,
    Standing,
    View,
    branch_of,
    counted,
    descent,
    is_only_counted,
    parent_of,
    rate,
    seconds_left,
    seen,
    share,
    total,
)
from milepost.jobs.event import (
    BatchCommitted,
    CheckpointCompleted,
    CheckpointFailed,
    CheckpointSkipped,
    CheckpointStarted,
    Event,
    PositionSaved,
    RollbackCompleted,
    RollbackStarted,
    RowsExpected,
    RunEnded,
    RunStarted,
    Told,
)
from milepost.jobs.ledger import NO_ROWS, Counts
from milepost.jobs.state import Failure


def began(job: str = "crm", *, recovering: bool = False, paused_for: float | None = None) -> RunStarted:
    return RunStarted(job=job, epoch=2, store="sqlite:///x.db", recovering=recovering, paused_for=paused_for)


def started(path: str, *, read: int = 0, attempt: int = 1, position: object = None) -> CheckpointStarted:
    return CheckpointStarted(
        path=path,
        attempt=attempt,
        recovering=attempt > 1,
        failure=None,
        position=position,
        counts=Counts(read=read, loaded=read),
    )


def batch(path: str, seq: int, read: int) -> BatchCommitted:
    return BatchCommitted(path=path, seq=seq, position=[read], counts=Counts(read=read, loaded=read))


def completed(path: str, counts: Counts = NO_ROWS) -> CheckpointCompleted:
    return CheckpointCompleted(path=path, counts=counts)


def folded(*events: tuple[float, Event]) -> View:
    view = View()
    for at, event in events:
        view = seen(view, event, at)
    return view


def test_a_batch_moves_its_own_branch_and_leaves_the_view_before_it_as_it_was() -> None:
    before = folded((0, began()), (0, started("")), (1, started("invoice")), (1, RowsExpected(path="invoice", rows=80)))

    after = seen(before, batch("invoice", 1, 20), 2)

    assert branch_of(after, "invoice").counts.read == 20
    assert share(branch_of(after, "invoice")) == 0.25
    assert branch_of(before, "invoice").counts.read == 0


def test_the_rate_counts_only_rows_of_this_attempt() -> None:
    view = folded((0, began()), (10, started("invoice", read=1_000, attempt=2)), (14, batch("invoice", 9, 1_400)))

    assert rate(branch_of(view, "invoice"), 14) == 100


def test_the_rate_is_that_of_the_latest_seconds() -> None:
    events: list[tuple[float, Event]] = [(0, began()), (0, started("invoice"))]
    events += [(second, batch("invoice", second, 1_000 * second)) for second in range(1, 61)]
    events += [(60 + second, batch("invoice", 60 + second, 60_000 + 10 * second)) for second in range(1, 61)]

    assert rate(branch_of(folded(*events), "invoice"), 120) == pytest.approx(10)


def test_a_rate_falls_while_nothing_comes() -> None:
    view = folded((0, began()), (0, started("invoice")), (10, batch("invoice", 1, 1_000)))

    assert rate(branch_of(view, "invoice"), 10) == 100
    assert rate(branch_of(view, "invoice"), 100) == 10


def test_samples_of_the_pace_stay_few_however_many_batches_come() -> None:
    events: list[tuple[float, Event]] = [(0, began()), (0, started("invoice"))]
    events += [(number / 100, batch("invoice", number, number)) for number in range(1, 5_000)]

    assert len(branch_of(folded(*events), "invoice").pace) <= 2 * PACE_SECONDS + 2


def test_time_left_needs_a_rate_and_an_expectation() -> None:
    unknown = folded((0, began()), (0, started("a")), (10, batch("a", 1, 100)))
    known = seen(unknown, RowsExpected(path="a", rows=600), 10)

    assert seconds_left(branch_of(unknown, "a"), 10) is None
    assert seconds_left(branch_of(known, "a"), 10) == 50


def test_more_rows_than_expected_are_no_more_than_all() -> None:
    view = folded((0, began()), (0, started("a")), (0, RowsExpected(path="a", rows=10)), (1, batch("a", 1, 12)))

    assert share(branch_of(view, "a")) == 1.0
    assert seconds_left(branch_of(view, "a"), 1) == 0


def test_nothing_expected_is_no_division_by_zero() -> None:
    view = folded((0, began()), (0, started("a")), (0, RowsExpected(path="a", rows=0)))

    assert share(branch_of(view, "a")) == 0.0


@pytest.mark.parametrize(
    ("event", "standing"),
    [
        (completed("a"), Standing.COMPLETE),
        (CheckpointSkipped(path="a", counts=NO_ROWS), Standing.SKIPPED),
        (CheckpointFailed(path="a", failure=Failure(kind="error", message="x")), Standing.FAILED),
        (CheckpointFailed(path="a", failure=Failure(kind="interrupted", message="x")), Standing.INTERRUPTED),
        (RollbackStarted(path="a"), Standing.ROLLING_BACK),
        (RollbackCompleted(path="a"), Standing.WAITING),
        (PositionSaved(path="a", position=3), Standing.RUNNING),
    ],
)
def test_each_event_leads_to_its_standing(event: Event, standing: Standing) -> None:
    view = folded((0, began()), (0, started("a")), (1, event))

    assert branch_of(view, "a").standing is standing


def test_the_end_of_the_run_is_kept() -> None:
    view = folded((0, began()), (1, RunEnded(job="crm", outcome="failed", error="no disk")))

    assert (view.outcome, view.error) == ("failed", "no disk")


def test_what_is_told_draws_nothing() -> None:
    view = folded((0, began()))

    assert seen(view, Told(message="hello"), 1) == view


def test_a_slash_in_a_steps_argument_makes_no_level() -> None:
    view = folded((0, began()), (0, started("")), (0, started("load")), (1, started('load/read["in/a.csv"]')))

    assert parent_of(view, 'load/read["in/a.csv"]') == "load"
    assert [(depth, branch.path) for depth, branch in descent(view)] == [(0, "load"), (1, 'load/read["in/a.csv"]')]


def test_a_job_of_many_steps_stays_small_and_loses_no_count() -> None:
    events: list[tuple[float, Event]] = [(0, began()), (0, started(""))]
    for number in range(KEPT_COMPLETE + 50):
        events += [
            (0, started(f"step-{number}")),
            (0, started(f"step-{number}/part")),
            (0, completed(f"step-{number}/part", Counts(read=2, loaded=2))),
            (0, completed(f"step-{number}", Counts(read=1, loaded=1))),
        ]
    view = folded(*events)

    assert branch_of(view, "").folded == 50
    assert len(view.branches) < 2 * KEPT_COMPLETE
    assert total(view).read == 3 * (KEPT_COMPLETE + 50)


def test_a_tree_of_any_size_keeps_a_bounded_number_of_branches_and_loses_no_count() -> None:
    view, most = folded((0, began()), (0, started(""))), 0
    for outer in range(KEPT_COMPLETE + 20):
        view = seen(view, started(f"month-{outer}"), 0)
        for inner in range(30):
            path = f"month-{outer}/part-{inner}"
            view = seen(seen(view, started(path), 0), completed(path, Counts(read=1, loaded=1)), 0)
            most = max(most, len(view.branches))
        view = seen(view, completed(f"month-{outer}", Counts(read=2, loaded=2)), 0)

    assert most <= 3 * KEPT_COMPLETE
    assert total(view).read == (KEPT_COMPLETE + 20) * 32
    assert branch_of(view, "month-219").folded == 30
    assert branch_of(view, "month-219").folded_counts.read == 30


def test_checkpoints_that_are_only_counted_lose_no_count() -> None:
    """Together they come to what they come to one by one."""
    view = folded((0, began()), (0, started("")), (0, started("a")), *[(0, completed(f"b{n}")) for n in range(300)])
    skipped = [CheckpointSkipped(path=f"{top}c{n}", counts=Counts(read=n)) for n in range(50) for top in ("", "a/")]
    one_by_one = view
    for event in skipped:
        assert is_only_counted(view, event)
        one_by_one = seen(one_by_one, event, 0)

    together = counted(view, skipped)
    assert total(together) == total(one_by_one)
    assert branch_of(together, "a").folded == 50
    assert branch_of(together, "").folded == branch_of(view, "").folded + 50
    assert together.branches.keys() == view.branches.keys()


def test_what_a_view_shows_and_what_fits_into_it_is_not_only_counted() -> None:
    large = folded((0, began()), (0, started("")), *[(0, completed(f"b{n}")) for n in range(300)])
    assert not is_only_counted(folded((0, began())), CheckpointSkipped(path="c", counts=NO_ROWS))
    assert not is_only_counted(large, CheckpointSkipped(path="b299", counts=NO_ROWS))
    assert not is_only_counted(View(branches=large.branches | {}), CheckpointSkipped(path="", counts=NO_ROWS))


def test_a_small_tree_keeps_what_is_below_a_complete_checkpoint() -> None:
    view = folded((0, began()), (0, started("a")), (0, started("a/b")), (1, completed("a/b")), (2, completed("a")))

    assert [branch.path for _, branch in descent(view)] == ["a", "a/b"]


def test_passes_below_an_object_are_no_rows_of_their_own_however_many_there_are() -> None:
    view = seen(View(objects=frozenset({"customer"})), began(), 0)
    for number in range(KEPT_COMPLETE + 50):
        path = f"customer/recheck-{number}"
        view = seen(seen(view, started(path), 0), completed(path, Counts(read=2, loaded=2)), 0)
    view = seen(view, completed("customer", Counts(read=7, loaded=7)), 0)

    assert total(view) == Counts(read=7, loaded=7)
    assert branch_of(view, "customer").folded >= 50
