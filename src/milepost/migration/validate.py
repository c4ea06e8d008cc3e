"""Source rows checked by the user's model before they are restructured: a whole batch at once, or row by row.

pydantic is imported only where an object asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import FunctionType
from typing import Any

from milepost.errors import PlanError, Rejected
from milepost.migration.source import Row

GivenRow = dict[str, Any]

HINT = "Give a pydantic model or a TypedDict whose fields are columns of the source."


class Invalid(Rejected):
    """A row that its model does not allow; the message names every error."""


@dataclass(kw_only=True)
class Checked:
    """Rows that passed, as the function is to be given them, and their indexes; the others with what was raised."""

    indexes: list[int] = field(default_factory=list)
    given: list[GivenRow] = field(default_factory=list)
    failed: list[tuple[int, Exception]] = field(default_factory=list)


class Validator:
    """A model that the rows of the object ``name`` must satisfy: whatever pydantic's TypeAdapter takes and has fields.

    Raises PlanError where pydantic is missing, or can make nothing of the model.
    """

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self._one, self._many, self._error = _adapters(name, model)

    def check(self, names: tuple[str, ...], rows: Iterable[Row]) -> Checked:
        """Check the rows: at once, and only where that fails each by itself.

        A row that passed keeps its columns; the model's fields, with their types, are put over them.
        """
        given = [dict(zip(names, row, strict=True)) for row in rows]
        try:
            typed = self._many([dict(row) for row in given])  # a model's own code may change what it is handed
        except Exception:  # noqa: BLE001 - whatever a row provokes is found again below, and is that row's
            return self._check_each(given)
        for row, model in zip(given, typed, strict=True):
            row.update(self._fields(model))
        return Checked(indexes=list(range(len(given))), given=given)

    def _check_each(self, given: list[GivenRow]) -> Checked:
        checked = Checked()
        for index, row in enumerate(given):
            try:
                model = self._one(dict(row))
            except self._error as error:
                checked.failed.append((index, Invalid(_every_error(error))))
            except Exception as error:  # noqa: BLE001 - what the model's own code raises is the row's too
                checked.failed.append((index, error))
            else:
                row.update(self._fields(model))
                checked.indexes.append(index)
                checked.given.append(row)
        return checked

    def _fields(self, model: Any) -> Mapping[str, Any]:
        """The model's fields by their names, not their aliases."""
        if isinstance(model, Mapping):
            return model
        if is_dataclass(model) and not isinstance(model, type):
            return {each.name: getattr(model, each.name) for each in fields(model)}
        if hasattr(model, "__pydantic_fields_set__"):
            return dict(model)
        raise PlanError(
            f"{self.name}: validate= makes a {type(model).__name__} of a row, which has no fields", hint=HINT
        )


def _adapters(name: str, model: Any) -> tuple[Callable[[Any], Any], Callable[[Any], list[Any]], type[Exception]]:
    try:
        from pydantic import TypeAdapter, ValidationError
    except ImportError as error:
        raise PlanError(
            f"{name}: validate= needs the extra 'validate', which is not installed or not complete ({error})",
            hint="pip install 'milepost[validate]'",
        ) from error
    if isinstance(model, FunctionType):  # pydantic would check its arguments, and call it
        raise _no_model(name, model, "it is a function")
    try:
        one, many = TypeAdapter(model), TypeAdapter(list[model])
    except Exception as error:
        raise _no_model(name, model, str(error).strip().partition("\n")[0]) from error
    return one.validate_python, many.validate_python, ValidationError


def _no_model(name: str, model: Any, why: str) -> PlanError:
    return PlanError(f"{name}: validate={model!r} is no model that pydantic can use: {why}", hint=HINT)


def _every_error(error: Any) -> str:
    """All errors of a row on one line: ``email: Field required; age: Input should be a valid integer``."""
    return "; ".join(
        _said(each) for each in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _said(error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"])
    words = " ".join(str(error["msg"]).split()).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{place}: {words}" if place else words
