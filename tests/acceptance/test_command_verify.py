"""``milepost verify`` as people and programs use it, on a small company."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from run_command import CRM, arrived_rows, begin, end, let_go, make_company, milepost

SLOW = (
    CRM.replace("    return row\n", "    hold_at(row)\n    return row\n", 1)
    + '''

def hold_at(row):
    """Waits before customer 30 as long as a file "pause" is there, at most a minute."""
    if row["no"] == 30 and Path("pause").exists():
        Path("reached").touch()
        end = time.monotonic() + 60
        while Path("pause").exists() and time.monotonic() < end:
            time.sleep(0.01)
'''
)


@pytest.fixture
def company(tmp_path: Path) -> Path:
    make_company(tmp_path)
    (tmp_path / "crm.py").write_text(CRM)
    assert milepost(tmp_path, "run", "crm.py").status == 0
    return tmp_path


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "new.db")) as new, new:
        for statement in statements:
            new.execute(statement)


def test_a_target_as_it_should_be_is_told_and_the_status_is_0(company: Path) -> None:
    done = milepost(company, "verify", "crm.py")

    assert done.status == 0
    assert "340 rows compared, nothing differs" in done.out
    assert "refused" not in done.out  # a column of noughts
    assert sorted(each.name for each in company.glob("*verify*")) == []


def test_what_differs_is_shown_with_both_values_and_the_status_is_1(company: Path) -> None:
    change(company, "UPDATE customer SET email = 'x' WHERE no = 3", "DELETE FROM invoice WHERE no = 5")

    done = milepost(company, "verify", "crm.py")

    assert done.status == 1
    assert 'customer: differing, key 3: email is "x", should be "c3@example.org"' in done.out
    assert "invoice: missing, key 5" in done.out
    assert "340 rows compared, 1 missing, 1 differing" in done.out


def test_json_is_one_object_with_the_same(company: Path) -> None:
    change(company, "UPDATE customer SET email = 'x' WHERE no = 3", "INSERT INTO customer VALUES (99, 'y')")

    done = milepost(company, "verify", "crm.py", "--json")

    assert done.status == 1
    document = done.document
    assert (document["job"], document["ok"], document["repaired"]) == ("crm", False, False)
    customer, invoice = document["objects"]
    assert {name: customer[name] for name in ("object", "ok", "read", "equal", "differing", "extra", "rejected")} == {
        "object": "customer", "ok": False, "read": 40, "equal": 37, "differing": 1, "extra": 1, "rejected": 2,
    }  # fmt: skip
    assert [one["kind"] for one in customer["examples"]] == ["differing", "extra"]
    assert customer["examples"][0]["columns"] == {"email": ["x", "c3@example.org"]}
    assert customer["examples"][1]["target_key"] == [99]
    assert (invoice["ok"], invoice["filtered"], invoice["left"]) == (True, 10, None)


def test_a_repair_is_told_and_the_target_is_as_before(company: Path) -> None:
    before = arrived_rows(company)
    change(company, "UPDATE customer SET email = 'x' WHERE no = 3", "DELETE FROM invoice WHERE no = 5")

    done = milepost(company, "verify", "crm.py", "--repair")

    assert done.status == 0, done.err
    assert "customer: 1 row repaired" in done.out
    assert "invoice: 1 row repaired" in done.out
    assert arrived_rows(company) == before
    assert milepost(company, "verify", "crm.py").status == 0
    assert "complete" in milepost(company, "status", "crm.py").out


def test_what_a_repair_leaves_is_status_1_and_its_reason_is_said(company: Path) -> None:
    change(company, "INSERT INTO customer VALUES (99, 'y')")

    done = milepost(company, "verify", "crm.py", "--repair")

    assert done.status == 1
    assert "1 row still wrong" in done.out
    assert 'deletes="apply"' in done.out


def test_a_killed_comparison_is_gone_on_with_by_the_same_command(tmp_path: Path) -> None:
    make_company(tmp_path)
    (tmp_path / "crm.py").write_text(SLOW.replace("batch_rows=50", "batch_rows=10"))
    assert milepost(tmp_path, "run", "crm.py").status == 0
    change(tmp_path, "UPDATE customer SET email = 'x' WHERE no = 3")
    (tmp_path / "pause").touch()
    process = begin(tmp_path, "verify", "crm.py")
    process.kill()
    end(process)
    (tmp_path / "pause").unlink()
    let_go(tmp_path)
    assert len(list(tmp_path.glob("crm.verify.milepost.db"))) == 1

    done = milepost(tmp_path, "verify", "crm.py")

    assert done.status == 1
    assert "going on with the comparison that was interrupted" in done.err
    assert "customer: going on" in done.err or "customer: resuming" in done.err, done.err
    assert "customer: differing, key 3" in done.out
    assert "340 rows compared, 1 differing" in done.out
    assert list(tmp_path.glob("*verify*")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sample", "5"), "is not a share"),
        (("--sample", "0%"), "is not a share"),
        (("--sample", "101%"), "is not a share"),
        (("--object", "customers"), "Did you mean customer?"),
        (("-p", "cutoff"), "is not NAME=VALUE"),
        (("-p", "cutoff=1"), "declares no parameter cutoff"),
    ],
)
def test_wrong_usage_is_status_2(company: Path, arguments: tuple[str, ...], said: str) -> None:
    done = milepost(company, "verify", "crm.py", *arguments)

    assert done.status == 2
    assert said in done.err
    assert list(company.glob("*verify*")) == []


def test_a_sample_prints_its_seed_and_the_same_seed_looks_at_the_same(company: Path) -> None:
    first = milepost(company, "verify", "crm.py", "--sample", "10%", "--json").document
    again = milepost(company, "verify", "crm.py", "--sample", "10%", "--seed", str(first["seed"]), "--json").document
    told = milepost(company, "verify", "crm.py", "--sample", "10%", "--seed", "7")

    assert first == again
    assert sum(each["read"] for each in first["objects"]) < 60
    assert "seed 7" in told.out


def test_before_a_run_there_is_nothing_to_compare(tmp_path: Path) -> None:
    make_company(tmp_path)
    (tmp_path / "crm.py").write_text(CRM)

    done = milepost(tmp_path, "verify", "crm.py")

    assert done.status == 2
    assert "crm has moved nothing yet" in done.err
    assert not list(tmp_path.glob("*verify*"))
    document = milepost(tmp_path, "verify", "crm.py", "--json").document
    assert (document["exit"], "moved nothing yet" in document["error"]) == (2, True)


def test_a_job_of_steps_has_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "steps.py").write_text(
        "from milepost import Job\njob = Job('steps')\n\n\n@job.main\ndef main():\n    pass\n"
    )

    done = milepost(tmp_path, "verify", "steps.py")

    assert done.status == 2
    assert "no source and target to compare" in done.err
