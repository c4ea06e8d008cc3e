"""Run an example as people do, by the command, and look at what it told and left in its store."""

import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.wiring.open import open_store

MILEPOST = Path(sys.executable).with_name("milepost")


@dataclass(frozen=True)
class Outcome:
    """How a run ended, the events it told on standard output, and what it showed to people."""

    status: int
    events: list[dict[str, Any]]
    shown: str


@dataclass(frozen=True)
class Kept:
    """What a job's store holds, by the path of each object."""

    ledger: dict[str, list[Entry]]
    rejects: list[RejectedRow] = field(repr=False)

    def counts(self, path: str) -> Counts:
        return sum((entry.counts for entry in self.ledger[path]), Counts())

    def reasons(self, path: str) -> Counter[tuple[str, str]]:
        return Counter((reject.stage, reject.reason) for reject in self.rejects if reject.path == path)


def run(file: Path, *, source: str, target: str) -> Outcome:
    """`milepost run FILE --json`, to its end."""
    command = [str(MILEPOST), "run", str(file), "--source", source, "--target", target, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    return Outcome(done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr)


def kept(store_url: str, job: str) -> Kept:
    """The ledger and the rejects of the job; empty where no store was made yet."""
    store = open_store(store_url, create=False)
    if store is None:
        return Kept({}, [])
    with closing(store):
        paths = [record.path for record in store.checkpoints(job)]
        return Kept({path: list(store.ledger(job, path)) for path in paths}, list(store.rejects(job)))
