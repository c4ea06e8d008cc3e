"""Asking a run to stop: Ctrl-C and SIGTERM set a flag that is looked at after every commit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """A request to stop after the next commit. May be made from any thread or signal handler."""

    def __init__(self) -> None:
        self._requested = False

    @property
    def requested(self) -> bool:
        return self._requested

    def request(self) -> None:
        self._requested = True


@contextmanager
def catch_signals(stop: Stop, on_request: Callable[[], None] | None = None) -> Iterator[None]:
    """While open, the first SIGINT or SIGTERM requests the stop and calls ``on_request``; the second raises.

    The second raises KeyboardInterrupt where the program is. A signal that the parent process had ignored stays
    ignored. Outside the main thread, where Python lets nobody set handlers, nothing is caught.
    """

    def handle(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signature of a handler
        if stop.requested:
            raise KeyboardInterrupt(signal.Signals(signum).name)
        stop.request()
        if on_request is not None:
            on_request()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in caught}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
