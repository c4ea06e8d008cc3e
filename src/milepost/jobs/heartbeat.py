"""Keeping the lease: a thread that renews it until the run ends."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from milepost.errors import LeaseLost
from milepost.jobs.lease import Lease
from milepost.jobs.store import Store

PATIENCE = 5.0  # seconds that the end of a run waits for a renewal under way
WELL, ILL = 3, 30  # how often the lease is renewed within its ttl, and how often where the last time failed


class Heartbeat:
    """Renews the lease every third of its ttl while open.

    ``lost`` is set once another run has taken over. The first of any other errors in a row is kept in ``trouble``, for
    somebody to take and tell, until a renewal goes through again: it may pass, and if it does not, the epoch that
    every commit checks keeps the work safe. Until then it is tried more often, since a lock that proves that this run
    lives may be gone with its connection.
    """

    def __init__(self, store: Store, lease: Lease) -> None:
        self.lost: LeaseLost | None = None
        self.trouble: Exception | None = None
        self.well = True  # the last renewal went through
        self._store = store
        self._lease = lease
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"milepost heartbeat {lease.job}", daemon=True)

    def beat(self) -> None:
        """Renew once."""
        try:
            self._store.renew(self._lease)
            self.well, self.trouble = True, None
        except LeaseLost as error:
            self.lost = error
        except Exception as error:  # noqa: BLE001  # whatever a driver raises is reported at the next boundary
            if self.well:
                self.well, self.trouble = False, error

    def _run(self) -> None:
        while self.lost is None and not self._ended.wait(self._lease.ttl / (WELL if self.well else ILL)):
            self.beat()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)
