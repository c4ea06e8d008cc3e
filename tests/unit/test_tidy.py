"""The house rules that no linter knows. Each rule has a sample that breaks it, so that none can fall asleep."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest

HOUSE = Path(__file__).parents[2]
TIERS = {"unit", "contract", "integration", "acceptance", "crash"}
VAGUE = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}
LEFTOVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")  # in two halves: this file is held to it too
MACHINE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+|tmp/plan)/")
FACES = ("src/milepost/cli/", "src/milepost/demo/")

Check = Callable[[str, str], Iterator[str]]  # path below the house, and text -> what is wrong


@dataclass(frozen=True)
class Rule:
    check: Check
    applies: Callable[[str], bool]
    broken: tuple[str, str]  # a path and a text that must be caught


def is_source(path: str) -> bool:
    return path.startswith("src/") and path.endswith(".py")


def is_python(path: str) -> bool:
    return path.endswith(".py")


def anywhere(path: str) -> bool:
    return True


def long_files(path: str, text: str) -> Iterator[str]:
    if (lines := text.count("\n")) > 400:
        yield f"has {lines} lines; 400 is the most"


def long_functions(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := lines_of_code(node)) > 50:
            yield f"function {node.name} has {lines} lines; 50 is the most"


def long_classes(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and (lines := lines_of_code(node)) > 250:
            yield f"class {node.name} has {lines} lines; 250 is the most"


def lines_of_code(node: ast.AST) -> int:
    """Lines from first to last, without docstrings."""
    documented = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    inside = [each for each in ast.walk(node) if isinstance(each, documented) and ast.get_docstring(each)]
    return lines_between(node) - sum(lines_between(each.body[0]) for each in inside)


def lines_between(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1


def vague_names(path: str, text: str) -> Iterator[str]:
    for part in PurePosixPath(path).with_suffix("").parts:
        if part.strip("_") in VAGUE:
            yield f"{part} says nothing about what is inside"


def leftovers(path: str, text: str) -> Iterator[str]:
    for found in LEFTOVER.finditer(text):
        yield f"line {line_of(text, found)}: {found[0]} belongs into an issue"


def paths_of_a_machine(path: str, text: str) -> Iterator[str]:
    for found in MACHINE.finditer(text):
        yield f"line {line_of(text, found)}: {found[0]}... exists on one machine only"


def line_of(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def swallowed_errors(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and catches_all(node.type) and all(map(does_nothing, node.body)):
            yield f"line {node.lineno}: swallows every error"
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("suppress")
            and any(map(catches_all, node.args))
        ):
            yield f"line {node.lineno}: suppresses every error"


def catches_all(kind: ast.expr | None) -> bool:
    return kind is None or bool({"Exception", "BaseException"} & {ast.unparse(each) for each in ast.walk(kind)})


def does_nothing(statement: ast.stmt) -> bool:
    is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_text or isinstance(statement, ast.Pass | ast.Continue)


def prints(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id == "print":
            yield f"line {node.lineno}: only the faces print"


def unexplained_modules(path: str, text: str) -> Iterator[str]:
    if not ast.get_docstring(ast.parse(text)):
        yield "has no docstring that says what it is for"


def unsorted_tests(path: str, text: str) -> Iterator[str]:
    if PurePosixPath(path).parts[1] not in TIERS or len(PurePosixPath(path).parts) != 3:
        yield f"is in none of {', '.join(sorted(TIERS))}"


def unconditional_skips(path: str, text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("mark.skip"):
            yield f"line {node.lineno}: a test that never runs"


def sample(line: str, times: int, head: str = "") -> str:
    return head + f"{line}\n" * times


RULES = {
    "a source file has at most 400 lines": Rule(long_files, is_source, ("src/a.py", sample("a = 1", 401))),
    "a function has at most 50 lines": Rule(
        long_functions, is_source, ("src/a.py", sample("    a = 1", 50, "def f():\n    '''Long.'''\n"))
    ),
    "a class has at most 250 lines": Rule(
        long_classes, is_source, ("src/a.py", sample("    a = 1", 250, "class A:\n    '''Long.'''\n"))
    ),
    "a module's name says what is inside": Rule(vague_names, is_python, ("src/milepost/jobs/utils.py", "")),
    "a folder's name says what is inside": Rule(vague_names, is_python, ("src/milepost/common/a.py", "")),
    "nothing is left over": Rule(leftovers, anywhere, ("README.md", "a\nb # TO" + "DO: c")),
    "no path of one machine is written down": Rule(paths_of_a_machine, anywhere, ("Makefile", "ls /" + "root/x")),
    "no error is swallowed": Rule(
        swallowed_errors, is_python, ("src/a.py", "try:\n    f()\nexcept (KeyError, Exception):\n    pass\n")
    ),
    "no error is suppressed": Rule(
        swallowed_errors, is_python, ("src/a.py", "with contextlib.suppress(Exception): f()")
    ),
    "only the faces print": Rule(
        prints, lambda path: is_source(path) and not path.startswith(FACES), ("src/milepost/jobs/a.py", "print(1)")
    ),
    "every module says what it is for": Rule(unexplained_modules, is_source, ("src/a.py", "import a\n")),
    "every test is in a tier": Rule(
        unsorted_tests,
        lambda path: path.startswith("tests/") and PurePosixPath(path).match("test_*.py"),
        ("tests/test_a.py", ""),
    ),
    "every test runs somewhere": Rule(
        unconditional_skips,
        lambda path: path.startswith("tests/") and is_python(path),
        ("tests/unit/test_a.py", "@pytest.mark.skip\ndef test_a(): ..."),
    ),
}


@pytest.fixture(scope="module")
def house() -> dict[str, str]:
    """Every text file that is or could be committed, by its path."""
    listed = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    paths = subprocess.run(listed, cwd=HOUSE, check=True, capture_output=True, text=True).stdout.split("\0")
    files = {path: HOUSE / path for path in dict.fromkeys(paths) if path and (HOUSE / path).is_file()}
    return {path: text for path, file in files.items() if (text := text_of(file)) is not None}


def text_of(file: Path) -> str | None:
    content = file.read_bytes()
    return None if b"\0" in content else content.decode()


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps_the_rule(name, house):
    rule = RULES[name]
    looked_at = [path for path in house if rule.applies(path)]
    faults = [f"{path}: {fault}" for path in looked_at for fault in rule.check(path, house[path])]
    assert looked_at
    assert not faults, "\n" + "\n".join(faults)


@pytest.mark.parametrize("name", RULES)
def test_the_rule_catches_what_breaks_it(name):
    rule = RULES[name]
    path, text = rule.broken
    assert rule.applies(path)
    assert list(rule.check(path, text))


def test_docstrings_do_not_count_as_lines():
    assert not list(long_functions("a.py", "def f():\n    '''" + "word\n" * 60 + "'''\n    return 1\n"))


def test_a_handler_that_acts_is_no_swallowed_error():
    assert not list(swallowed_errors("a.py", "try:\n    f()\nexcept Exception as error:\n    tell(error)\n    raise\n"))
    assert not list(swallowed_errors("a.py", "try:\n    f()\nexcept KeyError:\n    pass\n"))
