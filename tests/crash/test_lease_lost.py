"""The lease is lost in the middle of a batch: another run took the epoch while the rows were being restructured."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Pair
from milepost import Migration, Table
from milepost.errors import LeaseLost
from milepost.jobs.event import BatchCommitted, Event, RunEnded
from milepost.wiring.open import open_store
from milepost.wiring.run import run

ROWS = 100


class Numbers:
    """Numbers in batches of ten; ``at`` is called with the first of the fourth batch."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.prefix = "milepost_" if pair.target.url.startswith("sqlite") else "milepost."
        pair.source.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        pair.source.insert("numbers", [(n,) for n in range(1, ROWS + 1)])
        pair.target.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
        self.at: Any = None
        self.crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=10)

        @self.crm.object(source=Table("numbers", key="n"), target=Table("number", key="n"))
        def number(row: dict[str, Any]) -> dict[str, Any]:
            if row["n"] == 31 and self.at is not None:
                at, self.at = self.at, None
                at()
            return row

    def arrived(self) -> list[int]:
        return [n for (n,) in self.pair.target.rows("SELECT n FROM number ORDER BY n")]

    def epochs(self) -> list[tuple[int, int]]:
        """The epoch of every batch, by plain SQL."""
        return self.pair.target.rows(f"SELECT seq, epoch FROM {self.prefix}ledger ORDER BY seq")


@pytest.fixture
def numbers(pair: Pair) -> Numbers:
    return Numbers(pair)


def test_a_batch_under_an_old_epoch_is_not_committed(numbers: Numbers) -> None:
    def take_over() -> None:
        numbers.pair.target.execute(f"UPDATE {numbers.prefix}job SET epoch = epoch + 1")

    events: list[Event] = []
    numbers.at = take_over
    with pytest.raises(LeaseLost) as lost:
        run(numbers.crm, emit=events.append)
    assert "See `milepost status`" in (lost.value.hint or "")
    assert numbers.arrived() == list(range(1, 31))
    assert numbers.epochs() == [(1, 1), (2, 1), (3, 1)]
    assert len([event for event in events if isinstance(event, BatchCommitted)]) == 3
    assert [event.outcome for event in events if isinstance(event, RunEnded)] == ["failed"]


def test_what_took_over_goes_on_and_the_old_run_adds_nothing(numbers: Numbers) -> None:
    """The other run does all of the rest while the first is in its fourth batch."""
    settings: dict[str, Any] = {"lease_seconds": 3600}

    def take_over() -> None:
        numbers.pair.target.execute(  # as if it had ended
            f"UPDATE {numbers.prefix}job SET held = (1 = 0)", f"UPDATE {numbers.prefix}run SET ended_at = seen_at"
        )
        run(numbers.crm, **settings)
        assert numbers.arrived() == list(range(1, ROWS + 1))

    numbers.at = take_over
    with pytest.raises(LeaseLost):
        run(numbers.crm, **settings)
    assert numbers.arrived() == list(range(1, ROWS + 1))
    assert numbers.epochs() == [(seq, 1 if seq <= 3 else 2) for seq in range(1, 11)]
    store = open_store(numbers.pair.target.url, create=False)
    assert store is not None
    assert [(each.epoch, each.outcome) for each in store.runs("crm")] == [(1, None), (2, "complete")]
    store.close()
