"""What happens to the source while nobody looks, as statements that may be run twice."""

CHANGES = (
    # beyond the last, and in between
    "DELETE FROM customers WHERE cust_no IN ('c035', 'c99')",
    "INSERT INTO customers VALUES ('c99', 'Late', 'late@example', 'DE', 1, 2)",
    "INSERT INTO customers VALUES ('c035', 'Between', 'between@example', NULL, 1, 2)",
    "DELETE FROM orders WHERE order_no IN (100, 190)",
    "INSERT INTO orders VALUES (100, 'c99', 1, 2), (190, 'c99', 2, 2)",
    "DELETE FROM order_lines WHERE order_no IN (100, 190)",
    "INSERT INTO order_lines VALUES (100, 1, 5, 2), (190, 1, 6, 2)",
    # changed, mended, and moved to another parent
    "UPDATE customers SET name = 'Changed', changed = 2 WHERE cust_no = 'c02'",
    "UPDATE customers SET email = 'mended@example', changed = 2 WHERE cust_no = 'c04'",
    "UPDATE orders SET cust_no = 'c01', changed = 2 WHERE order_no = 103",
    "UPDATE customers SET country = 'FR', branch_no = 2, changed = 2 WHERE cust_no = 'c03'",
    # gone: a parent with its children, a parent whose children stay, and a child alone
    "DELETE FROM order_lines WHERE order_no IN (SELECT order_no FROM orders WHERE cust_no = 'c05')",
    "DELETE FROM orders WHERE cust_no = 'c05'",
    "DELETE FROM customers WHERE cust_no IN ('c05', 'c06')",
    "DELETE FROM order_lines WHERE order_no = 103 AND line_no = 2",
)
