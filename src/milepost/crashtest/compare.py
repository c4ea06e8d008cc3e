"""What is not as the undisturbed run left it. Pure, but for the rows that are read again to be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from milepost.crashtest.content import Content, LeftOut, compared_columns, digest
from milepost.crashtest.names import lines_of
from milepost.crashtest.scratch import Place
from milepost.crashtest.tables import Column, Line

SHOWN = 3  # rows of a difference


@dataclass(frozen=True, kw_only=True)
class Difference:
    """``kind`` is "lost", "doubled" or "different"; ``about`` the table, file or path; ``message`` says it whole."""

    kind: str
    about: str
    message: str


def differences(wanted: Content, found: Content) -> list[Difference]:
    """Everything that is not as it should be; what is worst comes first."""
    lists = (
        _tables(wanted, found),
        _counted("rejects", wanted.rejects, found.rejects),
        _values("file", wanted.files, found.files),
        _values("the counts of", wanted.counts, found.counts),
        _values("the result of", wanted.results, found.results),
        *(
            _counted(f"the key map of {name}", wanted.mapped.get(name, Counter()), found.mapped.get(name, Counter()))
            for name in dict.fromkeys([*wanted.mapped, *found.mapped])
        ),
        (
            Difference(kind="different", about=path, message=f"{path or 'the job'} is not complete")
            for path in found.unfinished
        ),
    )
    order = ("lost", "doubled", "different")
    return sorted((each for part in lists for each in part), key=lambda each: order.index(each.kind))


def varying(contents: tuple[Content, Content], places: tuple[Place, Place], left_out: LeftOut) -> LeftOut:
    """What two undisturbed runs do not agree in: columns of the same rows, else whole tables; files; results."""
    one, other = contents
    columns: dict[str, tuple[str, ...]] = {}
    tables = set()
    for name, rows in one.tables.items():
        if name not in other.tables or rows == other.tables[name]:
            continue
        names = tuple(column for column in rows.columns if _varies((name, column), places, contents, left_out))
        if names and rows.digests.total() == other.tables[name].digests.total():
            columns[name] = names
        else:
            tables.add(name)
    return LeftOut(
        columns=columns,
        tables=frozenset(tables | (set(one.tables) ^ set(other.tables))),
        files=frozenset(_unequal(one.files, other.files)),
        results=frozenset(_unequal(one.results, other.results)),
    )


def rows_apart(
    table: str, places: tuple[Place, Place], contents: tuple[Content, Content], left_out: LeftOut
) -> Iterator[str]:
    """Some of the rows that one of the two has and the other has not, in words."""
    columns = compared_columns(places[0], left_out)[table]
    mine, theirs = (content.tables[table].digests for content in contents)
    more = ((0, mine - theirs, "missing"), (1, theirs - mine, "too many"))
    for number, left, word in more:
        rows: list[Line] = []
        lines = lines_of(places[number], table, columns, left_out.numbered, contents[number].names)
        for row in lines if left else ():
            if len(rows) < SHOWN and left[digest(row)] > 0:
                left[digest(row)] -= 1
                rows.append(row)
        yield from (f"{word}: {', '.join(row)}" for row in rows)


def _tables(wanted: Content, found: Content) -> Iterator[Difference]:
    for name, rows in wanted.tables.items():
        if name not in found.tables:
            yield Difference(kind="lost", about=name, message=f"table {name} is not there")
            continue
        yield from _counted(name, rows.digests, found.tables[name].digests)
    for name in set(found.tables) - set(wanted.tables):
        yield Difference(kind="different", about=name, message=f"table {name} should not be there")


def _counted(about: str, wanted: Counter[Any], found: Counter[Any]) -> Iterator[Difference]:
    missing, extra = wanted - found, found - wanted
    if missing and extra:
        message = f"{about}: {missing.total()} of {wanted.total()} are missing or changed, {extra.total()} are new"
        yield Difference(kind="different", about=about, message=message)
    elif missing:
        message = f"{about}: {missing.total()} of {wanted.total()} are lost"
        yield Difference(kind="lost", about=about, message=message)
    elif extra:
        doubled = all(each in wanted for each in extra)
        word = "doubled" if doubled else "too many"
        message = f"{about}: {extra.total()} are {word}, beside {wanted.total()}"
        yield Difference(kind="doubled" if doubled else "different", about=about, message=message)


def _values(what: str, wanted: Mapping[str, object], found: Mapping[str, object]) -> Iterator[Difference]:
    for name in _unequal(wanted, found):
        shown = name or "the job"
        if name not in found:
            message = f"{what} {shown}: there is none"
        elif name not in wanted:
            message = f"{what} {shown}: there should be none"
        elif what == "file":
            message = f"file {shown} has another content"
        else:
            message = f"{what} {shown}: {found[name]} instead of {wanted[name]}"
        yield Difference(kind="different", about=name, message=message)


def _unequal(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]


def _varies(column: Column, places: tuple[Place, Place], contents: tuple[Content, Content], left_out: LeftOut) -> bool:
    table, name = column
    one, other = (
        Counter(lines_of(place, table, (name,), left_out.numbered, content.names))
        for place, content in zip(places, contents, strict=True)
    )
    return one != other
