"""The public face as a type checker sees it: `make check` runs mypy over this file; nothing runs it.

An ignored error is a promise too: mypy complains when the mistake below it is no longer found.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, assert_type

from milepost import Checkpoint, Job, Migration, Query, Reject, Rows, Sink, Table

crm = Migration("crm", source="sqlite:///legacy.db", target="postgresql://localhost/crm", max_rejects="2%")


@crm.object(source=Table("customers", key="cust_no"), target=Table("customer", key="legacy_no"))
def customer(row: dict[str, Any]) -> dict[str, Any] | None:
    if "@" not in (row["email"] or ""):
        raise Reject("email has no @")
    return {"legacy_no": row["cust_no"], "email": row["email"].lower()}


@crm.object(
    source=Query("SELECT * FROM invoices WHERE total > 0", key=("inv_no", "line_no")),
    target=Table("invoice", key=["legacy_no", "line_no"]),
    parents={"customer_id": customer},
    on_duplicate="last",
    max_rejects=10,
)
def invoice(row: dict[str, Any], cp: Checkpoint) -> list[dict[str, Any]]:
    return [{"legacy_no": row["inv_no"], "customer_id": row["cust_no"], "moved_at": cp.now}]


def rates(after: Any) -> Iterator[dict[str, Any]]:
    yield {"code": "EUR", "rate": 1}


currency = crm.object("currency", source=Rows(rates, key="code"), target=Table("currency", key="code"))
country = crm.object(
    "country",
    source=Table("countries", key="iso"),
    target=Table("country", key="code"),
    columns={"code": "iso"},
    parents={"currency": currency, ("region", "zone"): customer},
)


def send(rows: list[dict[str, Any]], cp: Checkpoint) -> None:
    assert_type(cp.in_doubt, bool)
    cp.settle_by({"job": "4711"})


def send_alone(rows: list[dict[str, Any]]) -> None: ...


crm.object("account", source=Table("customers", key="cust_no"), target=Sink(send, key="cust_no"))
Sink(send)  # type: ignore[call-arg]  # what is sent again is told by its key
Sink(send_alone, key="cust_no")  # type: ignore[arg-type]


@customer.rollback
def undo(cp: Checkpoint) -> None: ...


@crm.before
def open_books() -> None: ...


@crm.step(after=customer)
def tell_sales(cp: Checkpoint) -> None: ...


@crm.after
def close_books() -> None: ...


crm.object("person", source=Table("people", key="no", modified="changed_at"), target=Table("person", id="person_id"))


@crm.object(
    source=Table("employees", key="no"),
    target=Table("employee", key="no", id="employee_id"),
    parents={"reports_to": "self", "department_id": "department"},
)
def employee(row: dict[str, Any]) -> dict[str, Any]:
    return {"no": row["no"], "reports_to": row["boss"], "department_id": row["department"]}


Table("customer")  # type: ignore[call-overload]  # a table has a key, or an id that it makes
crm.object("boss", source=Table("b", key="no"), target=Table("b", id="id"), parents={"a": 1})  # type: ignore[arg-type]
Migration("crm", sourec="sqlite:///legacy.db")  # type: ignore[call-arg]
crm.object("currency", source="currencies", target=Table("currency", key="code"))  # type: ignore[call-overload]

job = Job("month-end", store="sqlite:///month-end.db")


@job.step
def convert(cp: Checkpoint, workbook: str) -> int:
    assert_type(cp.recovering, bool)
    assert_type(cp.attempt, int)
    assert_type(cp.paused_for, timedelta | None)
    assert_type(cp.now, datetime)
    cp.once("started", lambda: "now")
    with cp.transaction() as connection:
        connection.execute("DELETE FROM sheet")
        cp.save({"row": 1})
    return 1


@convert.rollback
def _(cp: Checkpoint, workbook: str) -> None: ...


@job.step(key=str.lower)
def post(cp: Checkpoint, region: str) -> None:
    for batch in cp.each([1, 2, 3], size=2, position=lambda last: last + 1):
        assert_type(batch, list[int])


@job.main
def month_end() -> None:
    assert_type(convert("sales.xlsx"), int)
    convert(workbook="sales.xlsx")
    post("EMEA")
    post(1)  # type: ignore[arg-type]
    convert()  # type: ignore[call-arg]
    convert("sales.xlsx", "more.xlsx")  # type: ignore[call-arg]


job.run()
crm.run()
