"""Durable steps with DBOS, as its guide has them: URL STEPS WARM [die | resume].

``die`` ends without a word when the steps are done; ``resume`` waits for what DBOS recovers by itself.
"""

from __future__ import annotations

import json
import os
import sys
import time

import sqlalchemy
from dbos import DBOS, SetWorkflowID

url, steps, warm, how = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), "".join(sys.argv[4:])
SETTINGS = {
    "sqlite": ("PRAGMA journal_mode", "PRAGMA synchronous"),
    "postgresql": ("SHOW fsync", "SHOW synchronous_commit"),
}
executed: list[int] = []
settings: list[object] = []


@sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
def look(connection: object, _record: object) -> None:
    cursor = connection.cursor()  # type: ignore[attr-defined]
    settings[:] = [cursor.execute(ask).fetchone()[0] for ask in SETTINGS[url.partition(":")[0]]]
    connection.rollback()  # type: ignore[attr-defined]


@DBOS.step()
def step(number: int) -> int:
    executed.append(number)
    return number


@DBOS.workflow()
def main(warm: int, steps: int) -> int:
    for number in range(warm):
        step(-1 - number)
    began_loop = time.monotonic()
    total = sum(step(number) for number in range(steps))
    ended = time.monotonic()
    seconds = {"loop": ended - began_loop, "run": ended - began}
    print(json.dumps({**seconds, "executed": len(executed), "settings": settings}), flush=True)
    if how:
        os._exit(0)
    return total


DBOS(config={"name": "steps", "system_database_url": url, "log_level": "ERROR", "application_version": "1"})
began = time.monotonic()
DBOS.launch()
if how == "resume":
    DBOS.retrieve_workflow("steps").get_result()
with SetWorkflowID("steps"):
    assert main(warm, steps) == sum(range(steps))
DBOS.destroy()
