"""What a run sees after a rewind."""

import pytest

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
