-- The new system: it knows what a date is, what an amount is, and who belongs to whom.
-- Money is in whole cents, dates are written YYYY-MM-DD ('+0 days' makes SQLite look at the calendar).

CREATE TABLE customer (
    customer_no TEXT NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    email       TEXT,
    country     TEXT NOT NULL CHECK (length(country) = 2),
    since       TEXT NOT NULL CHECK (since = date(since, '+0 days'))
);

CREATE TABLE invoice (
    invoice_no  TEXT NOT NULL PRIMARY KEY,
    customer_no TEXT NOT NULL REFERENCES customer,
    issued_on   TEXT NOT NULL CHECK (issued_on = date(issued_on, '+0 days')),
    currency    TEXT NOT NULL,
    total_cents INTEGER NOT NULL
);

CREATE TABLE invoice_line_item (
    invoice_no       TEXT NOT NULL REFERENCES invoice,
    line_no          INTEGER NOT NULL,
    article          TEXT NOT NULL,
    description      TEXT NOT NULL,
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (invoice_no, line_no)
);

CREATE TABLE supplier (
    supplier_no INTEGER NOT NULL PRIMARY KEY,
    name        TEXT NOT NULL,
    vat_no      TEXT
);

CREATE TABLE purchase_order (
    order_no    INTEGER NOT NULL PRIMARY KEY,
    supplier_no INTEGER NOT NULL REFERENCES supplier,
    ordered_on  TEXT NOT NULL CHECK (ordered_on = date(ordered_on, '+0 days'))
);

CREATE TABLE purchase_order_line_item (
    order_no         INTEGER NOT NULL REFERENCES purchase_order,
    line_no          INTEGER NOT NULL,
    article          TEXT NOT NULL,
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_no, line_no)
);
