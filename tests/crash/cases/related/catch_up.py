"""A source that changes while the migration goes on: a step of its own sees to it, once and for all."""

import os

from changes import CHANGES
from objects import BATCH_ROWS, declare_customers

from milepost import Migration

crm = Migration("catch-up", max_rejects=20, batch_rows=BATCH_ROWS, deletes="apply")
customer = declare_customers(crm)


@crm.step(after=customer)
def live_on(cp):
    """Whatever is run twice here comes to the same."""
    url = os.environ["CRASHTEST_SOURCE"]
    if url.startswith("sqlite"):
        import sqlite3

        source = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    else:
        import psycopg

        source = psycopg.connect(url, autocommit=True)
    for statement in CHANGES:
        source.execute(statement)
    source.close()
