"""Counts the effects of one run and plays one fault at one of them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from milepost.clock import Clock
from milepost.crashtest.fault import Effect, Fault, Kind, Moment
from milepost.crashtest.journal import Journal
from milepost.errors import Retryable


class Injected(Exception):
    """An error that is nobody's: it stands for whatever may go wrong in a program."""


class Player:
    """Only what the main thread does is counted: the lease's renewals come when they come.

    ``sever`` breaks every connection of this process to a server, and says whether there was one.
    """

    def __init__(
        self, journal: Journal, fault: Fault | None, *, clock: Clock, stall_seconds: float, sever: Callable[[], bool]
    ) -> None:
        self.journal = journal
        self.fault = fault
        self.begun = False  # the run holds its lease
        self._clock = clock
        self._stall_seconds = stall_seconds
        self._sever = sever
        self._count = 0

    @contextmanager
    def effect(self, effect: Effect, about: str = "") -> Iterator[None]:
        """Around the effect itself."""
        number = self.before(effect, about)
        yield
        self.after(number)

    def before(self, effect: Effect, about: str) -> int:
        """Just before an effect; its number, 0 where it does not count."""
        if threading.current_thread() is not threading.main_thread():
            return 0
        self._count += 1
        self.journal.note(effect=effect, about=about)
        self._play(self._count, Moment.BEFORE)
        return self._count

    def after(self, number: int) -> None:
        """Just after the effect of that number."""
        self._play(number, Moment.AFTER)

    def read(self, rows: int) -> None:
        """The source gave rows. Those of the look before a run do not count."""
        if self.begun:
            self.journal.note(rows=rows)

    def _play(self, number: int, moment: Moment) -> None:
        fault = self.fault
        if fault is None or fault.number != number or fault.moment is not moment:
            return
        self.journal.note(fault=number)
        match fault.kind:
            case Kind.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Kind.SLEEP:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Kind.STALL:
                self._clock.sleep(self._stall_seconds)
            case Kind.ERROR:
                raise Injected(f"crashtest: an error {moment} effect {number}")
            case Kind.DROP:
                self._drop()
            case Kind.LOST_ANSWER:
                self._sever()
                raise Retryable("crashtest: the answer to a commit that was made is lost")

    def _drop(self) -> None:
        """What the call then meets is the driver's own error; a file has no connection that could be lost."""
        if not self._sever():
            raise Retryable("crashtest: the connection is lost")
