"""Runs a job of cases/ under which the power fails: the program that the power-loss tests start.

Usage: power_loss_program.py SPEC (JSON): {"file", "folder", "source", "target", "store", "fail_at", "seed",
"synchronous"}. Where fail_at is null the power fails elsewhere.
It prints each event of the run when it is told of it, one a line; at the end, how many points and syncs there were.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from power_loss import PowerSupply, library_in_use

from milepost.databases import postgres, sqlite
from milepost.jobs.event import Event
from milepost.wiring.find import find
from milepost.wiring.run import Urls, run


def print_event(event: Event) -> None:
    line = json.dumps({"event": type(event).__name__, **asdict(event)}, default=str)
    os.write(1, f"{line}\n".encode())


def weaken(synchronous: str) -> None:
    """Make the product ask for fewer fsyncs than it does: what the tests must catch."""
    settle, settle_postgres = sqlite._settle, postgres._settle

    def weakly(connection, busy_seconds):
        settle(connection, busy_seconds)
        connection.execute(f"PRAGMA synchronous={synchronous}")

    def weakly_in_postgres(connection, read_only):
        settle_postgres(connection, read_only)
        connection.execute("SET synchronous_commit = off")

    sqlite._settle, postgres._settle = weakly, weakly_in_postgres


if __name__ == "__main__":
    spec = json.loads(sys.argv[1])
    sys.unraisablehook = lambda told: (sys.__unraisablehook__(told), os._exit(70))  # an error inside the VFS
    power = PowerSupply(spec["fail_at"] or 0, spec["seed"])
    if spec["fail_at"] is not None:
        power.connect(library_in_use())
    if spec["synchronous"]:
        weaken(spec["synchronous"])
    file = Path(spec["file"])
    os.chdir(spec["folder"])
    run(find(str(file)), urls=Urls(source=spec["source"], target=spec["target"], store=spec["store"]), emit=print_event)
    print(json.dumps({"points": power.points, "syncs": power.syncs}))
