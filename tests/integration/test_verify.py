"""Source and target compared, in every pairing: what is wrong is found and named, and nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from milepost.errors import Interrupted, PlanError, Reject
from milepost.jobs.event import BatchCommitted, Told
from milepost.jobs.stop import Stop
from milepost.migration.findings import Kind
from milepost.migration.migration import Migration
from milepost.migration.table import Rows, Sink, Table
from milepost.migration.verified import Verified
from milepost.wiring.run import run
from milepost.wiring.verify import verify

ROWS = 40


@pytest.fixture
def company(pair):
    """40 customers, 3 without e-mail; 40 invoices: 4 of total 0, 2 others of a customer that is rejected."""
    pair.source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, name text, email text, credit numeric(12, 2))",
        "CREATE TABLE invoices (inv integer PRIMARY KEY, cust integer, total integer)",
    )
    customers = [(no, f"Name {no}", None if no % 15 == 5 else f"c{no}@x", f"{no}.50") for no in range(1, ROWS + 1)]
    pair.source.insert("customers", customers)
    pair.source.insert("invoices", [(no, no, 0 if no % 10 == 0 else no) for no in range(1, ROWS + 1)])
    pair.target.execute(
        "CREATE TABLE customer (no integer PRIMARY KEY, name text NOT NULL, email text, credit numeric(12, 2))",
        "CREATE TABLE invoice (inv integer PRIMARY KEY, cust integer REFERENCES customer (no), total integer)",
    )
    return pair


def a_migration(pair, **settings: Any) -> Migration:
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, max_rejects=10, batch_rows=8, **settings)

    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
    def customer(row):
        if row["email"] is None:
            raise Reject("no email")
        return {**row, "email": row["email"].upper()}

    @crm.object(source=Table("invoices", key="inv"), target=Table("invoice", key="inv"), parents={"cust": customer})
    def invoice(row):
        return row if row["total"] else None

    return crm


def numbers(found: Verified, name: str) -> dict[str, int]:
    (each,) = [each for each in found.objects if each.name == name]
    names = ("read", "equal", "missing", "differing", "extra", "refused", "rejected", "filtered")
    return {name: value for name in names if (value := getattr(each.now, name))}


def examples(found: Verified, name: str) -> list[tuple[Any, ...]]:
    (each,) = [each for each in found.objects if each.name == name]
    return [(one.kind, one.key, one.target_key, dict(one.columns), one.reason) for one in each.now.examples]


def content(database) -> Any:
    """The file's bytes, or every row of every table of the server's database."""
    if database.url.startswith("sqlite"):
        return Path(database.url.removeprefix("sqlite:///")).read_bytes()
    tables = database.rows(
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2"
    )
    return {
        table: sorted(map(repr, database.rows(f'SELECT t::text, xmin::text FROM "{table[0]}"."{table[1]}" AS t')))
        for table in tables
    }


def test_where_nothing_was_changed_nothing_differs_and_nothing_is_written(company, tmp_path) -> None:
    run(a_migration(company))
    before = content(company.source), content(company.target)

    found = verify(a_migration(company), beside=tmp_path)

    assert found.ok
    assert numbers(found, "customer") == {"read": 40, "equal": 37, "rejected": 3}
    assert numbers(found, "invoice") == {"read": 40, "equal": 34, "filtered": 4, "rejected": 2}
    assert (content(company.source), content(company.target)) == before
    assert list(tmp_path.glob("*verify*")) == []


def test_rows_that_are_missing_differ_or_are_too_many_are_found_and_named(company, tmp_path) -> None:
    run(a_migration(company))
    company.target.execute(
        "DELETE FROM invoice WHERE inv IN (11, 12)",
        "UPDATE invoice SET total = -1 WHERE inv = 13",
        "UPDATE customer SET name = 'Other', credit = 8.51 WHERE no = 8",
        "INSERT INTO customer VALUES (99, 'Nobody', NULL, 0)",
    )
    before = content(company.source), content(company.target)

    found = verify(a_migration(company), beside=tmp_path)

    assert not found.ok
    assert numbers(found, "customer") == {"read": 40, "equal": 36, "differing": 1, "extra": 1, "rejected": 3}
    assert numbers(found, "invoice") == {
        "read": 40, "equal": 31, "missing": 2, "differing": 1, "filtered": 4, "rejected": 2,
    }  # fmt: skip
    differing, extra = examples(found, "customer")
    assert differing[:3] == (Kind.DIFFERING, [8], [8])
    assert differing[3]["name"] == ["Other", "Name 8"]
    assert {name: [float(value) for value in pair] for name, pair in differing[3].items() if name == "credit"} == {
        "credit": [8.51, 8.5]
    }
    assert set(differing[3]) == {"name", "credit"}
    assert extra[:3] == (Kind.EXTRA, None, [99])
    assert [one[:2] for one in examples(found, "invoice")] == [
        (Kind.MISSING, [11]),
        (Kind.MISSING, [12]),
        (Kind.DIFFERING, [13]),
    ]
    assert (content(company.source), content(company.target)) == before


def test_a_row_that_cannot_be_moved_now_and_was_no_reject_is_refused(company, tmp_path) -> None:
    run(a_migration(company))
    company.source.execute("UPDATE customers SET email = NULL WHERE no = 1")
    company.source.insert("invoices", [(41, 77, 5)])

    found = verify(a_migration(company), beside=tmp_path)

    assert numbers(found, "customer") == {"read": 40, "equal": 36, "extra": 1, "refused": 1, "rejected": 3}
    assert examples(found, "customer")[0] == (Kind.REFUSED, [1], None, {}, "no email")
    assert numbers(found, "invoice")["refused"] == 1
    assert examples(found, "invoice")[0] == (Kind.REFUSED, [41], None, {}, "no customer with no 77")


def test_a_reject_that_could_be_moved_now_is_missing(company, tmp_path) -> None:
    run(a_migration(company))
    company.source.execute("UPDATE customers SET email = 'five@x' WHERE no = 5")

    found = verify(a_migration(company), beside=tmp_path)

    assert numbers(found, "customer") == {"read": 40, "equal": 37, "missing": 1, "rejected": 2}
    assert examples(found, "customer") == [(Kind.MISSING, [5], [5], {}, "it was rejected: no email")]


def test_an_interrupted_comparison_goes_on_where_it_was_and_tells_all_it_found(company, tmp_path) -> None:
    run(a_migration(company))
    company.target.execute("UPDATE customer SET name = 'Other' WHERE no IN (1, 40)")
    stop, compared = Stop(), []

    def emit(event: object) -> None:
        if isinstance(event, BatchCommitted):
            compared.append((event.path, event.seq))
            if len(compared) == 2:
                stop.request()

    with pytest.raises(Interrupted):
        verify(a_migration(company), beside=tmp_path, emit=emit, stop=stop)
    assert compared == [("customer", 1), ("customer", 2)]
    stop = Stop()
    found = verify(a_migration(company), beside=tmp_path, emit=emit, stop=stop)

    assert compared == [*(("customer", seq) for seq in range(1, 6)), *(("invoice", seq) for seq in range(1, 6))]
    assert numbers(found, "customer") == {"read": 40, "equal": 35, "differing": 2, "rejected": 3}
    assert [one[1] for one in examples(found, "customer")] == [[1], [40]]


def test_a_comparison_that_was_interrupted_begins_anew_once_more_was_moved(company, tmp_path) -> None:
    run(a_migration(company), catch_up_limit=0)
    stop = Stop()
    with pytest.raises(Interrupted):
        verify(
            a_migration(company),
            beside=tmp_path,
            emit=lambda event: isinstance(event, BatchCommitted) and stop.request(),
            stop=stop,
        )
    company.source.insert("customers", [(41, "New", "n@x", "1.00")])
    run(a_migration(company), recheck=True)
    told: list[str] = []

    found = verify(a_migration(company), beside=tmp_path, emit=lambda event: told.append(getattr(event, "message", "")))

    assert found.ok
    assert numbers(found, "customer")["read"] == 41
    assert not [text for text in told if "going on" in text]


def test_examples_are_limited_and_numbers_are_not(company, tmp_path) -> None:
    run(a_migration(company))
    company.target.execute("DELETE FROM invoice")

    found = verify(a_migration(company), beside=tmp_path, most=3)

    assert numbers(found, "invoice")["missing"] == 34
    assert [one[1] for one in examples(found, "invoice")] == [[1], [2], [3]]


def test_a_sample_looks_at_the_first_rows_of_every_range(company, tmp_path) -> None:
    run(a_migration(company))
    company.target.execute("UPDATE customer SET name = 'Other' WHERE no IN (9, 16)")

    found = verify(a_migration(company), beside=tmp_path, sample=0.25, seed=3)

    assert numbers(found, "customer")["read"] == 10
    assert [one[1] for one in examples(found, "customer")] == [[9]]
    assert (found.sample, found.seed) == (0.25, 3)
    assert "sample" in found.objects[0].notes[0]


def test_only_the_named_object_is_compared(company, tmp_path) -> None:
    run(a_migration(company))

    found = verify(a_migration(company), beside=tmp_path, only="invoice")

    assert [each.name for each in found.objects] == ["invoice"]
    with pytest.raises(PlanError, match="has no object called invoices"):
        verify(a_migration(company), beside=tmp_path, only="invoices")


def test_what_is_not_complete_is_compared_up_to_its_position_and_that_is_no_success(company, tmp_path) -> None:
    stop, seen = Stop(), []

    def emit(event: object) -> None:
        if isinstance(event, BatchCommitted) and event.path == "customer":
            seen.append(event.seq)
            if len(seen) == 2:
                stop.request()

    with pytest.raises(Interrupted):
        run(a_migration(company), emit=emit, stop=stop)

    found = verify(a_migration(company), beside=tmp_path)

    assert numbers(found, "customer") == {"read": 16, "equal": 15, "rejected": 1}
    assert not found.ok
    assert "not complete" in found.objects[0].notes[0]
    assert found.objects[1].compared is False
    with pytest.raises(PlanError, match="not complete"):
        verify(a_migration(company), beside=tmp_path, repair=True)


def test_before_anything_was_moved_there_is_nothing_to_compare(company, tmp_path) -> None:
    with pytest.raises(PlanError, match="moved nothing yet"):
        verify(a_migration(company), beside=tmp_path)
    assert list(tmp_path.glob("*verify*")) == []


def test_a_function_is_given_the_time_and_the_values_that_the_run_had(sqlite_pair, tmp_path) -> None:
    sqlite_pair.source.execute("CREATE TABLE a (no integer PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    sqlite_pair.target.execute("CREATE TABLE b (no integer PRIMARY KEY, at text, drawn integer)")
    drawn = iter(range(10))

    def stamping() -> Migration:
        job = Migration("stamps", source=sqlite_pair.source.url, target=sqlite_pair.target.url)

        @job.object(source=Table("a", key="no"), target=Table("b", key="no"))
        def stamp(row, cp):
            return {"no": row["no"], "at": cp.now.isoformat(), "drawn": cp.once("drawn", lambda: next(drawn))}

        return job

    run(stamping())
    assert verify(stamping(), beside=tmp_path).ok
    assert next(drawn) == 1


def test_where_the_last_row_with_a_key_wins_those_before_it_are_no_differences(sqlite_pair, tmp_path) -> None:
    sqlite_pair.source.execute("CREATE TABLE a (no integer PRIMARY KEY, key text, value text)")
    rows = [(no, f"k{no % 7}", f"v{no}") for no in range(1, 31)]
    sqlite_pair.source.insert("a", rows)
    sqlite_pair.target.execute("CREATE TABLE b (key text PRIMARY KEY, value text)")
    job = Migration("last", source=sqlite_pair.source.url, target=sqlite_pair.target.url, batch_rows=4)
    job.object(
        "b", source=Table("a", key="no"), target=Table("b", key="key"), columns={"key": "key", "value": "value"},
        on_duplicate="last",
    )  # fmt: skip
    run(job)
    assert verify(job, beside=tmp_path).ok
    sqlite_pair.target.execute("UPDATE b SET value = 'v3' WHERE key = 'k3'", "INSERT INTO b VALUES ('more', 'x')")

    found = verify(job, beside=tmp_path)

    assert numbers(found, "b") == {"read": 30, "equal": 29, "differing": 1, "extra": 1}
    assert examples(found, "b")[0][:3] == (Kind.DIFFERING, [24], ["k3"])


def test_rows_that_were_split_are_compared_part_by_part(sqlite_pair, tmp_path) -> None:
    sqlite_pair.source.execute("CREATE TABLE a (no integer PRIMARY KEY)", "INSERT INTO a VALUES (1), (2), (3)")
    sqlite_pair.target.execute("CREATE TABLE b (no integer, part integer, PRIMARY KEY (no, part))")
    job = Migration("split", source=sqlite_pair.source.url, target=sqlite_pair.target.url)

    @job.object(source=Table("a", key="no"), target=Table("b", key=("no", "part")))
    def b(row):
        return [{"no": row["no"], "part": part} for part in range(row["no"])]

    run(job)
    sqlite_pair.target.execute("DELETE FROM b WHERE no = 3 AND part = 1")

    found = verify(job, beside=tmp_path)

    assert numbers(found, "b") == {"read": 3, "equal": 5, "missing": 1}
    assert examples(found, "b")[0][:3] == (Kind.MISSING, [3], [3, 1])


def test_what_cannot_be_compared_is_said(sqlite_pair, tmp_path) -> None:
    sqlite_pair.source.execute("CREATE TABLE a (no integer PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    sqlite_pair.target.execute("CREATE TABLE b (no integer PRIMARY KEY)")
    job = Migration("sent", source=sqlite_pair.source.url, target=sqlite_pair.target.url)
    job.object("sent", source=Table("a", key="no"), target=Sink(lambda rows, cp: None, key="no"))
    job.object(
        "read", source=Rows(lambda after: ({"no": no} for no in range(5, 8) if after is None or no > after), key="no"),
        target=Table("b", key="no"),
    )  # fmt: skip
    run(job)

    found = verify(job, beside=tmp_path)

    assert "nobody can look at" in found.objects[0].notes[0]
    assert numbers(found, "read") == {"read": 3, "equal": 3}
    assert not found.ok


def test_that_a_comparison_goes_on_with_an_earlier_one_is_told(sqlite_pair, tmp_path) -> None:
    sqlite_pair.source.execute("CREATE TABLE a (no integer PRIMARY KEY)", "INSERT INTO a VALUES (1), (2)")
    sqlite_pair.target.execute("CREATE TABLE b (no integer PRIMARY KEY)")
    job = Migration("twice", source=sqlite_pair.source.url, target=sqlite_pair.target.url)
    job.object("b", source=Table("a", key="no"), target=Table("b", key="no"))
    run(job)
    stop, told = Stop(), []
    with pytest.raises(Interrupted):
        verify(job, beside=tmp_path, emit=lambda event: isinstance(event, BatchCommitted) and stop.request(), stop=stop)

    verify(job, beside=tmp_path, emit=lambda event: told.append(event.message) if isinstance(event, Told) else None)

    assert told[0] == "going on with the comparison that was interrupted"


def test_that_an_interrupted_comparison_is_given_up_for_another_one_is_told(company, tmp_path) -> None:
    run(a_migration(company))
    stop, told = Stop(), []
    with pytest.raises(Interrupted):
        verify(
            a_migration(company),
            beside=tmp_path,
            emit=lambda event: isinstance(event, BatchCommitted) and stop.request(),
            stop=stop,
        )

    def note(event: object) -> None:
        told.extend([event.message] if isinstance(event, Told) else [])

    verify(a_migration(company), beside=tmp_path, only="invoice", emit=note)
    assert told[0].startswith("a comparison that was interrupted is given up")
    told.clear()
    verify(a_migration(company), beside=tmp_path, emit=note)

    assert not [text for text in told if "given up" in text]  # that one came to its end
