"""Durable steps of ours and of DBOS in turn: done one after the other, and passed over when a killed run resumes."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import Row, in_turn, installed, measure, medians, missing

PROGRAMS = Path(__file__).parent / "programs"
STEPS = 2000
WARM = 100  # steps before the clock runs: connections are made, statements prepared
DBOS_STEPS = 5000  # to be passed over: its steps are not quickly made, and its speed does not hang upon their number

Make = Callable[[], str]  # gives the URL of a fresh database


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a program of steps took: seconds of its loop, from its start of the run to the loop's end, in all; MiB."""

    loop: float
    run: float
    process: float
    peak: float
    executed: int
    settings: str


def beside_dbos(store: str, make: Make, runs: int, *, wal: bool = False) -> Row:
    """Steps a second of ours and of DBOS, process start left out; with it in the note."""
    name = f"durable steps, {store}, beside DBOS" + (" in WAL mode" if wal else "")
    version = installed("dbos")
    if version is None:
        return missing(name, "dbos")
    both = in_turn(
        runs,
        lambda: count("milepost", make(), STEPS, WARM),
        lambda: count("dbos", in_wal(make()) if wal else make(), STEPS, WARM),
    )
    mine, other, ratio = medians([(ours.loop, peer.loop) for ours, peer in both])
    whole = medians([(ours.process, peer.process) for ours, peer in both])
    drawn = median(count("milepost", make(), STEPS, WARM, "drawn").loop for _ in range(runs))
    done = STEPS + WARM
    return Row(
        name=name,
        ours=f"{STEPS / mine:,.0f} /s",
        peer=f"{STEPS / other:,.0f} /s",
        ratio=f"{ratio:.2f}",
        note=f"{STEPS:,} steps, ours a START and a COMPLETE each, DBOS {version} one record; process start counted: "
        f"{done / whole[0]:,.0f} and {done / whole[1]:,.0f} /s, {whole[2]:.2f}; "
        f"drawn by job.run(): {speed(STEPS, drawn)}; "
        f"ours {both[-1][0].settings}, DBOS {both[-1][1].settings}",
    )


def pass_over(store: str, make: Make, runs: int, steps: int) -> Row:
    """Completed steps a second when a run resumes: from the start of the run to the end of the loop over all steps.

    DBOS is given the better of it: its loop alone, without the wait until it takes the workflow up again.
    """
    name, version = f"passing over completed steps, {store}", installed("dbos")
    ours = make()
    count("milepost", ours, steps, 0, "die")
    mine = [resumed("milepost", ours, steps, "die") for _ in range(runs)]
    taken = median(each.run for each in mine)
    process = median(each.process for each in mine)
    drawn = median(resumed("milepost", ours, steps, "die", "drawn").run for _ in range(runs))
    note = f"{steps:,} steps, from the start of the run; drawn by job.run(): {speed(steps, drawn)}; "
    note += f"process start counted: {process:.2f} s; peak {max(each.peak for each in mine):.0f} MiB"
    if version is None:
        return Row(name=name, ours=speed(steps, taken), peer="dbos is not installed", ratio="", note=note)
    peer, fewer = make(), min(steps, DBOS_STEPS)
    count("dbos", peer, fewer, 0, "die")
    other = median(resumed("dbos", peer, fewer, "resume").loop for _ in range(runs))
    return Row(
        name=name,
        ours=speed(steps, taken),
        peer=speed(fewer, other),
        ratio=f"{other / fewer * steps / taken:.1f}",
        note=f"{note}; peer: DBOS {version}, {fewer:,} steps, its loop alone",
    )


def resumed(program: str, url: str, steps: int, *how: str) -> Counted:
    """One more run of what was killed: every step is complete, and none may run again."""
    counted = count(program, url, steps, 0, *how)
    if counted.executed:
        sys.exit(f"{program}: {counted.executed} of {steps} completed steps ran again")
    return counted


def count(program: str, url: str, steps: int, warm: int, *how: str) -> Counted:
    """Run a program of steps as a process of its own."""
    measured = measure([sys.executable, str(PROGRAMS / f"steps_{program}.py"), url, str(steps), str(warm), *how])
    said = json.loads(next(line for line in measured.output.splitlines() if line.startswith("{")))
    settings = ", ".join(map(str, said.pop("settings")))
    names = ("journal_mode, synchronous" if url.startswith("sqlite") else "fsync, synchronous_commit").split(", ")
    told = ", ".join(f"{name} {value}" for name, value in zip(names, settings.split(", "), strict=True))
    return Counted(process=measured.seconds, peak=measured.peak, settings=told, **said)


def in_wal(url: str) -> str:
    """Put a SQLite file into WAL mode, which it then keeps."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE made (here); DROP TABLE made")
    return url


def speed(steps: int, seconds: float) -> str:
    return f"{steps / seconds:,.0f} /s"
