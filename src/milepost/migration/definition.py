"""What an object was declared to be, pinned when it starts, so that a half-done one is not finished as another.

Comments and layout of a function do not count: its text is taken from its syntax tree. The functions of the same file
that it calls belong to it; what it takes from other modules does not.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import asdict
from types import CodeType, FunctionType
from typing import Any, get_args

from milepost.errors import mask
from milepost.jobs.state import JSON
from milepost.migration.object import Object
from milepost.migration.table import Query, Rows, Sink, Table

Later = frozenset[tuple[str, ...]]
"""The columns of parents that are set once all rows are in."""
NONE_LATER: Later = frozenset()


def definition(each: Object, database: str | None = None, later: Later = NONE_LATER) -> JSON:
    """The object's definition as JSON: what it reads and writes, its parents, its function.

    ``database`` names the one that is read, without user or password: half of one and half of another is no migration.
    """
    declared = {
        "database": database,
        "source": _place(each.source),
        "target": _place(each.target),
        "parents": {", ".join(columns): parent.name for columns, parent in each.parents.items()},
        "columns": None if each.columns is None else dict(each.columns),
        "takes": each.takes,
        "on_duplicate": each.on_duplicate,
        "function": None if each.function is None else source_text(each.function),
    }
    if each.validate is not None:  # left out otherwise: as it was pinned before there were models
        declared["validate"] = model_text(each.validate)
    if later:
        declared["later"] = sorted(", ".join(columns) for columns in later)
    return json.loads(json.dumps(declared))  # as it will be read back, so that equal means unchanged


def difference(before: JSON, now: JSON) -> str:
    """What changed, as the lines of a unified diff without its header; empty where nothing did."""
    lines = difflib.unified_diff(_lines(before), _lines(now), "when it started", "now", n=1, lineterm="")
    return "\n".join(list(lines)[2:])


def source_text(function: Callable[..., Any]) -> str:
    """The function's text, and that of the functions of its file that it calls, by whatever way."""
    texts = [_own_text(each) for each in _with_called(function, [])]
    return "\n".join([texts[0], *sorted(texts[1:])])


def model_text(model: Any) -> str:
    """The text of a model's class, and of the classes and functions of its file that it names, by whatever way."""
    found: list[Any] = []
    for part in (model, *get_args(model)):  # Annotated[Model, AfterValidator(function)]
        _with_named(part, found)
        _with_named(getattr(part, "func", None), found)
    return "\n".join(_class_text(each) for each in found)


def _with_named(model: Any, found: list[Any]) -> None:
    """Bases, nested models and validators: whatever of the same module the class names, as a name or as a text."""
    if not isinstance(model, type | FunctionType) or model in found:
        return
    found.append(model)
    known = vars(sys.modules.get(model.__module__, sys))
    for node in ast.walk(ast.parse(_class_text(model))):
        name = node.id if isinstance(node, ast.Name) else getattr(node, "value", None)
        named = known.get(name) if isinstance(name, str) else None
        if getattr(named, "__module__", None) == model.__module__:
            _with_named(named, found)


def _class_text(model: Any) -> str:
    """Like a function's, but with its decorators: they say what a validator validates."""
    try:
        return mask(ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(model)))))
    except (OSError, TypeError, SyntaxError):
        return f"{model.__qualname__!r}"


def _with_called(function: Callable[..., Any], found: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The function and those of the same module that it names; they restructure as much as it does itself."""
    found.append(function)
    known = getattr(function, "__globals__", {})
    for name in _names_in(getattr(function, "__code__", None)):
        called = known.get(name)
        if isinstance(called, FunctionType) and called.__module__ == function.__module__ and called not in found:
            _with_called(called, found)
    return found


def _names_in(code: CodeType | None) -> Iterator[str]:
    """The names that the code uses, also within its comprehensions and inner functions."""
    if code is None:
        return
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names_in(inner)


def _own_text(function: Callable[..., Any]) -> str:
    """The function's text from its syntax tree, decorators left out; its code's bytes where no text is to be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return _code_text(getattr(function, "__code__", type(function).__name__))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
    return mask(ast.unparse(tree))


def _code_text(value: Any) -> str:
    """Compiled code, or one of its constants, as text that is the same in every process."""
    if isinstance(value, CodeType):
        return f"code {value.co_code.hex()} {_code_text(value.co_consts)} {_code_text(value.co_names)}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_code_text, value))})"
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(map(_code_text, value)))}}}"
    return mask(repr(value))


def _place(place: Table | Query | Rows | Sink) -> JSON:
    if isinstance(place, Rows):
        return {"rows": source_text(place.read), "key": list(place.key)}
    if isinstance(place, Sink):
        return {"sink": source_text(place.write), "key": list(place.key)}
    settings = {name: value for name, value in asdict(place).items() if name != "database" and value is not None}
    return {name: mask(value) if isinstance(value, str) else value for name, value in settings.items()}


def _lines(document: JSON) -> list[str]:
    """One line for each line of the function and for each setting."""
    lines: list[str] = []
    for name, value in document.items():
        if name == "function" and value is not None:
            lines += value.splitlines()
        else:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return lines
