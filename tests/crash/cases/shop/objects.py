"""A shop's objects, small and of every sort: parents and children, composite keys, rejects, filtered and split rows.

Its two migrations share them; ``BATCH_ROWS`` makes fourteen batches of them.
"""

from milepost import Migration, Reject, Table

BATCH_ROWS = 8
JOURNAL = "CREATE TABLE IF NOT EXISTS shop_journal (line TEXT)"


def declare(shop: Migration):
    """Declare the objects, and return the last of them."""
    shop.object(  # into a table that holds rows: upserted, some of them unchanged
        "currency",
        source=Table("currencies", key="code"),
        target=Table("currency", key="iso"),
        columns={"iso": "code", "name": "name"},
    )

    @shop.object(source=Table("customers", key="cust_no"), target=Table("customer", key="legacy_no"))
    def customer(row):
        if "@" not in row["email"]:
            raise Reject("email has no @")
        if row["name"] == "TEST":
            return None
        return {"legacy_no": row["cust_no"].split("-")[0], "name": row["name"].strip(), "email": row["email"].lower()}

    @shop.object(
        source=Table("orders", key="order_no"),
        target=Table("sale", key="sale_no"),
        parents={"customer": customer},
    )
    def sale(row):
        return {"sale_no": row["order_no"], "customer": row["cust_no"], "total": row["total"]}

    @shop.object(
        source=Table("order_lines", key=("order_no", "line_no")),
        target=Table("sale_line", key=("sale_no", "line_no")),
        parents={"sale_no": sale},
    )
    def sale_line(row):
        return {"sale_no": row["order_no"], "line_no": row["line_no"], "amount": row["amount"]}

    shop.object(
        "refund",
        source=Table("refunds", key="refund_no"),
        target=Table("refund", key="refund_no"),
        columns={"refund_no": "refund_no", "sale_no": "order_no", "line_no": "line_no"},
        parents={("sale_no", "line_no"): sale_line},
    )

    @shop.object(source=Table("notes", key="note_no"), target=Table("tag", key=("note_no", "word")))
    def tag(row):
        return [{"note_no": row["note_no"], "word": word} for word in row["words"].split()]

    @shop.before
    def open_books(cp):
        journal(cp, "opened")

    @shop.step(after=customer)
    def greet(cp):
        journal(cp, "greeted")

    @shop.after
    def close_books(cp):
        journal(cp, "closed")

    return tag


def journal(cp, line):
    """Write a line into the store's database, exactly once: it commits together with the step's position."""
    if cp.position is None:
        with cp.transaction() as connection:
            connection.execute(JOURNAL)
            connection.execute(f"INSERT INTO shop_journal VALUES ('{line}')")
            cp.save(line)
