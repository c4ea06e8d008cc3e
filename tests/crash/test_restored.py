"""The target is restored from an older backup, and its store with it: rows and checkpoints went back together."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import psycopg
import pytest

from fix_databases import Database, Pair
from milepost import Migration, Table
from milepost.errors import Fatal
from milepost.jobs.event import CheckpointStarted, Event
from milepost.wiring.run import run

ROWS = 100


def expected(name: str) -> list[tuple[int, str]]:
    return [(n, f"{name} {n}") for n in range(1, ROWS + 1)]


@pytest.fixture(params=["sqlite", "postgres"])
def pair(request: pytest.FixtureRequest) -> Pair:
    """Both ends, with a source of two tables."""
    pair = request.getfixturevalue("sqlite_pair")
    if request.param == "postgres":
        pair = Pair(pair.source, Database(request.getfixturevalue("postgres_url")))
    for name in ("one", "two"):
        pair.source.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, text TEXT)")
        pair.source.insert(name, expected(name))
        pair.target.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, text TEXT)")
    return pair


class Backups:
    """Copies of the whole target database, made and put back as its owner would: nobody is connected then."""

    def __init__(self, pair: Pair, keeper_url: str | None) -> None:
        self.url = pair.target.url
        self.keeper_url = keeper_url

    def make(self) -> None:
        if self.keeper_url is None:
            self._copy(self.url.removeprefix("sqlite:///"), self.url.removeprefix("sqlite:///") + ".backup")
        else:
            self._execute(f"CREATE DATABASE {self._name}_backup TEMPLATE {self._name} OWNER milepost")

    def put_back(self) -> None:
        if self.keeper_url is None:
            self._copy(self.url.removeprefix("sqlite:///") + ".backup", self.url.removeprefix("sqlite:///"))
        else:
            self._execute(
                f"DROP DATABASE {self._name} WITH (FORCE)",
                f"ALTER DATABASE {self._name}_backup RENAME TO {self._name}",
            )

    @property
    def _name(self) -> str:
        return self.url.rpartition("/")[2]

    def _copy(self, one: str, other: str) -> None:
        with closing(sqlite3.connect(one)) as read, closing(sqlite3.connect(other)) as written:
            read.backup(written)

    def _execute(self, *statements: str) -> None:
        assert self.keeper_url is not None
        with psycopg.connect(self.keeper_url, autocommit=True) as keeper:
            for statement in statements:
                keeper.execute(statement)


@pytest.fixture
def backups(pair: Pair, request: pytest.FixtureRequest) -> Backups:
    if pair.target.url.startswith("sqlite"):
        return Backups(pair, None)
    return Backups(pair, request.getfixturevalue("postgres_server").keeper_url("postgres"))


@pytest.mark.parametrize("further", ["failed again", "complete"])
def test_a_run_on_a_restored_target_goes_on_from_what_was_restored(pair: Pair, backups: Backups, further: str) -> None:
    bad: set[str] = set()
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=10)

    for name in ("one", "two"):

        def copy(row: dict[str, Any]) -> dict[str, Any]:
            if row["text"] in bad:
                raise OSError("no luck")
            return row

        copy.__name__ = name
        crm.object(source=Table(name, key="n"), target=Table(name, key="n"))(copy)

    def stumble_at(text: str) -> None:
        bad.add(text)
        with pytest.raises(Fatal, match="no luck"):
            run(crm)
        bad.clear()

    stumble_at("one 55")
    backups.make()
    if further == "complete":
        run(crm)
        assert pair.target.rows("SELECT * FROM two ORDER BY n") == expected("two")
    else:
        stumble_at("two 35")
        assert len(pair.target.rows("SELECT * FROM two")) == 30
    backups.put_back()
    assert len(pair.target.rows("SELECT * FROM one")) == 50
    assert pair.target.rows("SELECT * FROM two") == []

    events: list[Event] = []
    run(crm, emit=events.append)

    began = {event.path: event for event in events if isinstance(event, CheckpointStarted)}
    assert began["one"].position == [50]
    assert not began["two"].recovering
    for name in ("one", "two"):
        assert pair.target.rows(f"SELECT * FROM {name} ORDER BY n") == expected(name)
