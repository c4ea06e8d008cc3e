"""Keys that are not valid UTF-8 are positions like others; passwords in reasons go nowhere."""

from __future__ import annotations

import pytest

from milepost.errors import Fatal, Reject
from milepost.jobs.ledger import Counts
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.run import run


@pytest.mark.parametrize("pair", ["sqlite-sqlite", "sqlite-postgres"], indirect=True)
def test_keys_that_are_not_utf8_are_resumed_at_exactly(pair) -> None:
    pair.source.execute(
        "CREATE TABLE old (k TEXT PRIMARY KEY, n INTEGER)",
        "INSERT INTO old VALUES ('a', 1), (CAST(x'61ff' AS TEXT), 2), (CAST(x'ff' AS TEXT), 3),"
        " (CAST(x'fffe' AS TEXT), 4), (CAST(x'ffff' AS TEXT), 5)",
    )
    pair.target.execute("CREATE TABLE new (n integer PRIMARY KEY)")
    seen: list[int] = []
    stop_at = [4]

    def new(row, cp):  # with the checkpoint, the function is not tried while planning
        if row["n"] == stop_at[0]:
            raise KeyboardInterrupt
        seen.append(row["n"])
        return {"n": row["n"]}

    def migration() -> Migration:
        crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=1)
        crm.object(source=Table("old", key="k"), target=Table("new", key="n"))(new)
        return crm

    with pytest.raises(KeyboardInterrupt):
        run(migration())
    stop_at[0] = 0
    run(migration())
    assert seen == [1, 2, 3, 4, 5]
    assert pair.target.rows("SELECT n FROM new ORDER BY n") == [(1,), (2,), (3,), (4,), (5,)]


@pytest.mark.parametrize("pair", ["sqlite-sqlite", "sqlite-postgres"], indirect=True)
def test_no_password_in_a_reason_reaches_the_store_or_the_message(pair) -> None:
    """Whoever gives the reason: the function, what breaks in it, or the target's own trigger."""
    pair.source.execute("CREATE TABLE old (n integer PRIMARY KEY)", "INSERT INTO old VALUES (1), (2), (3), (4)")
    pair.target.execute("CREATE TABLE new (n integer PRIMARY KEY)")
    if pair.target.url.startswith("sqlite"):
        pair.target.execute(
            "CREATE TRIGGER no BEFORE INSERT ON new WHEN NEW.n = 3"
            " BEGIN SELECT RAISE(ABORT, 'see http://me:hush@host'); END"
        )
    else:
        pair.target.execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.n = 3 THEN"
            " RAISE 'see http://me:hush@host'; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER no BEFORE INSERT ON new FOR EACH ROW EXECUTE FUNCTION no()",
        )

    def migration(most: int) -> Migration:
        crm = Migration("crm", source=pair.source.url, target=pair.target.url, max_rejects=most)

        @crm.object(source=Table("old", key="n"), target=Table("new", key="n"))
        def new(row):
            if row["n"] == 1:
                raise Reject("http://me:hush@host said no")
            if row["n"] == 2:
                raise ValueError("password=hush is wrong")
            return row

        return crm

    with pytest.raises(Fatal) as failed:
        run(migration(0))
    assert "http://me:***@host said no" in str(failed.value)
    assert "hush" not in str(failed.value)
    run(migration(3))
    store = open_store(pair.target.url, create=False)
    assert store is not None
    reasons = [one.reason for one in store.rejects("crm")]
    assert next(iter(store.ledger("crm", "new"))).counts == Counts(read=4, loaded=1, rejected=3)
    store.close()
    assert [reason.count("***") for reason in reasons] == [1, 1, 1]
    assert "hush" not in "".join(reasons)
