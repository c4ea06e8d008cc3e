"""What an object was declared to be, pinned when it starts, so that a half-done one is not finished as another.

Comments and layout of a function do not count: its text is taken from its syntax tree.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from milepost.jobs.state import JSON
from milepost.migration.object import Object
from milepost.migration.table import Query, Rows, Table


def definition(each: Object) -> JSON:
    """The object's definition as JSON: what it reads and writes, its parents, its function. Databases are left out."""
    declared = {
        "source": _place(each.source),
        "target": _place(each.target),
        "parents": {", ".join(columns): parent.name for columns, parent in each.parents.items()},
        "columns": None if each.columns is None else dict(each.columns),
        "takes": each.takes,
        "on_duplicate": each.on_duplicate,
        "function": None if each.function is None else source_text(each.function),
    }
    return json.loads(json.dumps(declared))  # as it will be read back, so that equal means unchanged


def difference(before: JSON, now: JSON) -> str:
    """What changed, as the lines of a unified diff without its header; empty where nothing did."""
    lines = difflib.unified_diff(_lines(before), _lines(now), "when it started", "now", n=1, lineterm="")
    return "\n".join(list(lines)[2:])


def source_text(function: Callable[..., Any]) -> str:
    """The function's text from its syntax tree, decorators left out; its code's bytes where no text is to be had."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        code = getattr(function, "__code__", None)
        return f"code {code.co_code.hex()} {code.co_consts!r} {code.co_names!r}" if code else repr(type(function))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
    return ast.unparse(tree)


def _place(place: Table | Query | Rows) -> JSON:
    if isinstance(place, Rows):
        return {"rows": source_text(place.read), "key": list(place.key)}
    return {name: value for name, value in asdict(place).items() if name != "database" and value is not None}


def _lines(document: JSON) -> list[str]:
    """One line for each line of the function and for each setting."""
    lines: list[str] = []
    for name, value in document.items():
        if name == "function" and value is not None:
            lines += value.splitlines()
        else:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return lines
