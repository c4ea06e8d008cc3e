"""FILE, FILE:NAME and module:name, and every way in which they can be wrong."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.errors import PlanError
from milepost.wiring.find import find, split

ONE = 'from milepost import Migration\ncrm = Migration("customers", target="sqlite:///x.db")\n'
TWO = ONE + 'from milepost import Job\nclosing = Job("month-end")\nalias = crm\n'


@pytest.fixture(autouse=True)
def python_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a load changes for the whole process is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]


def written(text: str, name: str = "crm_file.py") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_the_one_job_of_a_file_is_found() -> None:
    assert find(written(ONE)).name == "customers"


@pytest.mark.parametrize("reference", ["crm_file.py:crm", "crm_file.py:customers", "crm_file:crm", "./crm_file.py:crm"])
def test_a_job_is_named_by_its_variable_or_its_own_name(reference: str) -> None:
    written(TWO)

    assert find(reference).name == "customers"


def test_a_job_under_two_variables_is_one_job() -> None:
    assert find(written(ONE + "alias = crm\n")).name == "customers"


def test_several_jobs_are_listed_as_they_can_be_typed() -> None:
    with pytest.raises(PlanError) as caught:
        find(written(TWO))

    assert caught.value.hint == "Name one of them: crm_file.py:crm, crm_file.py:closing."


@pytest.mark.parametrize(
    ("text", "reference", "message"),
    [
        ("x = 1\n", "crm_file.py", "holds no job"),
        (TWO, "crm_file.py:cmr", "no job called cmr"),
        ("def f(:\n", "crm_file.py", "line 1: invalid syntax"),
        ("import no_such_module_at_all\n", "crm_file.py", "No module named 'no_such_module_at_all'"),
        ("x = 1\n1 / 0\n", "crm_file.py", "division by zero"),
        ("raise SystemExit(0)\n", "crm_file.py", "ended the program"),
        (ONE, "crm_flie.py", "is not there"),
        (ONE, "no_such_module:crm", "neither a file nor a module"),
        (ONE, ".", "is a folder"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text: str, reference: str, message: str) -> None:
    written(text)

    with pytest.raises(PlanError, match=message):
        find(reference)


def test_a_mistyped_file_is_answered_with_the_near_one() -> None:
    written(ONE)

    with pytest.raises(PlanError) as caught:
        find("crm_flie.py")

    assert caught.value.hint == "Did you mean crm_file.py?"


def test_the_files_own_folder_comes_first_on_the_path() -> None:
    Path("inner").mkdir()
    written("NAME = 'from beside'\n", "inner/beside_it.py")
    written("from beside_it import NAME\nfrom milepost import Job\njob = Job(NAME)\n", "inner/main_file.py")

    assert find("inner/main_file.py").name == "from beside"


def test_a_file_called_like_a_standard_module_does_not_replace_it() -> None:
    import json

    assert find(written(ONE, "json.py")).name == "customers"
    assert sys.modules["json"] is json


def test_a_colon_that_belongs_to_the_file_name_is_left_alone() -> None:
    written(ONE, "a:b.py")

    assert split("a:b.py") == ("a:b.py", None)
    assert split("crm.py:crm") == ("crm.py", "crm")
    assert split("package.module:crm") == ("package.module", "crm")
