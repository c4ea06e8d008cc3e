"""validate= by the command: rejects with every error, a model that cannot be used, and pydantic that is not there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from run_command import milepost

MODELLED = """
from typing_extensions import TypedDict

from pydantic import BaseModel, Field
from milepost import Migration, Table

crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db", max_rejects=2)


class Customer(BaseModel):
    number: int = Field(alias="no", gt=0)
    name: str = Field(min_length=2)


class Area(TypedDict):
    name: str


@crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"), validate=Customer)
def customer(row):
    return {"no": row["number"], "name": row["name"]}


crm.object("copy", source=Table("customers", key="no"), target=Table("copy", key="no"), validate=Area)
"""

DICT_ALONE = """
from typing import TypedDict

from milepost import Migration, Table

crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db")


class Area(TypedDict):
    name: str


crm.object("copy", source=Table("customers", key="no"), target=Table("copy", key="no"), validate=Area)
"""


@pytest.fixture
def company(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "old.db")) as old, old:
        old.execute("CREATE TABLE customers (no TEXT PRIMARY KEY, name TEXT)")
        old.executemany("INSERT INTO customers VALUES (?, ?)", [("1", "Ann"), ("x", "B"), ("3", "Cem"), ("-4", None)])
    with closing(sqlite3.connect(tmp_path / "new.db")) as new, new:
        new.execute("CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT)")
        new.execute("CREATE TABLE copy (no TEXT PRIMARY KEY, name TEXT)")
    (tmp_path / "crm.py").write_text(MODELLED)
    return tmp_path


def test_rows_that_a_model_does_not_allow_are_rejects_with_every_error(company: Path) -> None:
    ended = milepost(company, "run", "crm.py")
    assert ended.status == 0, ended.err
    with closing(sqlite3.connect(company / "new.db")) as new:
        assert new.execute("SELECT no, name FROM customer ORDER BY no").fetchall() == [(1, "Ann"), (3, "Cem")]
        assert new.execute("SELECT no FROM copy ORDER BY no").fetchall() == [("1",), ("3",), ("x",)]
    told = milepost(company, "rejects", "crm.py", "--json").document
    found = {(group["object"], group["stage"], *group["reason"].split("; ")) for group in told["groups"]}
    number = "no: Input should be a valid integer, unable to parse string as an integer"
    assert found == {
        ("customer", "validate", number, "name: String should have at least 2 characters"),
        ("customer", "validate", "no: Input should be greater than 0", "name: Input should be a valid string"),
        ("copy", "validate", "name: Input should be a valid string"),
    }


def test_what_is_no_model_is_refused_and_nothing_is_written(company: Path) -> None:
    (company / "crm.py").write_text(MODELLED.replace("validate=Area", "validate=3"))
    before = (company / "new.db").read_bytes()
    for command in ("plan", "run"):
        ended = milepost(company, command, "crm.py")
        assert ended.status == 2, ended.err
        assert "copy: validate=3 is no model" in ended.err
        assert (company / "new.db").read_bytes() == before


def test_without_pydantic_the_line_to_type_is_told(company: Path) -> None:
    (company / "crm.py").write_text(DICT_ALONE)
    missing = company / "missing" / "pydantic"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ImportError('No module named pydantic')")
    before = (company / "new.db").read_bytes()
    ended = milepost(company, "run", "crm.py", PYTHONPATH=str(missing.parent))
    assert ended.status == 2, ended.err
    assert "pip install 'milepost[validate]'" in ended.err
    assert "Traceback" not in ended.err
    assert (company / "new.db").read_bytes() == before


def test_who_does_not_validate_does_not_wait_for_pydantic(company: Path) -> None:
    (company / "crm.py").write_text(DICT_ALONE.replace(", validate=Area", "") + '\nimport sys\n'
                                    '@crm.after\ndef tell():\n    print("pydantic" in sys.modules)\n')  # fmt: skip
    ended = milepost(company, "run", "crm.py")
    assert (ended.status, ended.out) == (0, "False\n"), ended.err
