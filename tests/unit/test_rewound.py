"""What a run sees after a rewind."""

import pytest

from milepost.jobs.event import RunStarted
from milepost.jobs.runner import run
from milepost.jobs.state import REWOUND
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock


def test_a_job_whose_step_was_rewound_goes_on_and_is_told_so() -> None:
    store, seen = MemoryStore(ManualClock()), []

    def main(cp):
        seen.append((cp.recovering, cp.failure))
        return [cp.call(name, lambda below: seen.append((below.path, below.failure)) or 1) for name in ("a", "b")]

    run("job", main, store=store)
    lease = store.acquire("job", holder="me", ttl=60.0)
    assert store.rewind(lease, "a") == 1
    store.release(lease, outcome="rewound")
    assert run("job", main, store=store) == [1, 1]
    assert seen == [(False, None), ("a", None), ("b", None), (True, REWOUND), ("a", None)]
    assert [each.outcome for each in store.runs("job")] == ["complete", "rewound", "complete"]
    assert run("job", pytest.fail, store=store) == [1, 1]


def test_the_time_since_a_failed_run_is_not_counted_from_a_rewind_after_it() -> None:
    clock, told = ManualClock(), []
    store = MemoryStore(clock)

    def rewind(path: str) -> None:
        lease = store.acquire("job", holder="me", ttl=60.0)
        store.rewind(lease, path)
        store.release(lease, outcome="rewound")

    def main(cp):
        cp.call("a", lambda below: None)
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        run("job", main, store=store)
    clock.advance(600)
    rewind("a")
    rewind("b")
    clock.advance(2)
    run("job", lambda cp: cp.call("a", lambda below: 1), store=store, emit=told.append)
    clock.advance(600)
    rewind("a")
    clock.advance(3)
    run("job", lambda cp: cp.call("a", lambda below: 1), store=store, emit=told.append)

    assert [each.paused_for for each in told if isinstance(each, RunStarted)] == [602.0, 3.0]
