"""Makes a store, or brings it up to a schema that nobody released: the program that the schema tests kill.

Usage: schema_program.py SPEC (JSON): {"url", "upgrade", "die_at", "apart"}. It kills itself at point `die_at` (0:
never): on SQLite before each statement, on PostgreSQL before and after each call of the driver. `upgrade` is the text
of one more schema file. With `apart` every statement is committed by itself, as it must not be. It prints how many
points it passed.
"""

import json
import os
import signal
import sys

from milepost.stores import postgres, schema, sqlite, sqlite_schema
from milepost.wiring.open import open_store

spec = json.loads(sys.argv[1])
passed = 0


def point(*_: object) -> None:
    global passed  # noqa: PLW0603 - one counter for the whole process
    passed += 1
    if passed == spec["die_at"]:
        os.kill(os.getpid(), signal.SIGKILL)


def traced(connect):
    def connected(*arguments, **settings):
        connection = connect(*arguments, **settings)
        connection.set_trace_callback(point)
        return connection

    return connected


def called(connect):
    def connected(*arguments, **settings):
        connection = connect(*arguments, **settings)
        execute, cursor = connection.execute, connection.cursor

        def between(*statement, **how):
            point()
            answer = execute(*statement, **how)
            point()
            return answer

        def beginning(*arguments, **settings):
            point()
            return cursor(*arguments, **settings)

        connection.execute, connection.cursor = between, beginning
        return connection

    return connected


def apply_apart(connection, url, number, text):
    for statement in sqlite_schema._statements(text):
        connection.execute(statement)
    connection.execute("INSERT INTO milepost_schema VALUES (?, 'now')", [number])


if __name__ == "__main__":
    if spec["upgrade"]:
        released = schema.steps
        schema.steps = lambda kind: [*released(kind), (released(kind)[-1][0] + 1, spec["upgrade"])]
    if spec["apart"]:
        sqlite_schema._apply = apply_apart
    sqlite.connect, postgres.connect = traced(sqlite.connect), called(postgres.connect)
    open_store(spec["url"], create=True).close()
    print(passed)
