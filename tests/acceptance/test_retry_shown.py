"""What people see of tries, and how a wait ends: a job's own file, run as a program."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from functools import partial

import milepost.cli.run as face
from milepost import Job, Retryable
from milepost.jobs.retry import Patience

face.run = partial(face.run, patience=Patience(tries=int(sys.argv[1]), first=float(sys.argv[2])))
job = Job("month-end", store="sqlite:///month-end.db")
left = int(sys.argv[3])


@job.step
def post(cp):
    global left
    if left:
        left -= 1
        raise Retryable("https://me:hunter2@bank.example does not answer", hint="Ask the bank.")


@job.main
def main():
    post()


if "--json" in sys.argv:
    status, _ = face.run_and_draw(job, out=sys.stdout)
    raise SystemExit(status)
job.run()
"""
ALWAYS = "1000"


@pytest.fixture
def program(tmp_path):
    """Start it with how many tries, the first wait in seconds, how often the step fails, and more arguments."""
    (tmp_path / "month_end.py").write_text(PROGRAM)
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "month_end.py", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=tmp_path, text=True, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


def outcome(tmp_path):
    connection = sqlite3.connect(tmp_path / "month-end.db")
    try:
        return connection.execute("SELECT epoch, outcome FROM milepost_run").fetchall()
    finally:
        connection.close()


def test_every_try_is_one_line_and_the_end_says_how_often_it_was_tried(program, tmp_path) -> None:
    running = program("4", "0.01", ALWAYS)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    lines = [line for line in said.splitlines() if "before try" in line]
    assert [line.rpartition("before ")[2] for line in lines] == ["try 2 of 4", "try 3 of 4", "try 4 of 4"]
    assert all("post" in line and "does not answer" in line for line in lines)
    assert "error: https://me:***@bank.example does not answer (tried 4 times)\n" in said
    assert "Ask the bank." in said
    assert "Run the same command again to resume" in said
    assert "hunter2" not in said
    assert outcome(tmp_path) == [(1, "failed")]


def test_a_try_is_an_event_in_json(program, tmp_path) -> None:
    running = program("4", "0.01", "2", "--json")
    out, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    events = [json.loads(line) for line in out.splitlines()]
    told = [each for each in events if each["event"] == "told"]
    assert [(each["path"], each["message"].rpartition("before ")[2]) for each in told] == [
        ("post", "try 2 of 4"),
        ("post", "try 3 of 4"),
    ]
    assert [each["event"] for each in events].count("run_started") == 1
    assert events[-1]["outcome"] == "complete"
    assert "hunter2" not in out
    assert outcome(tmp_path) == [(1, "complete")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_wait_ends_it_at_once(program, tmp_path, number) -> None:
    running = program("4", "3000", ALWAYS)  # were it waited for, the test would not end
    for line in running.stderr:
        if "before try 2" in line:
            break
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Run the same command again to resume" in said
    assert outcome(tmp_path) == [(1, "interrupted")]
