"""Tries the rejected rows of the shop of `retry_data` again: the program that the tests kill.

Usage: retry_program.py SPEC (JSON): {"source", "target", "store", "die_at"}. It kills itself at point `die_at` (0:
never): before and after each write of the store, each commit, and each load. It prints how many points it passed.
"""

import json
import os
import signal
import sys
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from milepost.crashtest.wrapped import STORE_WRITES
from milepost.wiring.openers import BY_URL, Openers
from milepost.wiring.retry import retry
from retry_data import migration

spec = json.loads(sys.argv[1])
passed = 0


def point():
    global passed  # noqa: PLW0603 - one counter for the whole process
    passed += 1
    if passed == spec["die_at"]:
        os.kill(os.getpid(), signal.SIGKILL)


class Mortal:
    """A store or a target; it may die before and after each of its writes, and around each commit."""

    def __init__(self, wrapped, writes):
        self._wrapped = wrapped
        self._writes = writes

    def __getattr__(self, name):
        member = getattr(self._wrapped, name)
        return partial(self._write, member) if name in self._writes else member

    def _write(self, write, *arguments, **settings):
        point()
        answer = write(*arguments, **settings)
        point()
        return answer

    @contextmanager
    def transaction(self, *arguments):
        with self._wrapped.transaction(*arguments) as connection:
            yield connection
            point()
        point()


def mortal(openers):
    def store(url, *, create):
        opened = openers.store(url, create=create)
        return Mortal(opened, STORE_WRITES) if create and opened is not None else opened

    return Openers(
        store=store,
        source=openers.source,
        target=lambda *given: Mortal(openers.target(*given), {"load", "update", "draw_ids"}),
        outside=lambda *given: Mortal(openers.outside(*given), ()),
    )


if __name__ == "__main__":
    crm = migration(spec["source"], spec["target"], spec["store"])
    retry(crm, openers=mortal(BY_URL))
    print(passed)
