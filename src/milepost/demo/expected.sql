-- What must come out of legacy.db, worked out by plain SQL that knows nothing of company.py.
--
--     sqlite3 legacy.db < expected.sql        (in a sqlite3 shell: .read expected.sql, then look around)
--
-- For each object a temporary table expected_OBJECT holds the rows that the new database must have, with the old numbers
-- in place of its ids: those may be any, as long as they lead to the right row. And expected_reject holds every row that
-- must have been refused: object, source key (as JSON), stage and reason.

CREATE TEMP TABLE expected_reject (object TEXT, source_key TEXT, stage TEXT, reason TEXT);


-- Dates and amounts, each way of writing read once

CREATE TEMP TABLE days AS
    WITH texts (text) AS (SELECT since FROM customers UNION SELECT inv_date FROM invoices UNION SELECT order_date FROM orders),
        sorted (text, iso) AS (SELECT text, CASE
            WHEN text LIKE '__.__.____' THEN substr(text, 7) || '-' || substr(text, 4, 2) || '-' || substr(text, 1, 2)
            WHEN text LIKE '__/__/____' THEN substr(text, 7) || '-' || substr(text, 1, 2) || '-' || substr(text, 4, 2)
            ELSE text END FROM texts)
    SELECT text, iso FROM sorted WHERE iso IS date(iso, '+0 days');
CREATE UNIQUE INDEX temp.days_text ON days (text);

CREATE TEMP TABLE amounts AS
    WITH texts (text) AS (SELECT total FROM invoices UNION SELECT price FROM invoice_lines UNION SELECT price FROM order_lines),
        plain (text, number) AS (SELECT text, trim(CASE
            WHEN text LIKE '%,%' THEN replace(replace(text, '.', ''), ',', '.') ELSE text END) FROM texts)
    SELECT text, CAST(round(CAST(number AS REAL) * 100) AS INTEGER) AS cents
    FROM plain WHERE number GLOB '*[0-9]*' AND number NOT GLOB '*[^0-9.]*';
CREATE UNIQUE INDEX temp.amounts_text ON amounts (text);


-- Customer: the first of several rows with one number is taken

CREATE TEMP TABLE read_customer AS
    SELECT id, trim(cust_no, char(9, 32, 160)) AS customer_no, trim(name, char(9, 32, 160)) AS name,
        CASE WHEN trim(coalesce(email, ''), char(9, 32, 160)) IN ('', '-', 'n/a') THEN NULL
            ELSE lower(trim(email, char(9, 32, 160))) END AS email,
        upper(trim(country, char(9, 32, 160))) AS country, iso AS since
    FROM customers LEFT JOIN days ON text = since;

INSERT INTO expected_reject
    SELECT 'customer', json_array(id), 'restructure',
        CASE WHEN email NOT LIKE '%@%' THEN 'e-mail has no @' ELSE 'no such date' END
    FROM read_customer WHERE email NOT LIKE '%@%' OR since IS NULL;
DELETE FROM read_customer WHERE email NOT LIKE '%@%' OR since IS NULL;

INSERT INTO expected_reject
    SELECT 'customer', json_array(id), 'duplicate', '' FROM read_customer
    WHERE id NOT IN (SELECT min(id) FROM read_customer GROUP BY customer_no);
CREATE TEMP TABLE expected_customer AS
    SELECT customer_no, name, email, country, since FROM read_customer
    WHERE id IN (SELECT min(id) FROM read_customer GROUP BY customer_no);
CREATE UNIQUE INDEX temp.expected_customer_key ON expected_customer (customer_no);


-- Invoice

CREATE TEMP TABLE read_invoice AS
    SELECT inv_no AS invoice_no, trim(cust_no, char(9, 32, 160)) AS customer_no, iso AS issued_on, currency,
        cents AS total_cents
    FROM invoices LEFT JOIN days ON days.text = inv_date LEFT JOIN amounts ON amounts.text = total;

INSERT INTO expected_reject
    SELECT 'invoice', json_array(invoice_no), 'restructure',
        CASE WHEN issued_on IS NULL THEN 'no such date' ELSE 'no such amount' END
    FROM read_invoice WHERE issued_on IS NULL OR total_cents IS NULL;
DELETE FROM read_invoice WHERE issued_on IS NULL OR total_cents IS NULL;

INSERT INTO expected_reject
    SELECT 'invoice', json_array(invoice_no), 'parent', ''
    FROM read_invoice WHERE customer_no NOT IN (SELECT customer_no FROM expected_customer);
CREATE TEMP TABLE expected_invoice AS
    SELECT * FROM read_invoice WHERE customer_no IN (SELECT customer_no FROM expected_customer);
CREATE UNIQUE INDEX temp.expected_invoice_key ON expected_invoice (invoice_no);


-- InvoiceLineItem: remarks are no items

CREATE TEMP TABLE read_invoice_line_item AS
    SELECT inv_no, trim(inv_no, char(9, 32, 160)) AS invoice_no, line_no, article,
        trim(invoice_lines.text, char(9, 32, 160)) AS description, qty AS quantity, cents AS unit_price_cents
    FROM invoice_lines LEFT JOIN amounts ON amounts.text = price WHERE article IS NOT NULL;

INSERT INTO expected_reject
    SELECT 'invoice_line_item', json_array(inv_no, line_no),
        CASE WHEN unit_price_cents IS NULL THEN 'restructure' WHEN invoice.invoice_no IS NULL THEN 'parent' ELSE 'load' END,
        CASE WHEN unit_price_cents IS NULL THEN 'no such amount' ELSE '' END
    FROM read_invoice_line_item AS item LEFT JOIN expected_invoice AS invoice ON invoice.invoice_no = item.invoice_no
    WHERE unit_price_cents IS NULL OR invoice.invoice_no IS NULL OR quantity <= 0;
CREATE TEMP TABLE expected_invoice_line_item AS
    SELECT invoice_no, line_no, article, description, quantity, unit_price_cents FROM read_invoice_line_item
    WHERE unit_price_cents IS NOT NULL AND quantity > 0 AND invoice_no IN (SELECT invoice_no FROM expected_invoice);
CREATE UNIQUE INDEX temp.expected_invoice_line_item_key ON expected_invoice_line_item (invoice_no, line_no);


-- Supplier: as it is

CREATE TEMP TABLE expected_supplier AS SELECT sup_no AS supplier_no, name, vat AS vat_no FROM suppliers;
CREATE UNIQUE INDEX temp.expected_supplier_key ON expected_supplier (supplier_no);


-- PurchaseOrder

CREATE TEMP TABLE expected_purchase_order AS
    SELECT order_no, sup_no AS supplier_no, iso AS ordered_on FROM orders JOIN days ON text = order_date
    WHERE sup_no IN (SELECT sup_no FROM suppliers);
CREATE UNIQUE INDEX temp.expected_purchase_order_key ON expected_purchase_order (order_no);

INSERT INTO expected_reject
    SELECT 'purchase_order', json_array(order_no),
        CASE WHEN iso IS NULL THEN 'restructure' ELSE 'parent' END, CASE WHEN iso IS NULL THEN 'no such date' ELSE '' END
    FROM orders LEFT JOIN days ON text = order_date
    WHERE order_no NOT IN (SELECT order_no FROM expected_purchase_order);


-- PurchaseOrderLineItem

CREATE TEMP TABLE expected_purchase_order_line_item AS
    SELECT order_no, line_no, article, qty AS quantity, cents AS unit_price_cents
    FROM order_lines JOIN amounts ON text = price
    WHERE qty > 0 AND order_no IN (SELECT order_no FROM expected_purchase_order);
CREATE UNIQUE INDEX temp.expected_purchase_order_line_item_key ON expected_purchase_order_line_item (order_no, line_no);

INSERT INTO expected_reject
    SELECT 'purchase_order_line_item', json_array(order_no, line_no),
        CASE WHEN order_no IN (SELECT order_no FROM expected_purchase_order) THEN 'load' ELSE 'parent' END, ''
    FROM order_lines
    WHERE qty <= 0 OR order_no NOT IN (SELECT order_no FROM expected_purchase_order);
