-- The new system: it knows what a date is, what an amount is, and who belongs to whom. Whoever has an id is known by it:
-- the database makes it, and others refer to it. Money is in whole cents, dates are written YYYY-MM-DD ('+0 days' makes
-- SQLite look at the calendar).

CREATE TABLE customer (
    customer_id INTEGER PRIMARY KEY,
    customer_no TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    email       TEXT,
    country     TEXT NOT NULL CHECK (length(country) = 2),
    since       TEXT NOT NULL CHECK (since = date(since, '+0 days'))
);

CREATE TABLE invoice (
    invoice_id  INTEGER PRIMARY KEY,
    invoice_no  TEXT NOT NULL UNIQUE,
    customer_id INTEGER NOT NULL REFERENCES customer,
    issued_on   TEXT NOT NULL CHECK (issued_on = date(issued_on, '+0 days')),
    currency    TEXT NOT NULL,
    total_cents INTEGER NOT NULL
);

CREATE TABLE invoice_line_item (
    invoice_id       INTEGER NOT NULL REFERENCES invoice,
    line_no          INTEGER NOT NULL,
    article          TEXT NOT NULL,
    description      TEXT NOT NULL,
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (invoice_id, line_no)
);

CREATE TABLE supplier (
    supplier_id INTEGER PRIMARY KEY,
    supplier_no INTEGER NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    vat_no      TEXT
);

CREATE TABLE purchase_order (
    order_id    INTEGER PRIMARY KEY,
    order_no    INTEGER NOT NULL UNIQUE,
    supplier_id INTEGER NOT NULL REFERENCES supplier,
    ordered_on  TEXT NOT NULL CHECK (ordered_on = date(ordered_on, '+0 days'))
);

CREATE TABLE purchase_order_line_item (
    line_item_id     INTEGER PRIMARY KEY,  -- nothing else is unique here: the database would take a line twice
    order_id         INTEGER NOT NULL REFERENCES purchase_order,
    line_no          INTEGER NOT NULL,
    article          TEXT NOT NULL,
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL
);
