"""One wide object through a Python function."""

from milepost import Migration, Table

lines_only = Migration("lines", source="${BENCH_SOURCE}", target="${BENCH_TARGET}")
KEY = ("l_orderkey", "l_linenumber")


@lines_only.object(source=Table("lineitem", key=KEY), target=Table("lineitem", key=KEY))
def lineitem(row):
    row["l_comment"] = row["l_comment"].rstrip(".")
    return row
