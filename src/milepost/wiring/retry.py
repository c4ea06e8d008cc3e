"""Run the rejected rows of a migration again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from milepost.errors import PlanError
from milepost.migration.migration import Migration


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What came of the rows that were tried again."""


def retry(migration: Migration, **_options: Any) -> Retried:
    """Try the rejected rows of the migration, or of the object ``only``, again.

    Options: ``urls``, ``only``, ``parameters``, ``emit``, ``stop``, ``clock``, as :func:`milepost.wiring.run.run`.
    """
    raise PlanError(f"{migration.name}: rejected rows cannot be tried again yet")
