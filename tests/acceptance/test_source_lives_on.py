"""The source lives on while the job is down: after resume and catch-up the target is as if nothing had happened.

The command is run as a program, killed while invoices go in, and run again once the source has changed. The target
must equal what an undisturbed migration of the final source gives, but for what the summary says it could not see.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import lives_on
from fix_databases import Database
from run_command import SECONDS, Outcome, command, end, let_go, wait_for

PAIRINGS = ["sqlite-sqlite", "sqlite-postgres", "postgres-postgres"]


@dataclass(frozen=True)
class Company:
    """Its databases, with one more target for the migration that nobody disturbs."""

    folder: Path
    source: Database
    target: Database
    undisturbed: Database

    def run(self, target: Database, deletes: str, *arguments: str) -> Outcome:
        return end(self.start(target, deletes, *arguments))

    def start(self, target: Database, deletes: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        places = {"SOURCE": self.source.url, "TARGET": target.url, "DELETES": deletes}
        return subprocess.Popen(
            command(*(arguments or ("run", "crm.py"))),
            cwd=self.folder,
            env={**os.environ, **places, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run_until_killed(self, deletes: str, name: str) -> None:
        """Start it, and kill it when it has come to the row of that object at which it is held."""
        (self.folder / "hold").touch()
        with self.start(self.target, deletes, HOLD=f"{name} {lives_on.HELD_AT[name]}") as process:
            wait_for(self.folder / "reached", process)
            process.kill()
            process.communicate(timeout=SECONDS)
        let_go(self.folder)


@pytest.fixture(params=PAIRINGS)
def company(request, tmp_path):
    make = request.getfixturevalue("postgres_urls") if "postgres" in request.param else str
    source, target = request.param.split("-")

    def database(kind: str, name: str) -> Database:
        return Database(make() if kind == "postgres" else f"sqlite:///{tmp_path / name}.db")

    company = Company(tmp_path, database(source, "old"), database(target, "new"), database(target, "undisturbed"))
    lives_on.fill(company.source, company.target)
    lives_on.make_target(company.undisturbed)
    (tmp_path / "crm.py").write_text(lives_on.CRM + lives_on.MAPPED)
    return company


def run_through(company: Company, deletes: str, held_at: str) -> str:
    """Killed, the source changed, resumed; and undisturbed. Returns what the resumed run said."""
    company.run_until_killed(deletes, held_at)
    [(before,)] = company.target.rows(f"SELECT count(*) FROM {held_at}")
    assert 0 < before < company.source.rows(f"SELECT count(*) FROM {held_at}s")[0][0]
    lives_on.live_on(company.source)
    resumed = company.run(company.target, deletes)
    assert resumed.status == 0, resumed.err
    undisturbed = company.run(company.undisturbed, deletes)
    assert undisturbed.status == 0, undisturbed.err
    return resumed.err


@pytest.mark.parametrize("held_at", lives_on.HELD_AT)
def test_what_changed_during_the_pause_is_put_right_and_what_is_gone_deleted(company, held_at) -> None:
    said = run_through(company, "apply", held_at)
    got, wanted = lives_on.content(company.target), lives_on.content(company.undisturbed)
    unseen = lives_on.UNSEEN[held_at]
    assert {row[:2] for row in got["line"] ^ wanted["line"]} == set(unseen)
    assert {**got, "line": None} == {**wanted, "line": None}
    assert lives_on.rejected(company.target) == lives_on.rejected(company.undisturbed)
    assert "The target is right as of 20" in said
    assert "changes of line that left as many rows as there were: no modified column tells of them" in said


@pytest.mark.parametrize("held_at", ["invoice", "line"])
def test_what_is_gone_stays_and_is_told_where_deletes_are_only_reported(company, held_at) -> None:
    said = run_through(company, "report", held_at)
    got, wanted = lives_on.content(company.target), lives_on.content(company.undisturbed)
    unseen = set(lives_on.UNSEEN[held_at])
    for name, rows in wanted.items():
        assert {row[:2] for row in rows - got[name]} <= unseen, name
    left = {name: rows - wanted[name] for name, rows in got.items()}
    assert {row[0] for row in left["customer"]} == {"C12", "C14", "C16"}
    assert {row[1] for row in left["invoice"] if row[0] != 30} == {"C12", "C14", "C16"}
    assert "rows deleted at the source stay in the target" in said
    assert "customer: 3 rows are gone at the source and still in the target" in said
