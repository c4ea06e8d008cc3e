"""Run commands as whole processes, in pairs, and keep wall time and peak memory as the kernel counts them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from statistics import median
from typing import NoReturn, TypeVar

Ours = TypeVar("Ours")
Peer = TypeVar("Peer")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One finished process: ``seconds`` of wall time, ``peak`` resident memory in MiB, and what it wrote."""

    seconds: float
    peak: float
    output: str


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
    text = output.decode(errors="replace")
    if process.returncode != 0:
        refuse(command, process.returncode, text)
    return Measured(seconds=seconds, peak=usage.ru_maxrss / 1024, output=text)


def refuse(command: list[str], status: int, output: str) -> NoReturn:
    """Exit with what a command said that failed."""
    sys.exit(f"{' '.join(command)[:200]} ended with {status}:\n{output[-4000:]}")


def in_turn(runs: int, ours: Callable[[], Ours], peer: Callable[[], Peer]) -> list[tuple[Ours, Peer]]:
    """Do both ``runs`` times, one after the other, so that whatever else goes on meets both."""
    both = []
    for _ in range(runs):
        other = peer()
        both.append((ours(), other))
    return both


def pairs(runs: int, ours: Callable[[], float], peer: Callable[[], float]) -> tuple[float, float, float]:
    """Time both ``runs`` times in turn; the medians of ours, of the peer's, and of peer / ours pair by pair."""
    return medians(in_turn(runs, ours, peer))


def medians(seconds: list[tuple[float, float]]) -> tuple[float, float, float]:
    """The medians of our seconds, of the peer's, and of peer / ours pair by pair."""
    ratios = [other / own for own, other in seconds]
    return median(own for own, _ in seconds), median(other for _, other in seconds), median(ratios)


def installed(package: str) -> str | None:
    """The version of a peer; None where it is not installed."""
    try:
        return version_of(package)
    except PackageNotFoundError:
        return None


def missing(name: str, package: str) -> Row:
    """What stands in the table where the peer is not there to be measured."""
    return Row(name=name, ours="", peer=f"{package} is not installed", ratio="", note="`make bench` installs it")


def per_second(rows: int, seconds: float) -> str:
    """Rows a second, for the table."""
    return f"{rows / seconds / 1000:,.0f} k/s"
