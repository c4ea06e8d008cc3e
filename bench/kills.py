"""What a SIGKILL costs: how soon a run resumes, how long a storm of kills makes it. Process starts are counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psycopg

from bench.data import Postgres, prepare
from bench.measure import Row, in_turn, installed, measure, medians, missing, refuse
from bench.rows import migration_of

PROGRAMS = Path(__file__).parent / "programs"
EARLY, LATE = 0.01, 0.99  # of the rows
QUARTER = 4
MOST_KILLS = 10  # then it is given up

SHOWN = """
    SELECT string_agg(CASE data_type WHEN 'numeric' THEN format('trim_scale(%1$I)', column_name)
        WHEN 'character' THEN format('rtrim(%1$I)', column_name) ELSE format('%1$I', column_name) END,
        ', ' ORDER BY ordinal_position)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'lineitem'
"""


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A batch that was committed before its run was killed: seconds since the process start, rows of the batch."""

    seconds: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Storm:
    """A job killed until it was done, or given up."""

    seconds: float
    kills: int
    done: bool
    every: float


def first_batch(server: Postgres, files: Path, runs: int) -> Row:
    """From process start to the first new committed batch, after a kill at 99 % of the rows and at 1 %."""
    source = filled(server, files)

    def resumed(share: float) -> Reached:
        target = empty(server)
        run_until(migration_of("lines.py", source, target), share)
        reached = run_until(migration_of("lines.py", source, target), 0)
        server.drop(target)
        return reached

    both = in_turn(runs, lambda: resumed(LATE), lambda: resumed(EARLY))
    server.drop(source)
    late, early, _ = medians([(late.seconds, early.seconds) for late, early in both])
    ratio = median(late.seconds / early.seconds for late, early in both)
    rows = [median(each.rows for each in one) for one in zip(*both, strict=True)]
    return Row(
        name="first new batch after a kill at 99 %, and at 1 %",
        ours=f"{late:.2f} s",
        peer=f"{early:.2f} s",
        ratio=f"{ratio:.2f}",
        note="the peer is the kill at 1 %; process start to commit; PostgreSQL → PostgreSQL, lineitem, row function; "
        f"batches of {rows[0]:,.0f} and {rows[1]:,.0f} rows",
    )


def kill_storm(server: Postgres, files: Path, runs: int) -> Row:
    """Lineitem killed every quarter of the undisturbed time until it is done, beside undisturbed."""
    source = filled(server, files)
    expected = content(source, "lineitem", lineitem(source), function="rtrim({}, '.')")

    def moved(run: Callable[[list[str]], Storm]) -> Storm:
        target = empty(server)
        outcome = run(migration_of("lines.py", source, target))
        if outcome.done and content(target, "lineitem", lineitem(source)) != expected:
            sys.exit(f"after {outcome.kills} kills the target does not hold the source's rows, each once")
        server.drop(target)
        return outcome

    both = []
    for _ in range(runs):
        calm = moved(undisturbed)
        both.append((moved(lambda command, calm=calm: storm(command, calm.seconds / QUARTER)), calm))  # type: ignore[misc]
    server.drop(source)
    return storm_row("kill storm, lineitem, row function", both, expected[0], "when done, the same rows by SQL")


def kill_storm_dlt(server: Postgres, files: Path, folder: Path) -> Row:
    """The same storm for dlt, against its own undisturbed time: one pair. Whatever it left is resumed, as it does."""
    name, version = "dlt's kill storm, lineitem, row function, upsert", installed("dlt")
    if version is None:
        return missing(name, "dlt")
    source = filled(server, files)
    expected = content(source, "lineitem", lineitem(source), function="rtrim({}, '.')")

    def moved(run: Callable[[list[str]], Storm]) -> tuple[Storm, tuple[int, int]]:
        target = server.database()
        with tempfile.TemporaryDirectory(dir=folder) as kept:
            done = run([sys.executable, str(PROGRAMS / "lines_dlt.py"), source, target, kept])
        found = content(target, "moved.lineitem", lineitem(source))
        server.drop(target)
        return done, found

    calm, whole = moved(undisturbed)
    if whole != expected:
        sys.exit("dlt, undisturbed, did not move the source's rows, each once")
    stormy, found = moved(lambda command: storm(command, calm.seconds / QUARTER))
    server.drop(source)
    held = "the same rows by SQL" if found == expected else f"{found[0]:,} rows were in the target"
    return storm_row(name, [(stormy, calm)], expected[0], f"{held}; dlt {version}")


def storm_row(name: str, both: list[tuple[Storm, Storm]], rows: int, held: str) -> Row:
    ratio = median(stormy.seconds / calm.seconds for stormy, calm in both)
    done = all(stormy.done for stormy, _ in both)
    outcome = f"{sorted(stormy.kills for stormy, _ in both)[len(both) // 2]} kills"
    if not done:
        outcome = f"given up after {MOST_KILLS} kills"
    return Row(
        name=name,
        ours=f"{median(stormy.seconds for stormy, _ in both):.1f} s" if done else "not done",
        peer=f"{median(calm.seconds for _, calm in both):.1f} s",
        ratio=f"{ratio:.2f}" if done else f"> {ratio:.2f}",
        note=f"{rows:,} rows; the peer is itself undisturbed, the ratio is of the times; SIGKILL every "
        f"{median(stormy.every for stormy, _ in both):.1f} s: {outcome}; {held}",
    )


def undisturbed(command: list[str]) -> Storm:
    return Storm(seconds=measure(command, QUIET).seconds, kills=0, done=True, every=0)


def storm(command: list[str], every: float) -> Storm:
    """Start the command, kill it after ``every`` seconds, start it again at once, until it ends by itself."""
    began = time.monotonic()
    for kills in range(MOST_KILLS):
        if ended_within(command, every):
            return Storm(seconds=time.monotonic() - began, kills=kills, done=True, every=every)
    return Storm(seconds=time.monotonic() - began, kills=MOST_KILLS, done=False, every=every)


def ended_within(command: list[str], seconds: float) -> bool:
    """Run the command; whether it ended well before the SIGKILL. Exits where it failed by itself."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env={**os.environ, **QUIET})
        try:
            status = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            process.kill()
            process.wait()
        if status != 0:
            said.seek(0)
            refuse(command, status, said.read().decode(errors="replace"))
    return True


def run_until(command: list[str], share: float) -> Reached:
    """Run a migration until that share of its rows is committed, one batch at least; then SIGKILL."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said:
        with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=said, text=True) as process:
            try:
                reached = watch(process, share)
            finally:
                process.kill()
        if reached is None:
            said.seek(0)
            refuse(command, process.returncode, f"it ended before {share:.0%} of the rows\n{said.read()}")
    return Reached(seconds=reached[0] - began, rows=reached[1])


def watch(process: subprocess.Popen[str], share: float) -> tuple[float, int] | None:
    """When the batch was committed that reached that share, and how many rows it has; None where none did."""
    wanted, before = 0.0, 0
    for line in process.stdout or ():
        at = time.monotonic()
        event = {"event": "", **json.loads(line)}
        if event["event"] == "rows_expected":
            wanted = share * event["rows"]
        elif event["event"] == "checkpoint_started" and event["path"]:
            before = event["counts"]["read"]
        elif event["event"] == "batch_committed":
            read = event["counts"]["read"]
            if read >= wanted:
                return at, read - before
            before = read
    return None


def filled(server: Postgres, files: Path) -> str:
    url = server.database()
    prepare.load_postgres(url, files)
    return url


def empty(server: Postgres) -> str:
    url = server.database()
    prepare.load_postgres(url, None)
    return url


def lineitem(source: str) -> str:
    """The columns of lineitem, each as a text that is the same wherever the value is the same."""
    with psycopg.connect(source) as connection:
        return str(connection.execute(SHOWN).fetchone()[0])  # type: ignore[index]


def content(url: str, table: str, columns: str, function: str = "{}") -> tuple[int, int]:
    """How many rows, and a sum of hashes over all of them; (0, 0) where there is no such table.

    ``function`` does to l_comment what the migration does.
    """
    columns = columns.replace("l_comment", function.format("l_comment"))
    query = f"SELECT count(*), sum(hashtextextended(concat_ws('|', {columns}), 0)) FROM {table}"
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone() == (None,):
            return 0, 0
        rows, hashed = connection.execute(query.encode()).fetchone()  # type: ignore[misc]
    return int(rows), int(hashed or 0)


QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL", "DO_NOT_TRACK": "1"}
