"""A child that a user's step forked outlives the run: nobody may take the child for the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from milepost.errors import LeaseHeld
from milepost.wiring.open import open_store

HOUR = 3600

# Forks while the lease is held and a transaction is open, and waits for its end: the child in "leave", else the parent.
PROGRAM = f"""
import os, sys
from milepost.jobs.state import Record, State
from milepost.wiring.open import open_store

store = open_store(sys.argv[1], create=True)
lease = store.acquire("crm", holder="parent", ttl={HOUR})
with store.transaction(lease):
    store.put(lease, Record(path="open", state=State.STARTED, attempt=1))
    child = os.fork()
    if child == 0:
        if sys.argv[2] == "outlives":
            print("forked", flush=True)
            os.read(0, 1)
        sys.exit()  # not os._exit: the interpreter clears away what it has
    if sys.argv[2] == "outlives":
        os.read(0, 1)
    os.waitpid(child, 0)
store.renew(lease)
store.put(lease, Record(path="after", state=State.STARTED, attempt=1))
print("written", flush=True)
os.read(0, 1)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return request.getfixturevalue("postgres_url")


def start(url: str, child: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, url, child]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_forked_child_does_not_keep_the_lease_of_its_killed_parent(url: str) -> None:
    with start(url, "outlives") as parent:
        assert said(parent) == "forked\n"
        os.kill(parent.pid, signal.SIGKILL)
        os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
        store = open_store(url, create=True)
        assert store is not None
        with closing(store):
            assert store.is_dead("crm")
            assert store.acquire("crm", holder="next", ttl=HOUR).epoch == 2  # an hour before the lease lapses
            assert store.checkpoints("crm") == []


def test_a_child_that_ends_takes_nothing_from_its_parent(url: str) -> None:
    with start(url, "ends first") as parent:
        assert said(parent) == "written\n"
        store = open_store(url, create=True)
        assert store is not None
        with closing(store), pytest.raises(LeaseHeld):
            store.acquire("crm", holder="next", ttl=HOUR)
