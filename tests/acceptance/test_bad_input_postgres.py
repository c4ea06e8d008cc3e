"""A mistake about a PostgreSQL source or target is answered by the command, and neither database is changed."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from run_command import Outcome, milepost

GOOD = """
    from milepost import Migration, Table

    crm = Migration("crm", source="${OLD}", target="${NEW}")

    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
    def customer(row):
        return {"no": row["no"], "name": row["name"]}

    crm.object("copy", source=Table("customers", key="no", columns=("no", "region")), target=Table("area", key="no"))
"""
OLD = """
CREATE TABLE customers (no integer PRIMARY KEY, name text, region text, code text);
INSERT INTO customers VALUES (1, 'a', 'x', NULL), (2, 'b', 'x', 'c');
"""
NEW = """
CREATE TABLE customer (no integer PRIMARY KEY, name text);
INSERT INTO customer VALUES (1, 'was here');
CREATE TABLE area (no integer PRIMARY KEY, region text);
CREATE TABLE loose (no integer, name text);
CREATE VIEW seen AS SELECT * FROM customer;
"""

MISTAKES = {
    "a missing source table": ('Table("customers", key="no"),', 'Table("custmers", key="no"),', ["custmers"]),
    "a missing target table": ('Table("customer",', 'Table("client",', ["client"]),
    "a target that is a view": ('Table("customer",', 'Table("seen",', ["seen", "view"]),
    "a missing source column": ('columns=("no", "region")', 'columns=("no", "regoin")', ["regoin", "region"]),
    "a missing target column": ('"name": row["name"]}', '"nam": row["name"]}', ["customer", "nam", "name"]),
    "a missing source key": ('"customers", key="no"),', '"customers", key="nmbr"),', ["customers", "nmbr"]),
    "a missing target key": ('Table("customer", key="no")', 'Table("customer", key="nmbr")', ["customer", "nmbr"]),
    "a key that holds NULL": ('"customers", key="no"),', '"customers", key="code"),', ["customers", "code", "NULL"]),
    "a key that is there twice": ('"customers", key="no"),', '"customers", key="region"),', ["region", "x"]),
    "a target without a unique index": ('Table("customer",', 'Table("loose",', ["loose", "unique"]),
    "SQL that is none": ('"customers", key="no"),', '"customers", key="no", where="no ="),', ["customers", "syntax"]),
}  # fmt: skip


@dataclass(frozen=True)
class Company:
    """A folder for the migration, and two databases on a server."""

    folder: Path
    old: str
    new: str

    def milepost(self, command: str, text: str) -> Outcome:
        (self.folder / "crm.py").write_text(textwrap.dedent(text))
        return milepost(self.folder, command, "crm.py", OLD=self.old, NEW=self.new)


@pytest.fixture
def company(postgres_urls, tmp_path: Path) -> Company:
    made = Company(tmp_path, postgres_urls(), postgres_urls())
    for url, script in ((made.old, OLD), (made.new, NEW)):
        with psycopg.connect(url) as connection:
            connection.execute(script)
    return made


def contents(url: str) -> dict[str, Any]:
    """Every schema, and every relation of the database with all that it holds."""
    schemas = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_|^information_schema$' ORDER BY 1"
    relations = (
        f"SELECT oid::regclass::text, relkind FROM pg_class WHERE relnamespace::regnamespace::text IN ({schemas})"
    )
    with psycopg.connect(url) as connection:
        found: dict[str, Any] = {"schemas": connection.execute(schemas).fetchall()}
        for name, kind in connection.execute(relations).fetchall():
            query = f"SELECT t::text FROM {name} AS t ORDER BY 1".encode()
            found[name] = connection.execute(query).fetchall() if kind in "rvm" else kind
    return found


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_plan_that_cannot_work_is_refused_and_nothing_is_written(
    company: Company, mistake: str, command: str
) -> None:
    right, wrong, named = MISTAKES[mistake]
    assert GOOD.count(right) == 1, "the sample has changed"
    before = contents(company.old), contents(company.new)
    ended = company.milepost(command, GOOD.replace(right, wrong))
    assert ended.status == 2, ended.err
    for word in named:
        assert word in ended.err
    assert "Traceback" not in ended.err
    assert (contents(company.old), contents(company.new)) == before
    assert before[1]["schemas"] == [("public",)]


def test_the_sample_itself_works_so_that_each_mistake_is_what_is_refused(company: Company) -> None:
    before = contents(company.old)
    ended = company.milepost("run", GOOD)
    assert ended.status == 0, ended.err
    assert contents(company.old) == before
    after = contents(company.new)
    assert ("milepost",) in after["schemas"]
    assert after["customer"] == [("(1,a)",), ("(2,b)",)]
    assert after["area"] == [("(1,x)",), ("(2,x)",)]
