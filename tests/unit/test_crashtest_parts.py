"""What the crash test decides by itself: which rounds are played, what differs, who is to blame."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from milepost.clock import SystemClock
from milepost.crashtest.choose import refuse_impossible, scripts, spread
from milepost.crashtest.compare import differences
from milepost.crashtest.content import Content, Rows, digest
from milepost.crashtest.fault import Effect, Fault, Kind, Moment, RandomKills, script_named
from milepost.crashtest.journal import Journal, read_journal
from milepost.crashtest.report import Report, Round
from milepost.crashtest.rounds import _moment
from milepost.crashtest.sqlite_copy import rows_in
from milepost.crashtest.task import Task
from milepost.crashtest.words import beyond, blame, failures, for_real, summary, verdict
from milepost.errors import PlanError
from milepost.jobs.ledger import Counts

EFFECTS = [Effect.STORE_WRITE, Effect.SOURCE_READ, Effect.TARGET_WRITE, Effect.COMMIT, Effect.STORE_WRITE]


def names(*kinds: Kind, points: int | None = None, random: int = 0) -> list[str]:
    return [each.name for each in scripts(EFFECTS, kinds=kinds, points=points, random=random, seed=5)]


def test_kills_come_before_and_after_every_effect_or_some_from_the_first_to_the_last() -> None:
    assert names(Kind.KILL, points=2) == ["kill:before:1", "kill:after:1", "kill:before:5", "kill:after:5"]
    assert len(names(Kind.KILL)) == 10


@pytest.mark.parametrize(
    ("effects", "points", "numbers"),
    [
        (87, 4, [1, 29, 58, 87]),
        (5, 3, [1, 3, 5]),
        (5, 4, [1, 2, 3, 5]),
        (5, 1, [1]),
        (5, 9, [1, 2, 3, 4, 5]),
        (2, None, [1, 2]),
    ],
)
def test_points_are_spread_over_the_whole_run(effects: int, points: int | None, numbers: list[int]) -> None:
    assert list(spread(effects, points)) == numbers


def test_slow_faults_are_played_at_the_first_and_last_of_the_points_too() -> None:
    assert names(Kind.SLEEP, points=3) == ["sleep:before:1", "sleep:before:3", "sleep:before:5"]


def test_a_report_of_some_points_says_how_to_have_all() -> None:
    some, every = (replace(report(played(1)), points=points) for points in (2, 5))
    assert "2 of 5 points, spread over the run; --points all for every one" in list(summary(some))
    assert not any("--points" in line for line in summary(every))


def test_an_answer_is_lost_only_where_something_was_committed() -> None:
    assert names(Kind.LOST_ANSWER) == ["lost-answer:after:1", "lost-answer:after:4", "lost-answer:after:5"]


def test_slow_faults_are_played_at_the_first_and_last_of_every_kind_of_effect() -> None:
    assert names(Kind.SLEEP) == [f"sleep:before:{number}" for number in (1, 2, 3, 4, 5)]
    many = scripts([Effect.COMMIT] * 50, kinds=[Kind.STALL], points=None, random=0, seed=0)
    assert [each.name for each in many] == ["stall:before:1", "stall:before:50"]


def test_random_rounds_are_named_by_their_seed() -> None:
    assert names(random=2) == ["random:5:1", "random:5:2"]


@pytest.mark.parametrize(
    "script",
    [
        Fault(kind=Kind.LOST_ANSWER, moment=Moment.AFTER, number=3),
        Fault(kind=Kind.KILL, moment=Moment.BEFORE, number=1),
        RandomKills(seed=42, number=7),
    ],
)
def test_a_round_is_found_again_by_its_name(script: Fault | RandomKills) -> None:
    assert script_named(script.name) == script


@pytest.mark.parametrize(
    "name", ["", "kill", "kill:before", "kill:before:0", "kill:between:1", "random:1", "flood:a:1"]
)
def test_what_names_no_round_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match="names no round"):
        script_named(name)


def content(
    rows: list[str],
    *,
    files: dict[str, str] | None = None,
    rejects: tuple[str, ...] = (),
    read: int = 3,
    unfinished: tuple[str, ...] = (),
) -> Content:
    return Content(
        tables={"item": Rows(("name",), Counter(row.encode() for row in rows))},
        files=files or {},
        rejects=Counter(rejects),
        counts={"item": Counts(read=read, loaded=read)},
        results={"": "null"},
        unfinished=unfinished,
    )


@pytest.mark.parametrize(
    ("found", "kinds"),
    [
        (content(["a", "b", "c"]), []),
        (content(["a", "c"]), ["lost"]),
        (content(["a", "b", "c", "c"]), ["doubled"]),
        (content(["a", "b", "c", "d"]), ["different"]),
        (content(["a", "b", "d"]), ["different"]),
        (content(["a", "b", "c"], files={"log": "1"}), ["different"]),
        (content(["a", "b", "c"], rejects=("x",)), ["different"]),
        (content(["a", "b", "c"], read=4), ["different"]),
        (content(["a", "b", "c"], unfinished=("item",)), ["different"]),
        (content(["a", "c"], read=2), ["lost", "different"]),
    ],
)
def test_what_differs_is_told_the_worst_first(found: Content, kinds: list[str]) -> None:
    assert [each.kind for each in differences(content(["a", "b", "c"]), found)] == kinds


def played(number: int, outcome: str = "same", about: tuple[str, ...] = (), **steps: int) -> Round:
    return Round(
        script=Fault(kind=Kind.KILL, moment=Moment.BEFORE, number=number),
        effect="step",
        at="a",
        outcome=outcome,
        kills=1,
        restarts=1,
        read_again=2,
        steps=steps,
        about=about,
        messages=tuple(f"{each} differs" for each in about),
    )


def report(*rounds: Round) -> Report:
    return Report(
        job="crm", seed=7, effects=5, rows=10, seconds=0.5, batch_rows=4, steps={"a": 1, "b": 1}, rollbacks={},
        rounds=rounds,
    )  # fmt: skip


def test_a_step_is_blamed_that_ran_again_where_something_differs() -> None:
    found = report(played(1, "different", ("log",), a=2, b=1), played(2, a=1, b=1))

    assert [(each.step, each.about, each.rounds) for each in found.suspects] == [("a", ("log",), 1)]


def test_a_step_that_ran_again_without_harm_is_not_blamed_for_another() -> None:
    found = report(played(1, "different", ("log",), a=2, b=2), played(2, a=1, b=2))

    assert [each.step for each in found.suspects] == ["a"]


def test_nobody_is_blamed_where_no_step_ran_again() -> None:
    assert report(played(1, "lost", ("item",), a=1, b=1)).suspects == ()


def test_a_report_is_told_with_the_way_to_play_a_failure_again() -> None:
    found = report(played(1, "different", ("log",), a=2), played(2))
    text = "\n".join([*summary(found), *map(blame, found.suspects), *failures(found, lambda each: each.replay.upper())])

    assert "2 rounds, 1 came out as the undisturbed run; 2 kills, 4 rows read again" in text
    assert "a is not safe to run twice: in 1 round it ran more than once, and log differs" in text
    assert "different after kill:before:1 (step a): KILL:BEFORE:1\n    log differs" in text
    assert "seed 7" in text


def test_a_journal_that_ends_in_the_middle_of_a_line_is_read_up_to_there(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    journal = Journal(str(file))
    journal.note(effect=Effect.STEP, about="a")
    journal.note(rows=5)
    journal.note(effect=Effect.COMMIT, about="")
    journal.note(fault=2)
    with file.open("a") as torn:
        torn.write(json.dumps({"end": "complete", "error": ""})[:-3])

    told = read_journal(file)

    assert (told.hit, told.rows, told.steps, told.end) == ((Effect.COMMIT, ""), 5, Counter(a=1), "")


def test_a_process_that_never_began_has_an_empty_journal(tmp_path: Path) -> None:
    told = read_journal(tmp_path / "none")

    assert (told.effects, told.end, told.at) == ((), "", None)


def test_a_text_is_not_taken_for_the_bytes_of_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute("CREATE TABLE t (v)")
        database.executemany(
            "INSERT INTO t VALUES (?)", [("1",), (b"1",), (1,), (1.0,), (None,), ("",), (b"",), (0.0,)]
        )
        database.execute("INSERT INTO t VALUES (-0.0), (CAST(x'ff' AS TEXT)), (x'ff'), ('None')")
    found = {digest(row) for row in rows_in(f"sqlite:///{tmp_path / 'a.db'}", "t", ("v",))}
    assert len(found) == 12


def test_the_process_that_clears_away_does_so_when_nobody_listens_to_it(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "job.py").write_text("import time\ntime.sleep(0.2)\n", encoding="utf-8")
    task = Task(
        reference=str(tmp_path / "job.py"), folder=str(tmp_path), journal=str(tmp_path / "journal"),
        output=str(tmp_path / "output"), source=None, target=None, store=None, ask=True,
    )  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "milepost.crashtest.template"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as template:
        assert template.stdin is not None
        assert template.stdout is not None
        template.stdout.close()
        for order in ({"folder": str(scratch)}, {"start": 1, "task": asdict(task)}):
            template.stdin.write(json.dumps(order).encode() + b"\n")
        template.stdin.flush()
        while not (tmp_path / "output").exists():
            SystemClock().sleep(0.01)
        SystemClock().sleep(1)  # the fork ends meanwhile, and that is told to nobody
        template.send_signal(signal.SIGTERM)  # not heard: its parent is still there
        template.stdin.close()

    assert template.returncode == 0
    assert not scratch.exists()


def test_what_is_done_for_real_is_told_before() -> None:
    told = list(for_real(replace(report(), steps={"author": 3, "check": 1}, sinks=frozenset({"author"})), 10))
    assert told == [
        "author's function sends for real, about 36 times in all; it can tell by MILEPOST_CRASHTEST=1",
        "check's function runs for real, about 12 times in all; it can tell by MILEPOST_CRASHTEST=1",
    ]


def test_what_ran_more_than_once_is_told_and_bounds_the_verdict() -> None:
    twice = [replace(played(number, a=1, b=1), steps={"a": 2, "b": 1}, at="b") for number in (1, 2)]
    found = replace(report(*twice, played(3, a=2, b=1)), sinks=frozenset({"a"}))  # the third was killed before a began
    assert beyond(found) == [
        "a was handed a batch again in 2 rounds; what it wrote outside the scratch copies was not compared"
    ]
    assert verdict(found) == "same as far as could be compared"
    assert beyond(replace(found, sinks=frozenset()))[0].startswith("a ran more than once in 2 rounds; what it did")
    assert verdict(report(played(3, a=2, b=1))) == "same as the undisturbed run"
    assert verdict(report(played(1), played(2, "lost"))).startswith("1 of 2 rounds did not")


@pytest.mark.parametrize(
    ("settings", "rolled_back", "advice"),
    [
        ({}, {}, "let it begin anew"),
        ({"sinks": frozenset("a")}, {}, "upsert on its key, or ask by cp.in_doubt / cp.settle_by"),
        ({"transactions": frozenset("a")}, {}, "cp.save(…) in cp.transaction()"),
        ({"transactions": frozenset("a")}, {"a": 1}, "rollback ran and left log other than"),
    ],
)
def test_advice_fits_what_the_step_is(settings, rolled_back, advice) -> None:
    found = replace(report(replace(played(1, "different", ("log",), a=2), rollbacks=rolled_back)), **settings)
    assert advice in blame(found.suspects[0])


def test_two_runs_at_work_together_are_not_taken_for_one_that_ran_twice() -> None:
    slept = replace(
        played(1, "different", ("log",), a=2), script=Fault(kind=Kind.SLEEP, moment=Moment.BEFORE, number=1)
    )
    alone = blame(report(slept).suspects[0])
    assert "together with the run that had taken over" in alone
    assert "not safe to run twice" not in alone
    assert "not safe to run twice" in blame(report(slept, played(2, "different", ("log",), a=2)).suspects[0])


def test_a_journal_says_which_steps_used_a_transaction(tmp_path: Path) -> None:
    journal = Journal(str(tmp_path / "journal"))
    journal.note(transaction="a")
    assert read_journal(tmp_path / "journal").transactions == {"a"}


def test_a_job_of_steps_has_no_batch_to_speak_of() -> None:
    assert "batch" not in "".join(summary(replace(report(played(1)), batch_rows=0)))


def test_a_round_that_a_job_cannot_have_is_refused() -> None:
    refuse_impossible(Fault(kind=Kind.LOST_ANSWER, moment=Moment.AFTER, number=4), EFFECTS)
    refuse_impossible(RandomKills(seed=1, number=99), EFFECTS)
    for name in ("kill:before:6", "drop:after:1", "lost-answer:after:2"):
        with pytest.raises(PlanError):
            refuse_impossible(script_named(name), EFFECTS)


def test_most_random_kills_fall_where_rows_move_and_some_before() -> None:
    seed = 5
    chance = random.Random(seed)
    moments = [_moment(chance, 0.9, 1.0) for _ in range(1000)]
    assert 50 < sum(each < 0.9 for each in moments) < 200, f"seed {seed}"
    assert max(moments) <= 1.0
