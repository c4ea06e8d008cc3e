"""TPC-H's lineitem through a Python function with dlt, as its guide has it: SOURCE TARGET FOLDER. Upsert by its key."""

from __future__ import annotations

import sys
from typing import Any

import dlt
from dlt.sources.sql_database import sql_table

source, target, folder = sys.argv[1:]


def restructure(row: dict[str, Any]) -> dict[str, Any]:
    row["l_comment"] = row["l_comment"].rstrip(".")
    return row


lines = sql_table(
    source,
    "lineitem",
    write_disposition={"disposition": "merge", "strategy": "upsert"},
    primary_key=["l_orderkey", "l_linenumber"],
)
pipeline = dlt.pipeline(
    "lines", destination=dlt.destinations.postgres(target), dataset_name="moved", pipelines_dir=folder
)
pipeline.run(lines.add_map(restructure))
