"""TPC-H's customers, their orders and the lines of these: three plain copies, each after its parent.

`prepare.py` makes and fills a source; README.md tells how to go on from there.
"""

from milepost import Migration, Table

tpch = Migration("tpch", source="${TPCH_SOURCE}", target="${TPCH_TARGET}")

customer = tpch.object(
    "customer",
    source=Table("customer", key="c_custkey"),
    target=Table("customer", key="c_custkey"),
)

orders = tpch.object(
    "orders",
    source=Table("orders", key="o_orderkey"),
    target=Table("orders", key="o_orderkey"),
    parents={"o_custkey": customer},
)

lineitem = tpch.object(
    "lineitem",
    source=Table("lineitem", key=("l_orderkey", "l_linenumber")),
    target=Table("lineitem", key=("l_orderkey", "l_linenumber")),
    parents={"l_orderkey": orders},
)

if __name__ == "__main__":
    tpch.run()
