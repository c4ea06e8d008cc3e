"""A month-end job that leaves traces of all it does: the program that the crash tests kill.

Usage: jobs_program.py FOLDER STORE_URL DIE_AT. It kills itself with SIGKILL at marker DIE_AT (0: never). Markers stand
before and after every call of the store, every commit, and between the lines of the steps. It prints "ready" when it
begins, and at the end how many markers it passed.
"""

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from milepost.jobs.job import Job
from milepost.jobs.runner import run
from milepost.jobs.store import Store
from milepost.stores.sqlite import SqliteStore
from milepost.wiring.open import open_store

REGIONS = ("EMEA", "APAC")
ITEMS = 5
SIZE = 2

folder, url, die_at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sign = "?" if url.startswith("sqlite") else "%s"
passed = 0
job = Job("month-end")


def marker() -> None:
    global passed  # noqa: PLW0603  # one counter for the whole process
    passed += 1
    if passed == die_at:
        os.kill(os.getpid(), signal.SIGKILL)


def trace(name: str, line: str) -> None:
    """Tell the world outside, which takes nothing back."""
    with (folder / name).open("a") as file:
        file.write(f"{line}\n")
    marker()


class Marked:
    """The store, with a marker before and after every call."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str):
        found = getattr(self._store, name)
        return (lambda *args, **kwargs: self._call(found, *args, **kwargs)) if callable(found) else found

    def _call(self, function, *args, **kwargs):
        marker()
        answer = function(*args, **kwargs)
        marker()
        return answer

    @contextmanager
    def transaction(self, lease):
        marker()
        with self._store.transaction(lease) as connection:
            yield connection
            marker()
        marker()


def tell_beginning(cp) -> None:
    trace("bodies", cp.path)


@job.step
def token(cp):
    tell_beginning(cp)
    first = cp.once("token", lambda: os.urandom(8).hex())
    trace("tokens", first)
    return first


@job.step
def load(cp, region):
    """Rows that commit with the position: exactly once."""
    tell_beginning(cp)
    for item in range(cp.position or 0, ITEMS):
        with cp.transaction() as connection:
            connection.execute(
                f"INSERT INTO loaded VALUES ({sign}, {sign}, {sign})", (region, item, cp.now.isoformat())
            )
            marker()
            cp.save(item + 1)
    return ITEMS


@job.step
def send(cp, region):
    """Lines that somebody else takes, in batches: at most a batch again for each death."""
    tell_beginning(cp)
    for batch in cp.each(range(cp.position or 0, ITEMS), size=SIZE, position=lambda last: last + 1):
        for item in batch:
            trace("sent", f"{region} {item}")


@job.step
def sheet(cp, book, number):
    tell_beginning(cp)
    trace(book, f"sheet {number}")
    return number


@job.step
def convert(cp, book):
    """A file that must not exist when it begins."""
    tell_beginning(cp)
    if (folder / book).exists():
        raise AssertionError(f"{book} is half converted and was not rolled back")
    trace(book, "head")
    cp.save("head")
    return [sheet(book, number) for number in range(2)]


@convert.rollback
def undo(cp, book):
    trace("undone", cp.path)
    (folder / book).unlink(missing_ok=True)
    marker()


@job.step
def close(cp, month):
    tell_beginning(cp)
    return [[load(region), send(region)] for region in REGIONS]


@job.main
def main():
    return [token(), convert("sales.xlsx"), close("2026-10"), token()]


def prepare(store: Store) -> None:
    lease = store.acquire("prepare", holder="test", ttl=60)
    with store.transaction(lease) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS loaded (region TEXT, item INTEGER, now TEXT)")
    store.release(lease, outcome="complete")


if __name__ == "__main__":
    store = open_store(url, create=True)
    if isinstance(store, SqliteStore):
        store._connection.execute("PRAGMA synchronous=OFF")  # a kill is no power cut, and fsyncs take most of the time
    prepare(store)
    print("ready", flush=True)  # the test waits for it
    run(job.name, job.body, store=Marked(store))
    store.close()
    print(passed)
