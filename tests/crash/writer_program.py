"""A migration that writes into each row who it is, and takes its time. Its status says how it ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from broken_engines import EpochUnchecked

from milepost import Migration, Table
from milepost.clock import SystemClock
from milepost.errors import LeaseHeld, LeaseLost, Retryable
from milepost.jobs.event import Event
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Entry, RejectedRow
from milepost.jobs.retry import Patience
from milepost.wiring.open import open_store
from milepost.wiring.openers import BY_URL, Openers
from milepost.wiring.run import Urls, run

CLOCK = SystemClock()
COMPLETE, REFUSED, LOST, BUSY = 0, 3, 4, 5  # busy: the file is locked by a transaction of the other
SOON = Patience(tries=10_000, first=0.001, longest=0.05)


class Unfenced(EpochUnchecked):
    """And no batch is out of order, so that not even the ledger tells two writers apart."""

    def append(self, lease: Lease, entry: Entry, rejects: Sequence[RejectedRow] = ()) -> None:
        following = self._store.get(lease.job, entry.path).batches + 1
        super().__getattr__("append")(lease, replace(entry, seq=following), rejects)


UNFENCED = Openers(store=lambda url, *, create: (store := open_store(url, create=create)) and Unfenced(store))


def main(urls: dict[str, str | None], lease: float, pace: float, go: str | None, unfenced: bool) -> int:
    """``pace``: seconds for a batch. ``go``: a file to wait for, so that others begin at the same instant."""
    crm = Migration("crm", batch_rows=10, **urls)

    @crm.object(source=Table("items", key="no"), target=Table("item", key="no"))
    def item(row: dict[str, Any]) -> dict[str, Any]:
        if row["no"] % 10 == 0:
            CLOCK.sleep(pace)
        return {"no": row["no"], "writer": os.getpid()}

    while go is not None and not Path(go).exists():
        CLOCK.sleep(0.0005)
    try:
        run(crm, urls=Urls(), emit=tell, lease_seconds=lease, patience=SOON, openers=UNFENCED if unfenced else BY_URL)
    except LeaseHeld as error:
        print("refused:", error, flush=True)
        return REFUSED
    except LeaseLost as error:
        print("lost:", error, flush=True)
        return LOST
    except Retryable as error:
        if "is locked by another program" not in str(error):
            raise
        print("busy:", error, flush=True)
        return BUSY
    return COMPLETE


def tell(event: Event) -> None:
    print(type(event).__name__, event, flush=True)
