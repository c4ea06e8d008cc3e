"""The numbered schema files, and the judgement of what is found in a database. Does no I/O on databases.

A file that was released is never changed: a later schema is a further file, applied on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from milepost.errors import StoreError
from milepost.stores.dialect import COLUMNS


class OlderSchema(StoreError):
    """The store can be brought to the present schema, and has to be before it is read."""

    def __init__(self, url: str, version: int) -> None:
        super().__init__(f"the store {url} has the older schema {version}", hint="`milepost run` brings it up to date.")


def steps(kind: str) -> list[tuple[int, str]]:
    """The schema files for "sqlite" or "postgres", by number, lowest first."""
    found = [each for each in files(__name__).joinpath(kind).iterdir() if each.name.endswith(".sql")]
    return sorted((int(each.name.removesuffix(".sql")), each.read_text(encoding="utf-8")) for each in found)


def missing_steps(kind: str, version: int) -> list[tuple[int, str]]:
    """The schema files that a store of ``version`` (0: none yet) still needs."""
    return [(number, text) for number, text in steps(kind) if number > version]


def refuse_foreign(url: str, name: str) -> StoreError:
    """The error for a database in which the store's names are taken by something else."""
    return StoreError(
        f"{url} has {name}, which is not of a Milepost store",
        hint="Name another place for the store: store='sqlite:///FILE.db' or --store URL.",
    )


def check_version(url: str, kind: str, version: int) -> None:
    """Raises StoreError where the store was made by a newer Milepost."""
    newest = steps(kind)[-1][0]
    if version > newest:
        raise StoreError(
            f"the store {url} has schema {version}, and this Milepost knows schemas up to {newest}",
            hint="Upgrade: pip install --upgrade milepost. Nothing was changed.",
        )


def check_columns(url: str, found: Mapping[str, set[str]]) -> None:
    """``found`` has each table's columns. Raises StoreError where one of the store's is missing."""
    for table, columns in COLUMNS.items():
        lacking = sorted(columns - found.get(table, set()))
        if lacking:
            what = f"the table {table} lacks {', '.join(lacking)}" if table in found else f"there is no table {table}"
            raise StoreError(
                f"{url} holds no usable Milepost store: {what}",
                hint="It is damaged, or not Milepost's. Keep it, and restore a backup or name another store.",
            )
