"""`milepost plan`, `status`, `rejects`, `rewind`, `init`: what they tell, and that looking writes nothing."""

import csv
import hashlib
import io
import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from run_command import arrived_rows, begin, command, end, expected_rows, let_go, make_company, milepost, typed

CHECKPOINT_FIELDS = {
    "path", "state", "attempt", "position", "read", "loaded", "unchanged", "filtered", "rejected", "batches",
    "started_at", "finished_at", "error",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_company(tmp_path)
    return tmp_path


def kill_half_way(folder: Path) -> int:
    """Leave a run that was killed in its third batch of invoices; its process number."""
    process = begin(folder, "run", "crm.py")
    process.kill()
    end(process)
    let_go(folder)
    return process.pid


def contents(folder: Path) -> dict[str, str]:
    """Every file but Python's own, by its digest; SQLite's index of its log is scratch memory."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.endswith("-shm")
    }


def by_path(status: dict) -> dict[str, dict]:
    return {checkpoint["path"]: checkpoint for checkpoint in status["checkpoints"]}


# -- status


def test_the_status_before_the_first_run_is_pending_and_makes_no_store(folder: Path) -> None:
    before = contents(folder)

    told = milepost(folder, "status", "crm.py", "--json")

    assert told.status == 0
    assert told.document | {"store": ""} == {
        "job": "crm", "state": "pending", "epoch": 0, "store": "", "lease": None, "runs": [],
        "checkpoints": [], "rejects": 0, "as_of": None, "left": {}, "told": [],
    }  # fmt: skip
    assert contents(folder) == before


def test_the_status_of_a_complete_job_has_what_the_public_face_promises(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    status = milepost(folder, "status", "crm.py", "--json").document

    assert (status["job"], status["state"], status["epoch"], status["lease"]) == ("crm", "complete", 1, None)
    assert [run["outcome"] for run in status["runs"]] == ["complete"]
    assert all(checkpoint.keys() >= CHECKPOINT_FIELDS for checkpoint in status["checkpoints"])
    invoice = by_path(status)["invoice"]
    customers, invoices = expected_rows(folder)
    assert (invoice["state"], invoice["loaded"], invoice["batches"]) == ("complete", len(invoices), 6)
    assert invoice["read"] == sum(invoice[name] for name in ("loaded", "unchanged", "filtered", "rejected")) == 300
    assert by_path(status)["customer"]["loaded"] == len(customers)


def test_the_status_during_a_run_tells_who_runs_it_and_how_far(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    status = milepost(folder, "status", "crm.py", "--json").document
    people = milepost(folder, "status", "crm.py")
    let_go(folder)
    end(process)

    assert status["state"] == "started"
    assert (status["lease"]["lapsed"], status["lease"]["dead"]) == (False, False)
    assert str(process.pid) in status["lease"]["holder"]
    assert (by_path(status)["invoice"]["read"], by_path(status)["invoice"]["state"]) == (100, "started")
    assert people.out.startswith(f"crm: running; run 1 by {status['lease']['holder']}")
    assert "To resume" not in people.out


def test_the_status_after_a_kill_says_that_nothing_runs_and_how_to_resume(folder: Path) -> None:
    pid = kill_half_way(folder)

    status = milepost(folder, "status", "crm.py", "--json").document
    people = milepost(folder, "status", "crm.py").out

    assert (status["state"], status["lease"]["dead"]) == ("started", True)
    assert status["runs"][0]["outcome"] is None
    assert people.startswith("crm: started, not running; run 1 by")
    assert str(pid) in people.splitlines()[0]
    assert "was killed" in people.splitlines()[0]
    assert f"To resume: {typed('run', 'crm.py')}" in people


def test_the_status_after_a_failure_shows_its_error(folder: Path) -> None:
    (folder / "crm.py").write_text((folder / "crm.py").read_text().replace("max_rejects=20", "max_rejects=1"))
    milepost(folder, "run", "crm.py")

    status = milepost(folder, "status", "crm.py", "--json").document
    people = milepost(folder, "status", "crm.py").out

    assert status["state"] == "failed"
    assert "email has no @" in by_path(status)["customer"]["error"]
    assert "crm: failed; run 1, failed" in people
    assert "email has no @" in people


def test_the_status_tells_of_a_table_that_was_emptied(folder: Path) -> None:
    assert milepost(folder, "run", "crm.py").status == 0
    assert milepost(folder, "status", "crm.py", "--json").document["told"] == []
    with closing(sqlite3.connect(folder / "new.db")) as new, new:
        new.execute("DELETE FROM customer")

    said = "customer is complete, but its table customer holds no row, though 38 were loaded into it"
    (told,) = milepost(folder, "status", "crm.py", "--json").document["told"]
    assert told.startswith(said)
    assert said in " ".join(milepost(folder, "status", "crm.py").out.split())
    again = milepost(folder, "run", "crm.py")
    assert again.status == 0
    assert again.err.splitlines()[0] == f"{said}: milepost rewind FILE customer moves it again."
    assert "nothing was left to do, but see what is told above of customer.\n" in again.err
    assert "customer: customer" not in again.err + milepost(folder, "plan", "crm.py").out


def test_looking_writes_nothing_even_beside_a_killed_run(folder: Path) -> None:
    kill_half_way(folder)
    before = contents(folder)

    for looking in (["status"], ["plan"], ["rejects"], ["rejects", "export"]):
        assert milepost(folder, *looking, "crm.py").status == 0

    after = contents(folder)
    assert {name: digest for name, digest in after.items() if name in before} == before
    assert {name for name in after if name not in before} <= {"new.db-wal", "old.db-wal"}


# -- plan


def test_the_plan_lists_objects_in_order_with_rows_and_promise(folder: Path) -> None:
    before = contents(folder)

    plan = milepost(folder, "plan", "crm.py", "--json").document
    people = milepost(folder, "plan", "crm.py").out

    objects = [(each["name"], each["rows"], each["loading"], each["parents"]) for each in plan["objects"]]
    assert objects == [("customer", 40, "direct", []), ("invoice", 300, "direct", ["customer"])]
    assert all("exactly once" in each["promise"] for each in plan["objects"])
    assert "exactly once" in people
    assert contents(folder) == before


def test_the_plan_of_a_half_done_job_tells_what_stands(folder: Path) -> None:
    kill_half_way(folder)

    plan = milepost(folder, "plan", "crm.py", "--json").document

    states = [(each["name"], each["state"], each["done"]["read"]) for each in plan["objects"]]
    assert states == [("customer", "complete", 40), ("invoice", "started", 100)]


def test_a_job_of_own_steps_has_no_plan(folder: Path) -> None:
    (folder / "steps.py").write_text("from milepost import Job\njob = Job('month-end')\n")

    refused = milepost(folder, "plan", "steps.py")

    assert refused.status == 2
    assert "month-end" in refused.err


# -- rejects


def test_rejects_are_grouped_by_object_stage_and_reason(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    told = milepost(folder, "rejects", "crm.py", "--json").document
    people = milepost(folder, "rejects", "crm.py").out

    groups = {(each["object"], each["stage"], each["count"]) for each in told["groups"]}
    assert told["rejects"] == 18
    assert groups == {("customer", "restructure", 2), ("invoice", "parent", 16)}
    assert {
        "object": "customer",
        "stage": "restructure",
        "reason": "email has no @",
        "count": 2,
        "keys": [[7], [8]],
    } in told["groups"]
    (waiting,) = (each for each in told["groups"] if each["object"] == "invoice")
    assert waiting["reason"] == "no customer with no …; customer … was rejected: email has no @"
    assert waiting["keys"] == [[6], [7], [46]]
    assert "6; 7; 46; …" in people
    assert "crm: 18 rejected" in people


def test_the_reason_of_a_reject_shows_no_password_and_its_content_is_exact(folder: Path) -> None:
    url = "postgresql://anna:tr0ub4dor@h/d"
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        old.execute("ALTER TABLE customers ADD COLUMN link TEXT")
        old.execute("UPDATE customers SET link = ? WHERE no = 7", (url,))
    text = (folder / "crm.py").read_text().replace('Reject("email has no @")', "Reject(f\"no {row['link']}\")")
    (folder / "crm.py").write_text(text.replace("return row\n", 'return {"no": row["no"], "email": row["email"]}\n'))
    milepost(folder, "run", "crm.py")

    told = [milepost(folder, "rejects", "crm.py", *more).out for more in ([], ["--json"])]
    rows = milepost(folder, "rejects", "export", "crm.py", "--format", "jsonl", "--object", "customer").documents

    assert all("no postgresql://anna:***@h/d" in each and "tr0ub4dor" not in each for each in told)
    assert (rows[0]["reason"], rows[0]["content"]["link"]) == ("no postgresql://anna:***@h/d", url)


def test_rejects_of_one_object_and_a_limit(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    told = milepost(folder, "rejects", "--object", "invoice", "crm.py", "--json").document
    limited = milepost(folder, "rejects", "--limit", "1", "crm.py", "--json").document

    assert (told["rejects"], len(told["groups"]), told["more_groups"]) == (16, 1, 0)
    assert (limited["rejects"], limited["groups"], limited["more_groups"]) == (18, told["groups"], 1)


def test_rejects_of_an_object_that_is_none_name_the_near_one(folder: Path) -> None:
    refused = milepost(folder, "rejects", "crm.py", "--object", "invoise")

    assert refused.status == 2
    assert "Did you mean invoice?" in refused.err


@pytest.mark.parametrize("to_file", [False, True])
def test_exported_rejects_are_csv_that_gives_back_every_value(folder: Path, to_file: bool) -> None:
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        old.execute("ALTER TABLE customers ADD COLUMN note TEXT")
        old.execute("UPDATE customers SET note = ? WHERE no = 7", ('=1+1, "quoted"\nand über two lines',))
    (folder / "crm.py").write_text(
        (folder / "crm.py").read_text().replace("return row\n", 'return {"no": row["no"], "email": row["email"]}\n')
    )
    milepost(folder, "run", "crm.py")

    done = milepost(folder, "rejects", "export", "crm.py", *(["--output", "r.csv"] if to_file else []))

    text = (folder / "r.csv").read_text(encoding="utf-8") if to_file else done.out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 18
    first = next(row for row in rows if row["object"] == "customer")
    assert (first["stage"], first["reason"], json.loads(first["key"])) == ("restructure", "email has no @", [7])
    assert json.loads(first["content"]) == {"no": 7, "email": None, "note": '=1+1, "quoted"\nand über two lines'}


def test_exported_rejects_as_json_lines(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    done = milepost(folder, "rejects", "export", "--format", "jsonl", "--object", "customer", "crm.py")

    assert [(each["key"], each["content"]["no"]) for each in done.documents] == [([7], 7), ([8], 8)]


def test_a_reader_that_goes_away_is_no_error(folder: Path) -> None:
    milepost(folder, "run", "crm.py")
    line = " ".join(command("rejects", "export", "crm.py")) + " | head -n 1"

    done = subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout.startswith("object,stage,reason,key,content")
    assert done.stderr == ""


# -- rewind


def test_a_rewound_object_is_moved_again_onto_the_rows_that_stand(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    rewound = milepost(folder, "rewind", "crm.py", "customer")
    status = by_path(milepost(folder, "status", "crm.py", "--json").document)
    again = milepost(folder, "run", "crm.py")

    assert rewound.status == 0
    assert "customer: 1 checkpoint forgotten." in rewound.out
    assert "invoice has it among its parents" in rewound.out
    assert "upsert" in rewound.out
    assert "customer" not in status
    assert status["invoice"]["state"] == "complete"
    assert again.status == 0
    assert arrived_rows(folder) == expected_rows(folder)
    after = by_path(milepost(folder, "status", "crm.py", "--json").document)
    assert (after["customer"]["loaded"], after["customer"]["unchanged"]) == (0, 38)


@pytest.mark.parametrize("whole", [".", "/"])
def test_the_whole_job_is_rewound_by_a_dot(folder: Path, whole: str) -> None:
    milepost(folder, "run", "crm.py")

    rewound = milepost(folder, "rewind", "crm.py", whole, "--yes", "--json").document

    assert (rewound["path"], rewound["forgotten"]) == ("", 3)
    assert milepost(folder, "status", "crm.py", "--json").document["state"] == "pending"


def test_a_path_that_is_none_is_answered_with_near_names(folder: Path) -> None:
    milepost(folder, "run", "crm.py")

    refused = milepost(folder, "rewind", "crm.py", "invoce")

    assert refused.status == 2
    assert "Did you mean invoice?" in refused.err
    assert milepost(folder, "status", "crm.py", "--json").document["state"] == "complete"


def test_nothing_is_rewound_under_a_run_that_goes_on(folder: Path) -> None:
    process = begin(folder, "run", "crm.py")
    refused = milepost(folder, "rewind", "crm.py", "customer", "--yes")
    let_go(folder)

    assert end(process).status == 0
    assert refused.status == 3
    assert str(process.pid) in refused.err
    assert arrived_rows(folder) == expected_rows(folder)


# -- init


def test_the_starter_runs_as_it_is(tmp_path: Path) -> None:
    written = milepost(tmp_path, "init", "mine.py")
    plan = milepost(tmp_path, "plan", "mine.py", "--json").document
    done = milepost(tmp_path, "run", "mine.py")

    assert (written.status, done.status) == (0, 0)
    assert typed("run", "mine.py") in written.out
    assert [each["name"] for each in plan["objects"]] == ["customer", "invoice", "product"]
    with closing(sqlite3.connect(tmp_path / "shop-new.db")) as new:
        assert new.execute("SELECT legacy_no, name, email FROM customer ORDER BY 1").fetchall() == [
            (1, "Ada", "ada@example.org"),
            (3, "Cleo", "cleo@example.org"),
        ]
        invoices = "SELECT i.legacy_no, c.legacy_no FROM invoice i JOIN customer c USING (customer_id) ORDER BY 1"
        assert new.execute(invoices).fetchall() == [(100, 1), (101, 3), (103, 1)]
    assert milepost(tmp_path, "rejects", "mine.py", "--json").document["rejects"] == 2
    assert "mine.py" in (tmp_path / "mine.py").read_text()
    assert "STARTER" not in (tmp_path / "mine.py").read_text()


def test_init_overwrites_nothing(folder: Path) -> None:
    before = contents(folder)

    refused = milepost(folder, "init", "crm.py")

    assert refused.status == 2
    assert "crm.py is there already" in refused.err
    assert contents(folder) == before
