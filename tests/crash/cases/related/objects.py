"""Objects whose rows refer to each other by ids that the target makes; the migrations beside this file choose."""

from milepost import Migration, Reject, Table

BATCH_ROWS = 5


def declare_customers(crm: Migration):
    """Branches, customers, sales and their lines: composite and optional parents."""
    crm.object(
        "branch",
        source=Table("branches", key=("country", "no"), modified="changed"),
        target=Table("branch", key=("country", "no"), id="id"),
        columns={"country": "country", "no": "no", "name": "name"},
    )

    @crm.object(
        source=Table("customers", key="cust_no", modified="changed"),
        target=Table("customer", key="legacy_no", id="id"),
        parents={"branch_id": "branch"},
    )
    def customer(row):
        if "@" not in row["email"]:
            raise Reject("email has no @")
        branch = (row["country"], row["branch_no"])
        return {"legacy_no": row["cust_no"], "name": row["name"], "email": row["email"], "branch_id": branch}

    @crm.object(
        source=Table("orders", key="order_no", modified="changed"),
        target=Table("sale", key="number", id="id"),
        parents={"customer_id": customer},
    )
    def sale(row):
        return {"number": row["order_no"], "customer_id": row["cust_no"], "total": row["total"]}

    crm.object(
        "sale_line",
        source=Table("order_lines", key=("order_no", "line_no"), modified="changed"),
        target=Table("sale_line", key=("sale_id", "line_no")),
        columns={"sale_id": "order_no", "line_no": "line_no", "amount": "amount"},
        parents={"sale_id": sale},
    )
    return customer


def declare_notes(crm: Migration):
    """Rows without a natural key in the target: only the key map knows which came of which."""

    @crm.object(source=Table("customers", key="cust_no", modified="changed"), target=Table("person", id="id"))
    def person(row):
        return {"name": row["name"]}

    @crm.object(
        source=Table("notes", key=("cust_no", "at"), modified="changed"),
        target=Table("note", id="id"),
        parents={"person_id": person, "answers_id": "self"},
    )
    def note(row):
        answered = (row["cust_no"], row["answers"])
        return [{"words": word, "person_id": row["cust_no"], "answers_id": answered} for word in row["words"].split()]


def declare_staff(crm: Migration, *, departments: bool):
    """Employees and their managers; with departments, whose heads are employees, a circle."""
    parents = {"manager_id": "self"}
    if departments:
        parents["department_id"] = "department"

        @crm.object(
            source=Table("departments", key="code"),
            target=Table("department", key="code", id="id"),
            parents={"head_id": "employee"},
        )
        def department(row):
            return {"code": row["code"], "name": row["name"], "head_id": row["head_no"]}

    @crm.object(
        source=Table("staff", key="staff_no", modified="changed"),
        target=Table("employee", key="number", id="id"),
        parents=parents,
    )
    def employee(row):
        one = {"number": row["staff_no"], "name": row["name"], "manager_id": row["manager_no"]}
        return {**one, "department_id": row["department"]} if departments else one
