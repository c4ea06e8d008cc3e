"""Write a key as the bound of a range, so that SQLite compares it just as it orders the column."""

from __future__ import annotations

from milepost.connectors.sql.sqlite.quote import quote
from milepost.migration.source import Key


def keyed(key: tuple[str, ...], *, plain: bool) -> tuple[str, ...]:
    """The key's columns, to order by and to compare.

    ``plain`` columns can be found by an index. Those of a compound select cannot be trusted so: their affinity is one
    part's, and would convert a bound value that came from another part; a unary plus takes the affinity off.
    """
    return tuple(quote(name) if plain else f"+{quote(name)}" for name in key)


def bound(key: Key) -> tuple[str, tuple[object, ...]]:
    """The key's values as SQL with parameters.

    Text that is not valid UTF-8 was read with escapes, which sqlite3 does not bind: its bytes are bound, and made text
    again; the unary plus keeps the cast from lending its affinity to the comparison.
    """
    marks, values = [], []
    for value in key:
        if isinstance(value, str) and not is_utf8(value):
            marks.append("+CAST(? AS TEXT)")
            values.append(value.encode("utf-8", "surrogateescape"))
        else:
            marks.append("?")
            values.append(value)
    return ", ".join(marks), tuple(values)


def is_utf8(text: str) -> bool:
    """Whether the text can be written as UTF-8: it holds no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def between(columns: tuple[str, ...], after: Key | None, upto: Key | None) -> tuple[list[str], tuple[object, ...]]:
    """The conditions, and their parameters, of the range ``(after, upto]``."""
    conditions: list[str] = []
    parameters: tuple[object, ...] = ()
    for key, comparison in ((after, ">"), (upto, "<=")):
        if key is not None:
            marks, values = bound(key)
            conditions.append(f"({', '.join(columns)}) {comparison} ({marks})")
            parameters += values
    return conditions, parameters
