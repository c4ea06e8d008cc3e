"""Every ordinary type of PostgreSQL, with extreme values, goes from PostgreSQL to PostgreSQL unchanged.

What is expected comes from PostgreSQL itself: its text of every value before and after, compared by plain SQL.
"""

from __future__ import annotations

import psycopg
import pytest

from milepost.connectors.sql.postgres.source import PostgresSource
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.migration.fidelity import refusal
from milepost.migration.target import Loaded, Loading

pytestmark = pytest.mark.every_postgres

SET_UP = """
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy, very');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN code AS varchar(3);
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE span AS RANGE (subtype = float8);
"""
NUMBERS = "'0', '-1', '1.10', 'NaN', '123456789012345678901234567890.1234567890', '-0.0000000001'"
MOMENTS = (
    "'infinity', '-infinity', '0044-03-15 BC', '4713-01-01 BC', '1582-10-15', '0001-01-01', '9999-12-31', '10000-01-01'"
)
TEXTS = "'', ' ', 'NULL', E'a\\tb\\nc\\\\d\\r', E'\\\\N', 'Zoë 😀 e\u0301', '\u200b', '{}', '\"quoted\"', E'\\x7f\\x01'"
VALUES = {
    "smallint": "'-32768', '32767', '0'",
    "integer": "'-2147483648', '2147483647', '0'",
    "bigint": "'-9223372036854775808', '9223372036854775807', '0'",
    "oid": "'0', '4294967295'",
    "numeric": NUMBERS
    + ", 'Infinity', '-Infinity', '1e40', '1e-40', '1234567890123456789012345678901234567890', '1.100'",
    "numeric(38,10)": "'NaN', '1.1', '-9999999999999999999999999999.9999999999', '0.0000000001', '0'",
    "numeric(5,-2)": "'1234500', '-100', '0'",
    "numeric(3,5)": "'0.00999', '-0.00001'",
    "real": "'0.1', '-0', 'NaN', 'Infinity', '-Infinity', '3.4028235e38', '1e-45', '16777217', '0.3333333'",
    "double precision": "'0.1', '-0', 'NaN', '-Infinity', '1.7976931348623157e308', '5e-324', '0.30000000000000004'",
    "money": "'0', '-92233720368547758.08', '1234567.89'",
    "boolean": "'true', 'false'",
    "text": TEXTS,
    "varchar": TEXTS,
    "varchar(3)": "'', 'a  ', '😀😀😀'",
    "char(5)": "'', 'a', 'abcde', ' b'",
    '"char"': "'a', ''",
    "name": "'', 'abc', 'a b'",
    "bytea": "'', '\\x00ff5c0a09', '\\x5c4e'",
    "date": MOMENTS,
    "timestamp": MOMENTS + ", '2024-02-29 23:59:59.999999', '2024-01-01 00:00:00.000001', '294276-12-31 23:59:59'",
    "timestamp(0)": "'2024-02-29 23:59:59', 'infinity'",
    "timestamptz": MOMENTS + ", '2024-02-29 23:59:59.999999+05:30', '1883-11-18 12:03:58+00', '2024-10-27 02:30+02'",
    "timestamptz(3)": "'2024-02-29 23:59:59.123+05:30'",
    "time": "'00:00', '24:00', '23:59:59.999999'",
    "timetz": "'00:00+00', '24:00-15:59', '23:59:59.999999+05:30', '12:00+01:02:03'",
    "interval": "'1 mon', '30 days', '1 day -00:00:01', '178000000 years', '00:00:00.000001', '-1 mon +1 day'",
    "interval(0)": "'1 mon 00:00:01'",
    "interval year to month": "'1 year 2 mons'",
    "uuid": "'00000000-0000-0000-0000-000000000000', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "json": """'{"a": 1.10, "a":12345678901234567890.123 }', ' [1,  2]', '1e400', '"\\u0000"', '"\\ud83d\\ude00"'""",
    "jsonb": """'{"b": 1.10, "a": 12345678901234567890.123}', 'null', '"x\\ty"', '[]', '1.10', '0.1e-2'""",
    "xml": "'<a>1</a>', 'plain'",
    "inet": "'10.0.0.1', '10.0.0.1/8', '::1', 'fe80::/10'",
    "cidr": "'10.0.0.0/8', '::/0'",
    "macaddr": "'08:00:2b:01:02:03'",
    "macaddr8": "'08:00:2b:01:02:03:04:05'",
    "bit(3)": "'101', '000'",
    "bit varying": "'', '1', '0000000001'",
    "point": "'(0.1,-0)', '(NaN,1e300)'",
    "line": "'{1,2,3}'",
    "box": "'(1,1),(0,0)'",
    "path": "'[(0,0),(1,1)]', '((0,0),(1,1))'",
    "circle": "'<(0,0),1.5>'",
    "tsvector": "'a:1 b:2A ''c d'''",
    "tsquery": "'a & !b'",
    "int4range": "'[1,3]', 'empty', '(,)', '[5,]'",
    "tstzrange": "'[2024-01-01 00:00+05, infinity)'",
    "int4multirange": "'{[1,2),[5,9)}', '{}'",
    "span": "'[0.1,Infinity)'",
    "pg_lsn": "'16/B374D848'",
    "regclass": "'pg_class'",
    "mood": "'sad', 'so so', 'happy, very'",
    "positive": "'1', '2147483647'",
    "code": "'', 'abc'",
    "pair": """'(1,"a ""b"", c")', '(,)', '(2,)'""",
    "integer[]": "'{}', '{1,NULL,-3}', '{{1,2},{3,NULL}}', '[2:3]={1,2}', '[0:1][-1:0]={{1,2},{3,4}}', '{{{1}}}'",
    "bigint[]": "'{9223372036854775807,-9223372036854775808}'",
    "numeric[]": "'{NaN,1.10,12345678901234567890.123,NULL,Infinity}', '{0.0000000001}'",
    "numeric(10,2)[]": "'{1.10,NULL}', '{{1.00},{-2.50}}'",
    "real[]": "'{0.1,NaN,-0,Infinity}'",
    "double precision[]": "'{0.1,NaN,-0,5e-324}'",
    "text[]": """'{"",NULL,"NULL","a b","a,b","{}","\\"","\\\\",😀}', '{{a,b},{c,d}}'""",
    "varchar(3)[]": "'{abc,\"a  \"}'",
    "char(3)[]": "'{a,abc}'",
    "boolean[]": "'{t,f,NULL}'",
    "date[]": "'{infinity,-infinity,\"0044-03-15 BC\",2024-02-29,NULL,10000-01-01}'",
    "timestamp[]": '\'{infinity,"2024-02-29 23:59:59.999999",NULL,"0044-03-15 BC"}\'',
    "timestamptz[]": "'{infinity,\"2024-02-29 23:59:59.999999+05:30\",NULL}'",
    "time[]": "'{24:00,12:00:00.5,NULL}'",
    "interval[]": "'{1 mon,30 days,NULL}'",
    "uuid[]": "'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'",
    "bytea[]": """'{"\\\\x00ff",NULL,""}'""",
    "json[]": """ARRAY['{"a": 1.10}', 'null', NULL]::json[]""",
    "jsonb[]": """ARRAY['{"a": 1.10}', 'null', NULL]::jsonb[]""",
    "inet[]": "'{10.0.0.1/8,NULL}'",
    "mood[]": "'{sad,\"happy, very\",NULL}'",
    "pair[]": """ARRAY['(1,"a b")', NULL]::pair[]""",
    "positive[]": "'{1,NULL}'",
    "box[]": "'{(1,1),(0,0);(2,2),(1,1)}'",
    "int4range[]": "'{\"[1,3)\",NULL}'",
}


@pytest.mark.parametrize("fresh", [True, False], ids=["directly", "staged"])
def test_every_type_arrives_as_it_was(postgres_url: str, fresh: bool) -> None:
    with (
        psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as plain,
        connect(postgres_url) as connection,
    ):
        plain.execute(SET_UP)
        types = VALUES if has_xml(plain) else {native: VALUES[native] for native in VALUES if native != "xml"}
        told = {native: moved(plain, connection, postgres_url, native, fresh) for native in types}
    assert {native: wrong for native, wrong in told.items() if wrong} == {}


def has_xml(plain: psycopg.Connection) -> bool:
    """Whether the server was built with it; the wheel's is not."""
    try:
        plain.execute("SELECT '<a/>'::xml")
    except psycopg.errors.FeatureNotSupported:
        return False
    return True


def moved(
    plain: psycopg.Connection, connection: psycopg.Connection, url: str, native: str, fresh: bool
) -> list[object]:
    """What went wrong with the type: nothing, hopefully."""
    values = split(VALUES[native])
    plain.execute("DROP TABLE IF EXISTS one, other")
    plain.execute(f"CREATE TABLE one (id serial PRIMARY KEY, v {native})")
    plain.execute(f"CREATE TABLE other (id integer PRIMARY KEY, v {native})")
    plain.execute(f"INSERT INTO one (v) VALUES {', '.join(f'(({value})::{native})' for value in values)}, (NULL)")
    source, target = PostgresSource(url, name="one", key=("id",)), PostgresTarget(url, name="other", key=("id",))
    one, other = source.describe().column("v"), target.describe().column("v")
    assert one is not None
    assert other is not None
    rows = [row for chunk in source.read(None, None, 4) for row in chunk]
    source.close()
    every = len(values) + 1
    wrong = [refusal(one, other)]
    wrong += load(connection, target, rows, {"fresh": fresh}, {"loaded": every, "unchanged": 0})
    wrong += load(connection, target, rows, {"fresh": False}, {"loaded": 0, "unchanged": every})
    for left, right in (("one", "other"), ("other", "one")):
        wrong += plain.execute(f"SELECT id, v::text FROM {left} EXCEPT SELECT id, v::text FROM {right}").fetchall()
    wrong += plain.execute("SELECT 'rows', count(*) FROM other HAVING count(*) <> %s", [every]).fetchall()
    return [each for each in wrong if each is not None]


def load(
    connection: psycopg.Connection,
    target: PostgresTarget,
    rows: list[tuple],
    how: dict[str, bool],
    expected: dict[str, int],
) -> list[object]:
    """How the outcome differs from what is expected."""
    with connection.transaction():
        loaded = target.load(connection, rows, Loading(columns=("id", "v"), key=("id",), **how))
    return [] if loaded == Loaded(**expected) else [loaded]


def split(values: str) -> list[str]:
    """The SQL literals: one ARRAY[…], or several with commas between."""
    if values.startswith("ARRAY"):
        return [values]
    parts, inside = [""], False
    for character in values:
        inside ^= character == "'"
        if character == "," and not inside:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
