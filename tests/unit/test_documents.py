"""What the documents claim to be tested has the test that they name."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`((?:tests/\w+/)?test_\w+\.py)(?:::(test_\w+))?`")
DOCUMENT = ROOT / "docs/delivery-promise.md"


def named_tests() -> list[tuple[str, str]]:
    return sorted(set(NAMED.findall(DOCUMENT.read_text(encoding="utf-8"))))


def test_the_promise_names_tests():
    assert len(named_tests()) > 20


@pytest.mark.parametrize(("file", "function"), named_tests())
def test_what_the_promise_names_is_there(file, function):
    found = [ROOT / file] if "/" in file else list((ROOT / "tests").glob(f"*/{file}"))
    assert [path.is_file() for path in found] == [True], f"{file}: {found}"
    assert not function or f"def {function}(" in found[0].read_text(encoding="utf-8"), function


def test_every_decision_is_listed_under_its_number():
    folder = ROOT / "docs/decisions"
    there = sorted(path.name for path in folder.glob("[0-9]*.md"))
    listed = re.findall(
        r"^\| \[(\d{4})\]\((\1-[\w-]+\.md)\) \|", (folder / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert [name for _, name in listed] == there
