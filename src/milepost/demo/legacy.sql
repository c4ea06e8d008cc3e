-- The old system: everything is text, nothing refers to anything, and every office writes as it likes.

CREATE TABLE customers (
    id      INTEGER PRIMARY KEY,
    cust_no TEXT,              -- should be unique, and is not
    name    TEXT,
    email   TEXT,
    country TEXT,
    since   TEXT               -- 2019-03-07, 07.03.2019 or 03/07/2019
);

CREATE TABLE invoices (
    inv_no   TEXT NOT NULL PRIMARY KEY,
    cust_no  TEXT,
    inv_date TEXT,
    currency TEXT,
    total    TEXT              -- 1234.50 or 1.234,50
) WITHOUT ROWID;

CREATE TABLE invoice_lines (
    inv_no  TEXT NOT NULL,
    line_no INTEGER NOT NULL,
    article TEXT,
    text    TEXT,
    qty     INTEGER,
    price   TEXT,
    PRIMARY KEY (inv_no, line_no)
) WITHOUT ROWID;

CREATE TABLE suppliers (
    sup_no INTEGER PRIMARY KEY,
    name   TEXT,
    vat    TEXT
);

CREATE TABLE orders (
    order_no   INTEGER PRIMARY KEY,
    sup_no     INTEGER,
    order_date TEXT
);

CREATE TABLE order_lines (
    order_no INTEGER NOT NULL,
    line_no  INTEGER NOT NULL,
    article  TEXT,
    qty      INTEGER,
    price    TEXT,
    PRIMARY KEY (order_no, line_no)
) WITHOUT ROWID;
