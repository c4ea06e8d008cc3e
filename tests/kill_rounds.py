"""Kill a migration at random moments, run it again each time, and look from outside whether it goes on where it was.

What is looked at: the ledger in the store (it only grows, its ranges join, nothing is counted twice), the events of
each run (it starts at the ledger's last position, with the next batch), and the statements that reached the source.

A test has one round of twenty kills. MILEPOST_CRASH_ROUNDS=20 makes it twenty, each with a seed of its own and a
migration from scratch; MILEPOST_CRASH_SEEDS="1 2" repeats rounds by the seeds that they printed.
"""

import json
import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from milepost.jobs.ledger import Entry
from run_example import Outcome, kept

Ledger = dict[str, list[Entry]]
KILLED = -9
KILLS = 20
QUERIES = 2  # for each object in each run: one that tries the function on the next three rows, one that streams
GIVEN_SEEDS = [int(seed) for seed in os.environ.get("MILEPOST_CRASH_SEEDS", "").split()]
ROUNDS = range(len(GIVEN_SEEDS) or int(os.environ.get("MILEPOST_CRASH_ROUNDS", "1")))


class Watched(Protocol):
    """A source that tells what it was asked."""

    def readings(self, table: str) -> list[str]:
        """The statements that read rows of the table in the order of their key, since the last `forget`."""
        ...

    def touching(self, table: str) -> list[str]:
        """The statements that read rows of the table in any way, be it to count them, since the last `forget`.

        What names the table only to learn its columns (LIMIT 0) is not among them.
        """
        ...

    def begins_after(self, reading: str, key: Sequence[Any]) -> bool:
        """Whether the statement asks only for rows behind that key."""
        ...

    def forget(self) -> None:
        """Start counting anew."""
        ...


@dataclass(frozen=True)
class Trial:
    """A migration to be killed. `tables` are its objects' source tables; `batches` how many batches it has in all."""

    job: str
    command: Sequence[str]
    store: str
    tables: Mapping[str, str]
    batches: int
    source: Watched


@dataclass(frozen=True)
class Moment:
    """When to kill: `seconds` after so many batches were committed by this run (0: after its process was started).

    At the latest when it has committed `most`, so that something is left for the kills that follow.
    """

    batches: int
    seconds: float
    most: int


def drawn(chance: random.Random, left: int, kills: int) -> Moment:
    """A random moment of a run that has `left` batches before it, and of `kills` kills is the next to be killed."""
    most = left - kills
    batches = chance.randint(0, max(0, min(most, 2 * left // (kills + 3))))
    longest = 0.12 if batches else 0.8 if most > 0 else 0.15  # about a batch; a start and some batches; half a start
    return Moment(batches, chance.uniform(0.0, longest), most)


def kill_and_resume(trial: Trial, round_: int, kills: int = KILLS) -> None:
    """Kill it so often, each time at a random moment of a run that goes on from the one before; then let it end."""
    seed = GIVEN_SEEDS[round_] if GIVEN_SEEDS else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    known: Ledger = {path: [] for path in trial.tables}
    for left in range(kills, 0, -1):
        done = sum(len(entries) for entries in known.values())
        moment = drawn(chance, trial.batches - done, left)
        outcome = run_until(trial.command, moment)
        assert outcome.status == KILLED, f"{moment} was too late to kill it: {outcome.shown}"
        known = checked(trial, known, outcome)
        print(f"killed {moment}: { {path: len(entries) for path, entries in known.items()} }")
    outcome = run_until(trial.command, None)
    assert outcome.status == 0, outcome.shown
    checked(trial, known, outcome)


def run_again_when_complete(trial: Trial) -> None:
    """It must say so, and ask the source for nothing that makes it read rows, not even how many there are."""
    known = ledger(trial)
    trial.source.forget()
    began = time.monotonic()
    outcome = run_until(trial.command, None)
    print(f"a run of what is complete took {time.monotonic() - began:.2f} s")
    assert outcome.status == 0, outcome.shown
    assert [event for event in outcome.events if is_batch(event)] == []
    assert {path: trial.source.touching(table) for path, table in trial.tables.items()} == {
        path: [] for path in trial.tables
    }
    assert ledger(trial) == known


def run_until(command: Sequence[str], moment: Moment | None) -> Outcome:
    """Run the command, to its end or until it is killed at the moment."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = list(process.stdout) if moment is None else list(lines_until_killed(process, moment))
        shown = process.stderr.read()
    whole = [line for line in lines if line.endswith("\n")]  # the last one may have been cut by the kill
    return Outcome(process.returncode, [json.loads(line) for line in whole], shown)


def lines_until_killed(process: "subprocess.Popen[str]", moment: Moment) -> Iterator[str]:
    """What the process writes until it is dead."""
    assert process.stdout is not None
    killer = threading.Timer(moment.seconds, process.kill)
    batches = 0
    if moment.batches == 0:
        killer.start()
    for line in process.stdout:
        yield line
        if '"batch_committed"' in line:
            batches += 1
            if batches == moment.batches:
                killer.start()
            if batches >= moment.most:
                process.kill()
    killer.cancel()


def checked(trial: Trial, before: Ledger, outcome: Outcome) -> Ledger:
    """Look at what a run did, given the ledger that was there before it; the ledger it left."""
    after = ledger(trial)
    for path, table in trial.tables.items():
        entries, held = after[path], found_by(outcome, after[path])
        assert entries[: len(before[path])] == before[path], f"{path}: the ledger was rewritten"
        ranges_join(path, entries)
        starts_at_the_ledger(path, held, outcome)
        readings = trial.source.readings(table)
        assert readings or entries == held, f"{path}: rows came from nowhere, so the source was not watched"
        assert len(readings) <= QUERIES, f"{path}: {len(readings)} queries in one run: {readings}"
        ends = [known[-1].high for known in (before[path], held) if known]
        for reading in readings if before[path] else []:
            assert any(trial.source.begins_after(reading, end) for end in ends), f"{path} after {ends}: {reading}"
    trial.source.forget()
    return after


def found_by(outcome: Outcome, entries: list[Entry]) -> list[Entry]:
    """The batches that were in the ledger when the run took the lease: those of earlier epochs.

    A server may commit for a client that is dead already, after the ledger was looked at.
    """
    epoch = next((event["epoch"] for event in outcome.events if event["event"] == "run_started"), None)
    return [entry for entry in entries if epoch is None or entry.epoch < epoch]


def ledger(trial: Trial) -> Ledger:
    """The ledger of each object; empty where there is none, or no store yet."""
    entries = kept(trial.store, trial.job).ledger
    return {path: entries.get(path, []) for path in trial.tables}


def ranges_join(path: str, entries: Sequence[Entry]) -> None:
    """Batch after batch, without gap and without overlap."""
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1)), path
    assert [entry.low for entry in entries] == [None, *(entry.high for entry in entries[:-1])][: len(entries)], path
    assert [entry.epoch for entry in entries] == sorted(entry.epoch for entry in entries), path


def starts_at_the_ledger(path: str, held: Sequence[Entry], outcome: Outcome) -> None:
    """The run told that it starts where the ledger ends, and committed the next batches only."""
    position = held[-1].high if held else None
    for event in outcome.events:
        if event["event"] == "checkpoint_started" and event["path"] == path:
            assert event["position"] == position, f"{path} started at {event['position']}, not at {position}"
    batches = [event["seq"] for event in outcome.events if is_batch(event) and event["path"] == path]
    assert batches == list(range(len(held) + 1, len(held) + 1 + len(batches))), path


def is_batch(event: Mapping[str, Any]) -> bool:
    return event["event"] == "batch_committed"


def reads_rows(statement: str, table: str) -> bool:
    """Whether the statement makes the database read rows of the table, a regular expression for its quoted name."""
    return bool(re.search(rf"\b(FROM|JOIN)\s+{table}", statement)) and " LIMIT 0" not in statement


class TracedFile:
    """A SQLite source: what `traced_milepost.py` wrote down."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.offset = 0

    def readings(self, table: str) -> list[str]:
        every = self.touching(table)  # rows that are looked up by given keys (parents that were missed) are no reading
        return [one for one in every if " ORDER BY " in one and " DESC" not in one and "milepost_sought" not in one]

    def touching(self, table: str) -> list[str]:
        content = self.log.read_bytes()[self.offset :] if self.log.exists() else b""
        return [one for one in content.decode().split("\0") if reads_rows(one, rf'(main\.)?"{table}"')]

    def begins_after(self, reading: str, key: Sequence[Any]) -> bool:
        literals = ", ".join(str(value) if isinstance(value, int) else f"'{value}'" for value in key)
        return f" > ({literals})" in reading

    def forget(self) -> None:
        self.offset = self.log.stat().st_size if self.log.exists() else 0  # killed before its first statement
