"""Every warning of `milepost plan`, provoked by a target; what cannot work exits with 2; nothing is ever written."""

from __future__ import annotations

import sqlite3
import textwrap
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from run_command import Outcome, milepost

SOURCE = """
CREATE TABLE customers (no INTEGER PRIMARY KEY, name VARCHAR(20), amount NUMERIC(9,3), email VARCHAR(40) UNIQUE);
INSERT INTO customers VALUES (1, 'Ann', 1.125, 'a@x'), (2, 'Barbara', 2.5, 'b@x');
"""
PLAIN = """
    crm.object("customer", source=Table("customers", key="no"), target=Table("customer", key="no"), columns={{{}}})
"""
COPY = PLAIN.format('"no": "no", "name": "name"')
COPY_EMAIL = PLAIN.format('"no": "no", "email": "email"')
FUNCTION = """
    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
    def customer(row):
        return {"no": row["no"], "name": row["name"]}
"""
AMOUNT = """
    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
    def customer(row):
        return {"no": row["no"], "amount": Decimal("1.125")}
"""
HEAD = """
    from decimal import Decimal
    from milepost import Migration, Table

    crm = Migration("crm", source="${OLD}", target="${NEW}")
"""
TOUCH = {
    "sqlite": """CREATE TRIGGER touch AFTER UPDATE ON customer BEGIN UPDATE log SET n = n + 1; END;""",
    "postgres": """
        CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE log SET n = n + 1; RETURN NULL; END';
        CREATE TRIGGER touch AFTER UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION bump();""",
}
STAMP = {
    "sqlite": "CREATE TRIGGER stamp BEFORE INSERT ON customer BEGIN SELECT RAISE(IGNORE); END;",
    "postgres": """
        CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.by := 'me'; RETURN NEW; END$$;
        CREATE TRIGGER stamp BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION fill();""",
}
LOG = "CREATE TABLE log (n INTEGER); CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT);"
NOT_NULL = "CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT, by TEXT NOT NULL);"

# Declared, target, told. SQLite limits no length, PostgreSQL makes no number of a text.
WARNINGS: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "an update trigger": (
        COPY,
        {kind: LOG + trigger for kind, trigger in TOUCH.items()},
        ["touch of customer is a trigger on update", "for each that really differs"],
    ),
    "a second unique key": (
        FUNCTION,
        dict.fromkeys(TOUCH, "CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT UNIQUE);"),
        ["customer is unique by (name) too, not only by its key (no)"],
    ),
    "a second unique key on which rows of one object could collide": (
        COPY,
        dict.fromkeys(TOUCH, "CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT UNIQUE);"),
        ["customer is unique by (name) too", "the source does not hold it unique"],
    ),
    "a second unique key that the source holds too": (
        COPY_EMAIL,
        dict.fromkeys(TOUCH, "CREATE TABLE customer (no INTEGER PRIMARY KEY, email TEXT UNIQUE);"),
        ["customer is unique by (email) too", "the source holds it unique"],
    ),
    "a column that only a trigger may fill": (
        FUNCTION,
        {kind: NOT_NULL + trigger for kind, trigger in STAMP.items()},
        ["nothing fills customer.by, which may not be NULL, unless stamp does"],
    ),
    "a NULL where there may be none": (
        FUNCTION.replace('row["name"]', "None"),
        dict.fromkeys(TOUCH, "CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT NOT NULL);"),
        ["customer.name", "is given NULL: it may not be NULL"],
    ),
    "a text of a function that is too long": (
        FUNCTION,
        {"postgres": "CREATE TABLE customer (no INTEGER PRIMARY KEY, name varchar(3));"},
        ["customer.name (character varying(3)) is given 'Barbara': it has 7 characters, and 3 fit"],
    ),
    "a number of a function with too many decimal places": (
        AMOUNT,
        {"postgres": "CREATE TABLE customer (no INTEGER PRIMARY KEY, amount numeric(9,2));"},
        ["customer.amount (numeric(9,2)) is given Decimal('1.125'): it has 3 decimal places, and 2 fit"],
    ),
    "a text of a function that a number is made of": (
        FUNCTION.replace('row["name"]', '"007"'),
        {"sqlite": "CREATE TABLE customer (no INTEGER PRIMARY KEY, name NUMERIC);"},
        ["customer.name (NUMERIC) is given '007': NUMERIC would make a number of the text"],
    ),
    "a column that is shorter than the source's": (
        COPY,
        {"postgres": "CREATE TABLE customer (no INTEGER PRIMARY KEY, name varchar(8));"},
        ["values may be too long for name (character varying(8)) from customers.name", "rejected, never cut"],
    ),
}


@dataclass(frozen=True)
class Company:
    """A folder for the migration, a source and a target of one kind."""

    folder: Path
    kind: str
    old: str
    new: str

    def make(self, target: str) -> None:
        for url, script in ((self.old, SOURCE), (self.new, target)):
            if self.kind == "sqlite":
                with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                    connection.executescript(script)
            else:
                with psycopg.connect(url) as postgres:
                    postgres.execute(script.encode())

    def milepost(self, command: str, objects: str, *options: str) -> Outcome:
        """Run the command and see that no database is changed, unless it is to run what can work."""
        (self.folder / "crm.py").write_text(textwrap.dedent(HEAD) + textwrap.dedent(objects))
        return milepost(self.folder, command, "crm.py", *options, OLD=self.old, NEW=self.new)

    def contents(self) -> list[Any]:
        return [self._content(url) for url in (self.old, self.new)]

    def _content(self, url: str) -> Any:
        if self.kind == "sqlite":
            path = Path(url.removeprefix("sqlite:///"))
            return sorted(each.name for each in path.parent.glob("*.db*")), path.read_bytes()
        relations = """SELECT nspname, relname, relkind FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
                       WHERE nspname !~ '^pg_|^information_schema$' ORDER BY 1, 2"""
        with psycopg.connect(url) as connection:
            found = connection.execute(relations).fetchall()
            tables = [name for schema, name, kind in found if kind == "r"]
            return found, [
                connection.execute(f"SELECT t::text FROM {name} t ORDER BY 1".encode()).fetchall() for name in tables
            ]


@pytest.fixture(params=["sqlite", "postgres"])
def company(request: pytest.FixtureRequest, tmp_path: Path) -> Company:
    if request.param == "sqlite":
        return Company(tmp_path, "sqlite", f"sqlite:///{tmp_path / 'old.db'}", f"sqlite:///{tmp_path / 'new.db'}")
    urls = request.getfixturevalue("postgres_urls")
    return Company(tmp_path, "postgres", urls(), urls())


@pytest.mark.parametrize(
    ("warning", "company"), [(name, kind) for name, case in WARNINGS.items() for kind in case[1]], indirect=["company"]
)
def test_a_target_that_provokes_it_is_told_and_nothing_is_written(company: Company, warning: str) -> None:
    objects, targets, said = WARNINGS[warning]
    company.make(targets[company.kind])
    before = company.contents()
    people, program = company.milepost("plan", objects), company.milepost("plan", objects, "--json")
    assert (people.status, program.status) == (0, 0), people.err
    (warned,) = program.document["objects"][0]["warnings"]
    for words in said:
        assert words in warned
    assert f"warning: {warned}" in people.out or f"warning: customer: {warned}" in people.out
    assert company.contents() == before


def test_a_plain_target_gives_no_warning(company: Company) -> None:
    company.make("CREATE TABLE customer (no INTEGER PRIMARY KEY, name TEXT, since TEXT NOT NULL DEFAULT 'now');")
    for objects in (COPY, FUNCTION):
        planned = company.milepost("plan", objects, "--json").document["objects"][0]
        assert planned["warnings"] == []


IDS = {
    "sqlite": "CREATE TABLE customer (id INTEGER PRIMARY KEY, no INTEGER UNIQUE, name TEXT, boss INTEGER{});",
    "postgres": "CREATE TABLE customer (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, no integer UNIQUE,"
    " name text, boss integer{});",
}
NO_KEY = """
    @crm.object(source=Table("customers", key="no"), target=Table("customer", id="id"))
    def customer(row):
        return {"no": row["no"], "name": row["name"]}
"""
OWN_PARENT = """
    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no", id="id"),
                parents={"boss": "self"})
    def customer(row):
        return {"no": row["no"], "name": row["name"], "boss": None}
"""
CIRCLE = (
    OWN_PARENT.replace('"self"', '"account"')
    + """
    @crm.object(source=Table("customers", key="no"), target=Table("account", key="no"), parents={"owner": "customer"})
    def account(row):
        return {"no": row["no"], "owner": row["no"]}
"""
)
ACCOUNT = "CREATE TABLE account (no INTEGER PRIMARY KEY, owner INTEGER{});"


def with_ids(column: str = "", account: str | None = None) -> dict[str, str]:
    """The tables for both databases; what ``column`` and ``account`` say stands behind the columns that may wait."""
    more = "" if account is None else ACCOUNT.format(account)
    return {kind: table.format(column) + more for kind, table in IDS.items()}


# What is declared, what the target is, what is told among the notes.
NOTES: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "an object without a key": (
        NO_KEY,
        with_ids(),
        ["customer has no key: the store keeps which source row has which id"],
    ),
    "a column that is set later": (
        OWN_PARENT,
        with_ids(),
        ["boss is left NULL at first and set in a second pass, customer/links, when the rows of customer are all"],
    ),
    "a circle": (
        CIRCLE,
        with_ids(account=" NOT NULL"),
        ["boss is left NULL at first and set in a second pass, customer/links, when the rows of account are all there"],
    ),
    "a source that cannot be looked at again": (COPY, with_ids(), ["no modified column"]),
    "rows that were there": (
        COPY,
        {kind: table + "INSERT INTO customer (no) VALUES (7);" for kind, table in with_ids().items()},
        ["customer holds rows, or will: rows are upserted on (no)"],
    ),
    "a table that another object fills before": (
        COPY + COPY.replace('"customer"', '"again"', 1),
        with_ids(),
        ["customer holds rows, or will: rows are upserted on (no)"],
    ),
    "rows that are deleted": (
        "    crm.deletes = 'apply'\n" + COPY,
        with_ids(),
        ["rows that are gone at the source are deleted, children first"],
    ),
    "a function that takes the checkpoint": (
        FUNCTION.replace("(row)", "(row, cp)"),
        with_ids(),
        ["its function takes the checkpoint and is not tried beforehand"],
    ),
}


@pytest.mark.parametrize("note", NOTES)
def test_what_is_to_be_known_is_noted_and_nothing_is_written(company: Company, note: str) -> None:
    objects, targets, said = NOTES[note]
    company.make(targets[company.kind])
    before = company.contents()
    people, program = company.milepost("plan", objects), company.milepost("plan", objects, "--json")
    assert (people.status, program.status) == (0, 0), people.err
    notes = " ".join(note for each in program.document["objects"] for note in each["notes"])
    for words in said:
        assert words in notes
        assert words in people.out
    assert company.contents() == before


CANNOT_WORK: dict[str, tuple[str, str | dict[str, str], list[str]]] = {
    "an id that the target lacks": (
        FUNCTION.replace('Table("customer", key="no")', 'Table("customer", key="no", id="ids")'),
        with_ids(),
        ["customer has no column ids", "Did you mean id?"],
    ),
    "an id that nothing makes": (
        FUNCTION.replace('Table("customer", key="no")', 'Table("customer", key="no", id="boss")'),
        with_ids(),
        ["the table does not make customer.boss itself"],
    ),
    "an only id that nothing makes": (
        NO_KEY.replace('id="id"', 'id="boss"'),
        with_ids(" UNIQUE"),
        ["the table does not make customer.boss itself"],
    ),
    "an id that the function gives": (
        FUNCTION.replace('key="no"))', 'key="no", id="id"))').replace('{"no"', '{"id": 1, "no"'),
        with_ids(),
        ["the target makes customer.id itself", "Leave it out"],
    ),
    "no key, and a store elsewhere": (
        "    crm.store = 'sqlite:///store.db'\n" + NO_KEY,
        with_ids(),
        ["customer has no key= and the store is in another database", "Name a key"],
    ),
    "an own parent that may not wait": (OWN_PARENT, with_ids(" NOT NULL"), ["customer", "boss", "NULL"]),
    "a circle of which no column may wait": (
        CIRCLE,
        with_ids(" NOT NULL", " NOT NULL"),
        ["circle", "customer", "account"],
    ),
    "a source with an id": (
        FUNCTION.replace('"customers", key="no"', '"customers", id="no"'),
        with_ids(),
        ["the source customers has an id="],
    ),
    "two columns for one id": (
        OWN_PARENT.replace('"boss": "self"', '("no", "boss"): "self"'),
        with_ids(),
        ["whose id goes into one column"],
    ),
    "a parent that is not there": (
        OWN_PARENT.replace('"self"', '"custmer"'),
        with_ids(),
        ["'custmer'", "Did you mean customer?"],
    ),
    "a column that nothing fills": (FUNCTION, NOT_NULL, ["nothing fills customer.by", "Return it from the function"]),
    "a column that a copy does not fill": (COPY, NOT_NULL, ["nothing fills customer.by", "Name it in columns="]),
    "a column that the target lacks": (
        FUNCTION,
        "CREATE TABLE customer (no INTEGER PRIMARY KEY, nam TEXT);",
        ["customer has no column name", "Did you mean nam?"],
    ),
}


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("mistake", CANNOT_WORK)
def test_what_cannot_work_is_refused_and_nothing_is_written(company: Company, mistake: str, command: str) -> None:
    objects, target, said = CANNOT_WORK[mistake]
    company.make(target if isinstance(target, str) else target[company.kind])
    before = company.contents()
    ended = company.milepost(command, objects)
    assert ended.status == 2, ended.err
    assert "Traceback" not in ended.err
    for words in said:
        assert words in ended.err
    assert company.contents() == before


def test_a_function_that_is_not_tried_is_refused_at_its_first_batch_with_nothing_loaded(company: Company) -> None:
    company.make(NOT_NULL)
    untried = FUNCTION.replace("(row)", "(row, cp)")
    planned = company.milepost("plan", untried, "--json")
    assert "is not tried beforehand" in " ".join(planned.document["objects"][0]["notes"])
    ended = company.milepost("run", untried)
    assert ended.status != 0
    assert "nothing fills customer.by" in ended.err
