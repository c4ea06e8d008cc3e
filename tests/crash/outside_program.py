"""A migration whose target is out of its store's reach, twice over: the program that the crash tests kill.

Each line of its input names a place, [FOLDER, TARGET_URL, STORE_URL], and the markers at which to die there. For each
of them, and for 0 (never), it forks a process that runs the migration and kills itself with SIGKILL at that marker.
It prints how each of them ended, and how many markers the last one passed.

Markers stand before every write of the store and every load, before and after every commit of the target, and before,
amid and after what the Sink's function sends.
"""

import json
import os
import signal
import sqlite3
import sys
import traceback
from contextlib import closing, contextmanager
from pathlib import Path

from milepost import Migration, Reject, Sink, Table
from milepost.wiring.ends import open_outside, open_target
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers
from milepost.wiring.run import run

WRITES = {"put", "append", "remember", "replace"}

passed, die_at = 0, 0


def marker() -> None:
    global passed  # noqa: PLW0603  # one counter for the whole process
    passed += 1
    if passed == die_at:
        os.kill(os.getpid(), signal.SIGKILL)


class Marked:
    """Anything, with a marker before each call of these methods."""

    def __init__(self, inner, names) -> None:
        self._inner, self._names = inner, names

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        return self._before(found) if name in self._names else found

    def _before(self, function):
        def call(*args, **kwargs):
            marker()
            return function(*args, **kwargs)

        return call


class MarkedCommits(Marked):
    """… and before and after the end of a transaction."""

    @contextmanager
    def transaction(self, given):
        with self._inner.transaction(given) as connection:
            yield connection
            marker()
        marker()


def hasty(opened):
    """A kill is no power cut, and fsyncs would take most of the time."""
    connection = opened._connection
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF")
    return opened


def opened_store(url, *, create):
    opened = open_store(url, create=create)
    return MarkedCommits(hasty(opened), WRITES) if opened is not None and create else opened


def opened_outside(*given):
    return MarkedCommits(hasty(open_outside(*given)), {"token"})


def opened_target(*given):
    return Marked(open_target(*given), {"load"})


def declare(folder: Path, target: str, store: str) -> Migration:
    source = f"sqlite:///{folder / 'source.db'}"
    crm = Migration("crm", source=source, target=target, store=store, batch_rows=3, max_rejects=9)

    @crm.object(source=Table("sale", key="no"), target=Table("sold", key="no"))
    def sold(row):
        if row["total"] == 20:
            raise Reject("not for us")
        return None if row["total"] == 50 else row

    # the first sale of each buyer; that the others are refused depends on what is there already
    columns = {"buyer": "buyer", "no": "no"}
    crm.object("buyer", source=Table("sale", key="no"), target=Table("first", key="buyer"), columns=columns)

    def send(rows, cp):
        """Somebody else's system, which takes one row at a time, by upsert."""
        with (folder / "calls").open("a") as calls:
            calls.write(json.dumps([[row["no"] for row in rows], cp.in_doubt, cp.token]) + "\n")
        cp.settle_by(rows[0]["no"])
        with closing(sqlite3.connect(folder / "elsewhere.db", isolation_level=None)) as elsewhere:
            for row in rows:
                marker()
                elsewhere.execute("INSERT OR REPLACE INTO letter VALUES (?, ?)", (row["no"], row["total"]))
            marker()

    columns = {"no": "no", "total": "total"}
    crm.object("letter", source=Table("sale", key="no"), target=Sink(send, key="no"), columns=columns)
    return crm


def run_in_child(place: list[str], death: int) -> int:
    """How the process ended, as a subprocess's returncode says it."""
    global die_at  # it is the child's
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status, die_at = 1, death
    try:
        openers = Openers(store=opened_store, target=opened_target, outside=opened_outside)
        run(declare(Path(place[0]), *place[1:]), openers=openers)
        (Path(place[0]) / "markers").write_text(str(passed))
        status = 0
    except BaseException:  # noqa: BLE001  # whatever it is, the test shows it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        place, deaths = json.loads(line)
        ends = [run_in_child(place, death) for death in [*deaths, 0]]
        print(json.dumps([ends, int((Path(place[0]) / "markers").read_text())]), flush=True)
