"""New values for a column that the table makes itself, from where it makes them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.loaders import use_exact_loaders
from milepost.connectors.sql.postgres.shape import Shape
from milepost.errors import Fatal, PlanError
from milepost.migration.description import Kind

MAKES = """
SELECT a.attidentity <> '', a.attgenerated <> '', coalesce(
  (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid
   AND d.adnum = a.attnum), pg_get_expr(t.typdefaultbin, 0))
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attname = %s
"""
DRAW = """
WITH drawn AS (SELECT place, ({})::{} AS value FROM generate_series(1, {}) AS n(place))
SELECT value, EXISTS (SELECT FROM {} AS t WHERE t.{} = drawn.value) FROM drawn ORDER BY place
"""
# Of numbers in a row, all are free if there is none from the first to the last: one look instead of many.
DRAW_IN_ROW = """
WITH drawn AS (SELECT place, ({})::{} AS value FROM generate_series(1, {}) AS n(place)),
there AS (SELECT t.{} AS value FROM {} AS t
          WHERE t.{} BETWEEN (SELECT min(value) FROM drawn) AND (SELECT max(value) FROM drawn))
SELECT value, value IN (SELECT value FROM there) FROM drawn ORDER BY place
"""
SEQUENCE = "nextval("
SOME = 8  # values at least: a default that gives the same to every row shows only so
ROUNDS = 100  # in vain, after which values made at random are taken for used up
HINT = "Make it an identity column, or give it a default such as nextval('…') or gen_random_uuid(); or name a key=."


def draw(connection: psycopg.Connection[Any], shape: Shape, column: str, count: int) -> list[Any]:
    """``count`` new values, by one statement. Raises PlanError where the table does not make such values.

    Raises Fatal where a sequence gives what a row of the table holds already: whoever wrote that did not tell it.
    """
    where = f"{shape.description.name}.{column}"
    drawn: dict[Any, None] = {}
    in_vain = 0
    with faults(f"drawing values for {where}"):
        expression = _expression(connection, shape, column, where)
        while len(drawn) < count:  # more than once only where values made at random were there already
            found = _evaluate(connection, shape, column, expression, count - len(drawn))
            free = [value for value, is_there in found if not is_there and value not in drawn]
            in_vain = 0 if free else in_vain + 1
            if in_vain > ROUNDS or (expression.startswith(SEQUENCE) and len(free) < len(found)):
                raise _taken(where, next(value for value, is_there in found if is_there or value in drawn))
            drawn |= dict.fromkeys(free)
    return list(drawn)[:count]


def _taken(where: str, value: Any) -> Fatal:
    return Fatal(
        f"{where} would be given {value}, which a row holds already",
        hint="Set its sequence behind the highest value that is there (setval); the same command resumes.",
    )


def _evaluate(
    connection: psycopg.Connection[Any], shape: Shape, column: str, expression: str, count: int
) -> list[tuple[Any, bool]]:
    """Values, all different, each with whether the table holds it. Raises PlanError where they come out the same."""
    result, table, name = shape.result(column), shape.relation.identifier, sql.Identifier(column)
    makes, type_name = sql.SQL(expression), sql.SQL(result.bare)
    if expression.startswith(SEQUENCE) and shape.column(column).kind is Kind.INTEGER:
        query = sql.SQL(DRAW_IN_ROW).format(makes, type_name, sql.Literal(count), name, table, name)
    else:
        query = sql.SQL(DRAW).format(makes, type_name, sql.Literal(max(SOME, count)), table, name)
    with connection.cursor() as cursor:
        use_exact_loaders(cursor, [result.loads])
        found = cursor.execute(query, prepare=False).fetchall()
    values = {value for value, _ in found}
    if len(values) < 2 <= len(found) or None in values:
        raise PlanError(f"{shape.description.name}.{column} has a default that is not new for each row", hint=HINT)
    return found


def _expression(connection: psycopg.Connection[Any], shape: Shape, column: str, where: str) -> str:
    """What gives the next value. Raises PlanError where nothing does."""
    name = shape.column(column).name
    found = connection.execute(MAKES, [shape.relation.oid, name]).fetchone()
    is_identity, is_generated, default = found or (False, False, None)
    if is_identity:
        table = sql.Literal(shape.relation.identifier.as_string(connection))
        query = sql.SQL("nextval(pg_get_serial_sequence({}, {}))").format(table, sql.Literal(name))
        return query.as_string(connection)
    if default is None or is_generated:
        raise PlanError(f"the table does not make {where}: it is no identity, and has no default", hint=HINT)
    return str(default)
