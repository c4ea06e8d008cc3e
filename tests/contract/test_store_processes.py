"""Who may write, between real processes: a holder that lives, is killed, is stopped."""

import signal
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from milepost.clock import SystemClock
from milepost.errors import LeaseHeld
from milepost.jobs.state import Record, State
from milepost.wiring.open import open_store

LONG, SHORT = 3600.0, 1.0


@pytest.fixture(params=["sqlite", "postgres"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def hold(url):
    """Start a process that holds the job; ask it to write with ``tell``."""
    processes = []

    def start(ttl):
        command = [sys.executable, str(Path(__file__).with_name("store_holder.py")), url, "crm", str(ttl)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def store(url):
    store = open_store(url, create=True)
    yield store
    store.close()


def tell(process, word):
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def paths(store):
    return [record.path for record in store.checkpoints("crm")]


def test_a_second_process_is_refused_at_once_even_while_the_first_is_in_a_batch(store, hold):
    holder = hold(LONG)
    assert tell(holder, "begin") == "written"
    until = f"{store.runs('crm')[0].lease_until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    with pytest.raises(LeaseHeld, match="holder:1") as refused:
        store.acquire("crm", holder="me", ttl=LONG)
    assert until in str(refused.value)


@pytest.mark.parametrize("word", ["alone", "begin"])
def test_after_a_kill_the_next_process_takes_over_at_once(store, hold, word):
    holder = hold(LONG)
    assert tell(holder, word) == "written"
    holder.kill()
    holder.wait()
    lease = store.acquire("crm", holder="me", ttl=LONG)  # an hour before the lease lapses
    assert lease.epoch == 2
    assert paths(store) == (["alone"] if word == "alone" else [])
    store.put(lease, Record(path="next", state=State.STARTED, attempt=1))


def test_a_stopped_holder_is_taken_over_when_its_lease_lapsed_and_then_cannot_write(store, hold):
    holder = hold(SHORT)
    assert tell(holder, "before") == "written"
    holder.send_signal(signal.SIGSTOP)
    with pytest.raises(LeaseHeld):
        store.acquire("crm", holder="me", ttl=LONG)
    SystemClock().sleep(SHORT + 0.2)
    lease = store.acquire("crm", holder="me", ttl=LONG)
    holder.send_signal(signal.SIGCONT)
    assert tell(holder, "after") == "LeaseLost"
    assert paths(store) == ["before"]
    store.put(lease, Record(path="mine", state=State.STARTED, attempt=1))
    third = open_store(store.url, create=True) if store.url.startswith("sqlite") else None
    if third:  # the stopped one's lock hides nobody: the successor is seen to live
        with pytest.raises(LeaseHeld):
            third.acquire("crm", holder="third", ttl=LONG)
        third.close()


def test_postgres_ends_the_open_transaction_of_a_stopped_holder_whose_lease_lapsed(postgres_url):
    command = [sys.executable, str(Path(__file__).with_name("store_holder.py")), postgres_url, "crm", "0.5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert tell(holder, "begin") == "written"
        holder.send_signal(signal.SIGSTOP)
        store = open_store(postgres_url, create=True)
        try:
            SystemClock().sleep(0.6)
            assert store.acquire("crm", holder="me", ttl=LONG).epoch == 2
            assert paths(store) == []
            holder.send_signal(signal.SIGCONT)
            assert tell(holder, "after") in ("Retryable", "LeaseLost")
            assert paths(store) == []
        finally:
            holder.kill()
            store.close()


def test_processes_that_make_the_store_at_the_same_time_all_succeed(url):
    program = (
        "import sys; from milepost.wiring.open import open_store; sys.stdin.readline();"
        "s = open_store(sys.argv[1], create=True); s.acquire(sys.argv[2], holder='h', ttl=9).job; s.close()"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, url, f"job {number}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate(timeout=60)[1] for racer in racers]
    assert said == [""] * 6
    store = open_store(url, create=False)
    assert store.jobs() == [f"job {number}" for number in range(6)]
    store.close()
