"""Run commands as whole processes, in pairs, and keep wall time and peak memory as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One finished process: ``seconds`` of wall time, ``peak`` resident memory in MiB of its largest process."""

    seconds: float
    peak: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the result: what was done, ours and the peer's median, the median of the ratios pair by pair."""

    name: str
    ours: str
    peer: str
    ratio: str
    note: str = ""


def measure(command: list[str], environment: dict[str, str] | None = None) -> Measured:
    """Run the command to its end. Exits with its output when it fails: a broken run has no speed."""
    began = time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}
    ) as process:
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with {process.returncode}:\n{output.decode(errors='replace')[-4000:]}")
    return Measured(seconds=seconds, peak=usage.ru_maxrss / 1024)


def pairs(runs: int, ours: Callable[[], float], peer: Callable[[], float]) -> tuple[float, float, float]:
    """Time both ``runs`` times in turn; the medians of ours, of the peer's, and of peer / ours pair by pair."""
    mine, others = [], []
    for _ in range(runs):
        others.append(peer())
        mine.append(ours())
    ratios = [other / own for own, other in zip(mine, others, strict=True)]
    return median(mine), median(others), median(ratios)


def per_second(rows: int, seconds: float) -> str:
    """Rows a second, for the table."""
    return f"{rows / seconds / 1000:,.0f} k/s"
