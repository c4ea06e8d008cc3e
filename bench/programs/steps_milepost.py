"""Durable steps with Milepost: URL STEPS WARM [die] [drawn].

The first WARM steps are not timed. ``die`` ends without a word when the steps are done. ``drawn`` runs the job as a
user's own file does, with the tree on standard error; without it nobody draws, as nobody does with DBOS.
"""

from __future__ import annotations

import json
import os
import sys
import time

from milepost import Checkpoint, Job
from milepost.wiring.run import run

url, steps, warm, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
job = Job("steps", store=url)
SETTINGS = {
    "sqlite": ("PRAGMA journal_mode", "PRAGMA synchronous"),
    "postgresql": ("SHOW fsync", "SHOW synchronous_commit"),
}
executed: list[int] = []


@job.step
def step(cp: Checkpoint, number: int) -> int:  # noqa: ARG001 - as users write it
    executed.append(number)
    return number


@job.main
def main(cp: Checkpoint) -> int:
    for number in range(warm):
        step(-1 - number)
    began_loop = time.monotonic()
    total = sum(step(number) for number in range(steps))
    ended = time.monotonic()
    with cp.transaction() as connection:
        settings = [connection.execute(ask).fetchone()[0] for ask in SETTINGS[url.partition(":")[0]]]
    seconds = {"loop": ended - began_loop, "run": ended - began}
    print(json.dumps({**seconds, "executed": len(executed), "settings": settings}), flush=True)
    if "die" in how:
        os._exit(0)
    return total


began = time.monotonic()
if "drawn" in how:
    job.run()
else:
    assert run(job) == sum(range(steps))
