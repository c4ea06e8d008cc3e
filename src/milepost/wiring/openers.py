"""How a job's store and the ends of its objects come to be opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from milepost.jobs.store import Store
from milepost.migration.object import Object
from milepost.migration.outside import Outside
from milepost.migration.source import Source
from milepost.migration.target import Target
from milepost.wiring.ends import open_outside, open_source, open_target
from milepost.wiring.open import open_store


class OpenStore(Protocol):
    """As :func:`milepost.wiring.open.open_store`."""

    def __call__(self, url: str, *, create: bool) -> Store | None: ...


@dataclass(frozen=True, kw_only=True)
class Openers:
    """What opens them: by their URLs, unless somebody else's connectors, or wrapped ones, are to take their place."""

    store: OpenStore = open_store
    source: Callable[[Object, str | None], Source] = open_source
    target: Callable[[Object, str | None], Target] = open_target
    outside: Callable[[Object, str | None, str], Outside] = open_outside


BY_URL = Openers()
