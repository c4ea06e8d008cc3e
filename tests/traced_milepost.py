"""Run the command, and write down every statement that one SQLite file is sent: LOG FILE ARGUMENTS…

The statements, with their parameters put in by SQLite itself, are ended by a NUL each. They reach the log one by one,
so that a SIGKILL loses none.
"""

import os
import sqlite3
import sys
from pathlib import Path

connect = sqlite3.connect


def trace(log, file):
    """Send every statement that `file` is sent to `log`."""
    traced_file = Path(file).resolve().as_uri()
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def traced(database, *others, **settings):
        connection = connect(database, *others, **settings)
        if str(database).startswith(traced_file):
            connection.set_trace_callback(lambda statement: os.write(out, statement.encode() + b"\0"))
        return connection

    sqlite3.connect = traced


if __name__ == "__main__":
    log, file, *arguments = sys.argv[1:]
    trace(log, file)
    sys.argv = ["milepost", *arguments]
    from milepost.cli import main

    sys.exit(main())
