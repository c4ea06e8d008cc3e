"""The thread that keeps the lease."""

import threading
from datetime import timedelta

from milepost.errors import LeaseLost, Retryable
from milepost.jobs.heartbeat import Heartbeat
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock


class Renewing:
    """A store of which only ``renew`` is used: it raises what it is given, in turn, and then says that it is done."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.done = threading.Event()
        self.renewed = 0

    def renew(self, lease) -> None:
        self.renewed += 1
        answer = self.answers.pop(0) if self.answers else None
        if not self.answers:
            self.done.set()
        if answer is not None:
            raise answer


def lease(ttl: float = 60.0):
    return MemoryStore(ManualClock()).acquire("job", holder="here", ttl=ttl)


def test_a_beat_extends_the_lease() -> None:
    clock = ManualClock()
    store = MemoryStore(clock)
    held = store.acquire("job", holder="here", ttl=60)
    clock.advance(40)
    Heartbeat(store, held).beat()
    assert store.runs("job")[0].lease_until == clock.now() + timedelta(seconds=60)


def test_a_lost_lease_is_kept_for_the_next_boundary() -> None:
    heartbeat = Heartbeat(Renewing(LeaseLost("taken over")), lease())
    heartbeat.beat()
    assert str(heartbeat.lost) == "taken over"
    assert heartbeat.trouble is None


def test_a_passing_fault_is_told_and_forgotten_when_it_passed() -> None:
    heartbeat = Heartbeat(Renewing(Retryable("no answer"), None), lease())
    heartbeat.beat()
    assert str(heartbeat.trouble) == "no answer"
    assert heartbeat.lost is None
    heartbeat.beat()
    assert heartbeat.trouble is None


def test_the_thread_goes_on_beating_after_a_fault_and_ends_with_the_run() -> None:
    store = Renewing(Retryable("no answer"), None, None)
    with Heartbeat(store, lease(ttl=0.003)) as heartbeat:
        assert store.done.wait(30)
    assert heartbeat.lost is None
    assert not heartbeat._thread.is_alive()
    assert store.renewed >= 3


def test_the_lease_is_renewed_every_third_of_its_time() -> None:
    waited = []

    class Ended:
        def wait(self, seconds):
            waited.append(seconds)
            return len(waited) == 3

    store = Renewing()
    heartbeat = Heartbeat(store, lease(ttl=60))
    heartbeat._ended = Ended()
    heartbeat._run()
    assert waited == [20, 20, 20]
    assert store.renewed == 2


def test_the_thread_stops_beating_once_the_lease_is_lost() -> None:
    store = Renewing(LeaseLost("taken over"))
    with Heartbeat(store, lease(ttl=0.003)) as heartbeat:
        assert store.done.wait(30)
        heartbeat._thread.join(30)
        assert not heartbeat._thread.is_alive()
    assert store.renewed == 1


def test_after_a_fault_the_lease_is_renewed_more_often_until_it_goes_through() -> None:
    waited = []

    class Ended:
        def wait(self, seconds):
            waited.append(seconds)
            return len(waited) == 5

    heartbeat = Heartbeat(Renewing(None, Retryable("no answer"), Retryable("nor now"), None), lease(ttl=60))
    heartbeat._ended = Ended()
    heartbeat._run()
    assert waited == [20, 20, 2, 2, 20]


def test_faults_in_a_row_are_told_once() -> None:
    heartbeat = Heartbeat(Renewing(Retryable("no answer"), Retryable("nor now"), None, Retryable("again")), lease())
    seen = []
    for _ in range(4):
        heartbeat.beat()
        seen.append(heartbeat.trouble and str(heartbeat.trouble))
        heartbeat.trouble = None  # as the session does that tells it
    assert seen == ["no answer", None, None, "again"]
