"""A job of the user's own is broken at every point: what holds comes out the same, what does not is found and named."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from milepost.clock import SystemClock
from milepost.crashtest.fault import Effect, Fault, Kind, Moment, Script
from milepost.crashtest.prove import prove
from milepost.errors import PlanError
from run_command import command, make_company, milepost

pytest_plugins = ["milepost.testing.crash"]

REPORT = """

@crm.after
def report(cp):
    with open("report.txt", "{mode}") as file:
        file.write("done\\n")
"""

HANGING = """

@crm.after
def wait(cp):
    if cp.recovering:
        time.sleep(60)
"""

OPENING = """

import sqlite3

@crm.after
def open_by_itself(cp):
    sqlite3.connect({file!r}).close()
"""

JOB = '''
from milepost import Job

job = Job("month-end", store="sqlite:///books.db")


@job.step
def convert(cp, name):
    """Two transactions: killed between them, the first must be undone."""
    with cp.transaction() as books:
        books.execute("INSERT INTO entry VALUES (?, 'head')", [name])
    with cp.transaction() as books:
        books.execute("INSERT INTO entry VALUES (?, 'body')", [name])
    return name.upper()


@convert.rollback
def undo(cp, name):
    with cp.transaction() as books:
        books.execute("DELETE FROM entry WHERE name = ?", [name])


@job.step
def post(cp, region):
    for batch in cp.each(range((cp.position or 0) + 1, 21), size=5, position=lambda last: last):
        with cp.transaction() as books:
            books.executemany("INSERT INTO posted VALUES (?, ?)", [(region, no) for no in batch])
            {save}
    return cp.once("number", lambda: 42)


@job.main
def main(cp):
    convert("a")
    convert("b")
    return post("EMEA")
'''


LEDGER_APART = """
from contextlib import contextmanager

from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers


class Apart:
    '''What a batch appends to the ledger is committed after its rows, in a transaction of its own.'''

    def __init__(self, store):
        self.store, self.late = store, []

    def __getattr__(self, name):
        return getattr(self.store, name)

    def append(self, *arguments):
        self.late.append(arguments)

    @contextmanager
    def transaction(self, lease):
        with self.store.transaction(lease) as connection:
            yield connection

    def put(self, *arguments):
        self.flush()
        self.store.put(*arguments)

    def flush(self):
        while self.late:
            self.store.append(*self.late.pop(0))


def store(url, *, create):
    opened = open_store(url, create=create)
    return Apart(opened) if create else opened


OPENERS = Openers(store=store)
"""

SINK = """
import json
from pathlib import Path

from milepost import Migration, Sink, Table

post = Migration("post", source="sqlite:///old.db", store="sqlite:///post.db", batch_rows=15)


def append(rows, cp):
    with open("careless.txt", "a") as file:
        file.writelines(f"{row['no']}\\n" for row in rows)


def upsert(rows, cp):
    file = Path("careful.json")
    known = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**known, **{str(row["no"]): row["email"] for row in rows}}, sort_keys=True))


careless = post.object("careless", source=Table("customers", key="no"), target=Sink(append, key="no"))
careful = post.object("careful", source=Table("customers", key="no"), target=Sink(upsert, key="no"))
"""

ATTACHING = """

import sqlite3


@crm.before
def empty():
    with sqlite3.connect(":memory:", uri=True) as connection:
        connection.execute({statement!r}{values})
        connection.execute("DELETE FROM old.customers")
"""

STAMPED = """
import os
import time

from milepost import Migration, Table

crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db")
crm.object("customer", source=Table("customers", key="no", columns=["no"]), target=Table("customer", key="no"))


@crm.before
def wait():  # so that the run that follows would mostly end within the same second
    if "undisturbed-1" in os.getcwd():
        time.sleep(1 - time.time() % 1)
"""


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with crm.py and its two databases."""
    folder = tmp_path / "company"
    folder.mkdir()
    make_company(folder)
    monkeypatch.chdir(folder)
    return folder


def add(folder: Path, code: str) -> None:
    """Write the code at the end of crm.py."""
    file = folder / "crm.py"
    file.write_text(file.read_text(encoding="utf-8") + code, encoding="utf-8")


def make_job(folder: Path, save: str) -> None:
    with closing(sqlite3.connect(folder / "books.db")) as books, books:
        books.execute("CREATE TABLE entry (name TEXT, part TEXT)")
        books.execute("CREATE TABLE posted (region TEXT, no INTEGER)")
    (folder / "job.py").write_text(JOB.format(save=save), encoding="utf-8")


def kills_at(effect: Effect) -> Callable[[Sequence[Effect]], list[Script]]:
    """A kill before and after each effect of that kind."""

    def choose(effects: Sequence[Effect]) -> list[Script]:
        numbers = [number for number, each in enumerate(effects, start=1) if each is effect]
        return [Fault(kind=Kind.KILL, moment=moment, number=number) for number in numbers for moment in Moment]

    return choose


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made, by this process and by those that it starts; nobody else makes any there."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.mark.usefixtures("company")
def test_a_migration_that_holds_is_the_same_after_every_kill(crashtest):
    report = crashtest("crm.py", points=34)

    assert len(report.rounds) == 68
    assert report.kills == 68
    assert {each.restarts for each in report.rounds} == {1}
    # one batch of 50, and what is read ahead: a source gives chunks of up to as many rows
    assert 50 <= max(each.read_again for each in report.rounds) < 100


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize("fault", ["error", "drop", "lost-answer"])
def test_other_faults_lose_nothing_either(crashtest, fault):
    report = crashtest("crm.py", points=24, faults=[fault], batch_rows=300)

    assert len(report.rounds) >= 10
    assert all(each.effect for each in report.rounds)
    assert report.kills == 0


@pytest.mark.usefixtures("company")
@pytest.mark.parametrize(("fault", "runs"), [("stall", {1}), ("sleep", {2, 3})])
def test_a_lease_is_kept_by_who_is_slow_and_lost_by_who_sleeps(crashtest, fault, runs):
    report = crashtest("crm.py", points=22, faults=[fault])

    assert len(report.rounds) >= 5
    assert {each.restarts + 1 for each in report.rounds} <= runs


@pytest.mark.usefixtures("company")
def test_random_kills_are_drawn_by_the_seed(crashtest):
    report = crashtest("crm.py", points=1, faults=["error"], random=3, seed=11)

    assert [each.replay for each in report.rounds if not each.effect] == ["random:11:1", "random:11:2", "random:11:3"]
    assert report.kills > 0
    assert report.seed == 11


def test_nothing_real_is_touched(company, scratch):
    before = {file.name: file.read_bytes() for file in company.iterdir()}

    prove("crm.py", points=3, faults=["kill", "error"])

    assert {file.name: file.read_bytes() for file in company.iterdir()} == before
    assert list(scratch.iterdir()) == []


def test_a_job_that_was_run_before_is_tested_from_the_beginning(company):
    assert milepost(company, "run", "crm.py").status == 0
    before = (company / "new.db").read_bytes()

    report = prove("crm.py", points=24)

    assert report.ok
    assert report.rows == 340
    assert any("begins anew" in note for note in report.notes)
    assert (company / "new.db").read_bytes() == before


def test_a_step_that_appends_to_a_file_is_found_and_named(company):
    add(company, REPORT.format(mode="a"))
    report = prove("crm.py", points="all", faults=["error"], batch_rows=300)

    assert report.outcomes["different"] > 0
    assert [each.step for each in report.suspects] == ["report"]
    assert report.suspects[0].about == ("report.txt",)
    assert all(each.steps["report"] > 1 for each in report.failures)


def test_a_step_that_writes_its_file_anew_is_not(company, crashtest):
    add(company, REPORT.format(mode="w"))
    report = crashtest("crm.py", points="all", faults=["error"], batch_rows=300)

    assert max(each.steps["report"] for each in report.rounds) == 2


def test_a_failure_is_played_again_by_its_name(company):
    add(company, REPORT.format(mode="a"))
    failed = prove("crm.py", points="all", faults=["error"], batch_rows=300).failures[0]

    again = prove("crm.py", replay=failed.replay, batch_rows=300)

    assert [(each.outcome, each.messages) for each in again.rounds] == [(failed.outcome, failed.messages)]


def test_a_job_of_steps_with_rollbacks_is_the_same_after_every_kill(company, crashtest):
    make_job(company, "cp.save(batch[-1])")
    report = crashtest("job.py", points="all")

    assert report.steps == {'convert["a"]': 1, 'convert["b"]': 1, 'post["EMEA"]': 1}
    assert report.rollbacks == {}
    assert max(each.rollbacks.get('convert["a"]', 0) for each in report.rounds) == 1
    assert max(each.steps['post["EMEA"]'] for each in report.rounds) == 2


def test_there_is_no_recheck_of_a_job_of_steps(company):
    make_job(company, "pass")
    with pytest.raises(PlanError, match="there is no recheck of it"):
        prove("job.py", action="recheck")


def test_a_step_that_saves_its_position_apart_from_its_rows_is_found(company):
    make_job(company, "pass")
    report = prove("job.py", points="all")

    assert {each.outcome for each in report.failures} == {"doubled"}
    assert {each.about for each in report.failures} == {("posted",)}
    assert [(each.step, each.kind) for each in report.suspects] == [('post["EMEA"]', "transaction")]
    assert "too many: 'EMEA'" in "\n".join(report.failures[0].messages)


def test_an_engine_that_commits_the_ledger_after_the_rows_is_found(company, tmp_path):
    (tmp_path / "apart.py").write_text(LEDGER_APART, encoding="utf-8")
    report = prove("crm.py", choose=kills_at(Effect.COMMIT), openers="apart:OPENERS", python_path=[str(tmp_path)])

    assert report.failures
    assert "stage duplicate" in "\n".join(report.failures[0].messages)  # its rows are loaded once more
    assert report.suspects == ()


def test_a_sink_that_is_not_safe_to_send_to_twice_is_found_and_named(company):
    (company / "post.py").write_text(SINK, encoding="utf-8")
    report = prove("post.py", choose=kills_at(Effect.SINK_WRITE))

    assert report.outcomes["different"] > 0
    assert [(each.step, each.kind) for each in report.suspects] == [("careless", "sink")]
    assert report.suspects[0].about == ("careless.txt",)
    assert any(note.startswith("careful was handed a batch again in") for note in report.notes)
    assert sum("sends for real" in line for line in report.for_real) == 2


def test_what_hangs_is_ended_and_said_to_be_stuck(company):
    add(company, HANGING)
    began = time.monotonic()
    effects = prove("crm.py", replay="kill:before:1", limit=5).effects

    # the third to last is the write that completes the step
    report = prove("crm.py", replay=f"kill:before:{effects - 2}", limit=5)

    assert [each.outcome for each in report.rounds] == ["stuck"]
    assert time.monotonic() - began < 50


def test_a_job_that_opens_a_real_database_itself_is_refused(company):
    add(company, OPENING.format(file=str(company / "new.db")))
    with pytest.raises(PlanError, match="opens the real database") as caught:
        prove("crm.py", points=1)
    assert "cp.transaction()" in caught.value.hint


@pytest.mark.parametrize(
    ("attached", "said"),
    [("'{file}'", "opens the real database"), ("'file:{file}?mode=rw'", "opens the real database"), ("?", "parameter")],
)
def test_a_job_that_attaches_a_real_database_to_another_is_refused(company, attached, said):
    file, values = company / "old.db", ""
    if attached == "?":
        values = f", ({str(file)!r},)"
    statement = f"ATTACH {attached.format(file=file)} AS old"
    add(company, ATTACHING.format(statement=statement, values=values))
    with pytest.raises(PlanError, match=said):
        prove("crm.py", points=1)
    with closing(sqlite3.connect(file)) as old:
        assert old.execute("SELECT count(*) FROM customers").fetchone() != (0,)


def test_a_time_of_day_to_the_second_that_the_target_adds_is_not_compared(company):
    with closing(sqlite3.connect(company / "new.db")) as new, new:
        new.execute("DROP TABLE invoice")
        new.execute("DROP TABLE customer")
        new.execute("CREATE TABLE customer (no INTEGER PRIMARY KEY, made TEXT DEFAULT CURRENT_TIMESTAMP)")
    (company / "crm.py").write_text(STAMPED, encoding="utf-8")
    report = prove("crm.py", points=3)
    assert report.ok
    assert "customer (made)" in " ".join(report.notes)


def test_what_does_not_complete_undisturbed_cannot_be_tested(company):
    with closing(sqlite3.connect(company / "new.db")) as new:
        new.execute("DROP TABLE invoice")
    with pytest.raises(PlanError, match="invoice"):
        prove("crm.py")


def test_what_cannot_be_loaded_is_told_with_the_line(company):
    (company / "crm.py").write_text("import nothing_like_it\n", encoding="utf-8")
    with pytest.raises(PlanError, match="nothing_like_it"):
        prove("crm.py")


def test_the_command_shows_the_table_and_how_to_play_a_failure_again(company):
    add(company, REPORT.format(mode="a"))
    few = ("--batch-rows", "300")
    done = milepost(company, "crashtest", "crm.py", "--faults", "error", "--points", "all", "--random", "0", *few)

    assert done.status == 1
    assert "report is not safe to run twice" in done.out
    assert "--replay error:" in done.out
    line = next(line for line in done.out.splitlines() if "--replay" in line)
    again = milepost(company, *shlex.split(line.partition(" milepost ")[2]))
    assert again.status == 1
    assert line in again.out


def test_the_command_gives_one_json_object_and_status_0_when_all_is_the_same(company):
    done = milepost(company, "crashtest", "crm.py", "--faults", "kill", "--points", "3", "--random", "0", "--json")

    assert done.status == 0, done.err
    assert done.document["ok"] is True
    assert [each["round"] for each in done.document["rounds"]][:2] == ["kill:before:1", "kill:after:1"]
    assert done.document["outcomes"] == {"same": 6}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["crm.py", "--points", "0"], "neither a number"),
        (["crm.py", "--faults", "flood"], "none of kill"),
        (["crm.py", "--replay", "kill:17"], "names no round"),
        (["crm.py", "--replay", "kill:before:9999"], "is not reached"),
        (["crm.py", "--replay", "drop:after:1"], "there is no drop after"),
        (["nowhere.py"], "is not there"),
        (["crm.py", "--source", "sqlite:///nowhere.db"], "nowhere.db"),
    ],
)
def test_what_cannot_be_tested_is_status_2(company, arguments, said):
    done = milepost(company, "crashtest", *arguments)

    assert done.status == 2
    assert said in done.err


def test_a_file_beside_the_test_is_found_and_faults_are_named_as_in_the_command(
    company, crashtest, request, monkeypatch
):
    beside = os.path.relpath(company / "crm.py", request.path.parent)
    text = (company / "crm.py").read_text(encoding="utf-8").replace("sqlite:///", f"sqlite:///{company}/")
    (company / "crm.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir("/")

    report = crashtest(beside, points=1, faults="kill, error")

    assert {each.script.kind for each in report.rounds} == {Kind.KILL, Kind.ERROR}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_the_command_leaves_no_process_and_no_scratch(company, scratch, number):
    add(company, "\nimport os\nPath(os.environ['PIDS'], str(os.getpid())).touch()\ntime.sleep(0.3)\n")
    pids = company.parent / "pids"
    pids.mkdir()
    process = subprocess.Popen(
        command("crashtest", "crm.py"),
        env={**os.environ, "PIDS": str(pids)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while len(list(pids.iterdir())) < 6 or not list(scratch.iterdir()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        SystemClock().sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)

    while list(scratch.iterdir()) or any(map(lives, pids.iterdir())):
        assert time.monotonic() < deadline
        SystemClock().sleep(0.05)
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    seed = said.splitlines()[0]
    assert seed.startswith("seed ")
    if number != signal.SIGKILL:
        assert f" rounds, all the same; {seed};" in said or f"before the first round; {seed};" in said


def lives(file: Path) -> bool:
    return Path(f"/proc/{file.name}").exists()
