"""Customers written to and told of by functions of the user's own: nothing there commits together with the store."""

import json
import os
from pathlib import Path

from milepost import Migration, Reject, Sink, Table

letters = Migration("letters", max_rejects=20, batch_rows=4)
BOOK, LOG = Path("addresses.json"), Path("sent.log")


def enter(rows, cp):
    """By upsert: the same rows once more change nothing."""
    known = json.loads(BOOK.read_text()) if BOOK.exists() else {}
    known |= {row["no"]: row["email"] for row in rows}
    Path("addresses.new").write_text(json.dumps(known, sort_keys=True))
    Path("addresses.new").replace(BOOK)


def send(rows, cp):
    """What was sent cannot be taken back. Whether it was is seen by the log's length, which is noted before."""
    length = LOG.stat().st_size if LOG.exists() else 0
    if cp.in_doubt and cp.token is not None and cp.token != length:
        return
    cp.settle_by(length)
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, "".join(f"{row['no']} {row['total']}\n" for row in rows).encode())
    os.close(log)


@letters.object(source=Table("customers", key="cust_no"), target=Sink(enter, key="no"))
def address(row):
    if "@" not in row["email"]:
        raise Reject("email has no @")
    return None if row["name"] == "TEST" else {"no": row["cust_no"], "email": row["email"]}


@letters.object(source=Table("orders", key="order_no"), target=Sink(send, key="no"))
def reminder(row):
    return [{"no": row["order_no"], "total": row["total"]}] * (row["total"] >= 0)
