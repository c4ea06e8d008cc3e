"""One object through a Python function: the row lane."""

from milepost import Migration, Table

orders_only = Migration("orders", source="${BENCH_SOURCE}", target="${BENCH_TARGET}")


@orders_only.object(source=Table("orders", key="o_orderkey"), target=Table("orders", key="o_orderkey"))
def orders(row):
    row["o_comment"] = row["o_comment"].rstrip(".")
    return row
