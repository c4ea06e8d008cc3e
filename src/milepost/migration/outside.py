"""The Outside contract: the transactions of a target whose store is in another database, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from milepost.jobs.intent import Outcome
from milepost.jobs.state import JSON
from milepost.migration.source import Key


class Outside(Protocol):
    """Where one object's rows are committed apart from their checkpoint.

    One transaction of an object is open at a time, whoever begins it: a run that was taken over while it was stopped
    cannot commit one that it began before, once its successor has begun one.
    """

    def transaction(self, check_lease: Callable[[], None]) -> AbstractContextManager[Any]:
        """A transaction of the target's database, its connection given to the caller; committed durably at the end.

        Waits for an earlier run's that is still open, and ends it where it can, after ``check_lease`` said (by not
        raising) that this run may. Raises Retryable where it goes on. What is raised inside undoes all of it.
        """
        ...

    def holds(self, connection: Any, key: Key) -> bool:
        """Whether the table holds the row with that target key, as seen inside the transaction."""
        ...

    def token(self, connection: Any, key: Key | None) -> JSON:
        """By what ``settle`` can tell whether the open transaction was committed; None where nothing can tell.

        ``key`` is the target key of a row that the transaction wrote, if there is one.
        """
        ...

    def settle(self, connection: Any, token: JSON, key: Key | None) -> Outcome:
        """What became of the transaction of that token, which is over. When unsure, UNKNOWN."""
        ...

    def close(self) -> None:
        """Let go of the connection. Safe to call twice; a later transaction opens it again."""
        ...
