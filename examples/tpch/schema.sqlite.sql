-- SQLite has neither decimals nor dates of its own; as text both stay exactly what they are.

CREATE TABLE customer (
    c_custkey    INTEGER PRIMARY KEY NOT NULL,
    c_name       TEXT NOT NULL,
    c_address    TEXT NOT NULL,
    c_nationkey  INTEGER NOT NULL,
    c_phone      TEXT NOT NULL,
    c_acctbal    TEXT NOT NULL,
    c_mktsegment TEXT NOT NULL,
    c_comment    TEXT NOT NULL
);

CREATE TABLE orders (
    o_orderkey      INTEGER PRIMARY KEY NOT NULL,
    o_custkey       INTEGER NOT NULL,
    o_orderstatus   TEXT NOT NULL,
    o_totalprice    TEXT NOT NULL,
    o_orderdate     TEXT NOT NULL,
    o_orderpriority TEXT NOT NULL,
    o_clerk         TEXT NOT NULL,
    o_shippriority  INTEGER NOT NULL,
    o_comment       TEXT NOT NULL
);

CREATE TABLE lineitem (
    l_orderkey      INTEGER NOT NULL,
    l_partkey       INTEGER NOT NULL,
    l_suppkey       INTEGER NOT NULL,
    l_linenumber    INTEGER NOT NULL,
    l_quantity      TEXT NOT NULL,
    l_extendedprice TEXT NOT NULL,
    l_discount      TEXT NOT NULL,
    l_tax           TEXT NOT NULL,
    l_returnflag    TEXT NOT NULL,
    l_linestatus    TEXT NOT NULL,
    l_shipdate      TEXT NOT NULL,
    l_commitdate    TEXT NOT NULL,
    l_receiptdate   TEXT NOT NULL,
    l_shipinstruct  TEXT NOT NULL,
    l_shipmode      TEXT NOT NULL,
    l_comment       TEXT NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber)
);
