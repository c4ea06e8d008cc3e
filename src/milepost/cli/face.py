"""Where a run is shown: a live tree on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, TextIO

from milepost.cli.telling import announcement, line, progress
from milepost.cli.view import Branch, View, branch_of
from milepost.clock import Clock
from milepost.jobs.event import BatchCommitted, Event, PositionSaved

EVERY = 20.0  # seconds between two plain lines of progress
FRAMES = 5  # a second
STOPPING = "stopping at the next commit; press again to stop now"


class Face(Protocol):
    """Something that shows a run. ``view`` is the one after the event."""

    def show(self, event: Event, view: View) -> None: ...

    def say(self, text: str) -> None: ...

    def stopping(self) -> None:
        """Tell that the run will stop at the next commit. Called inside a signal handler."""
        ...

    def close(self) -> None: ...


def choose_face(*, live: bool, clock: Clock, hide: Callable[[str], str]) -> Face:
    """A live tree where standard error is a terminal that can move its cursor; ``live`` False: plain lines anyway."""
    if live and sys.stderr.isatty():
        from milepost.cli.live import LiveFace, can_move

        if can_move():
            return LiveFace(clock=clock, hide=hide)
    return PlainFace(sys.stderr, clock=clock, hide=hide)


class PlainFace:
    """Lines: one at each start and end of a checkpoint, and a few a minute in between."""

    def __init__(self, stream: TextIO, *, clock: Clock, hide: Callable[[str], str]) -> None:
        self.stream = stream
        self.clock = clock
        self.hide = hide
        self.latest = clock.monotonic()

    def show(self, event: Event, view: View) -> None:
        text = announcement(view, event) or line(view, event)
        if text is not None:
            self.say(text)
        elif isinstance(event, BatchCommitted | PositionSaved):
            self._progress(branch_of(view, event.path))

    def say(self, text: str) -> None:
        print(self.hide(text), file=self.stream, flush=True)

    def stopping(self) -> None:
        with suppress(OSError):  # nobody may read it any more
            os.write(2, f"{STOPPING}\n".encode())  # a buffered stream may be in the middle of a write

    def close(self) -> None:
        """Every line stands already."""

    def _progress(self, branch: Branch) -> None:
        now = self.clock.monotonic()
        if now - self.latest >= EVERY:
            self.latest = now
            self.say(progress(branch, now))
