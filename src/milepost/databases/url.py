"""Database URLs as SQLAlchemy writes them: ``sqlite:///file.db``, ``postgresql://user:password@host/name``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from milepost.errors import PlanError, mask_named

SCHEMES = {"sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql", "memory": "memory"}


def expand(url: str) -> str:
    """Put environment variables in: ``${NAME}`` becomes their value. Raises PlanError naming one that is not set."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise PlanError(
                f"the environment variable {name} is not set, and the URL {hide_password(url)} needs it",
                hint=f"Set it: export {name}=…",
            )
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", value, url)


def scheme(url: str) -> str:
    """ "sqlite", "postgresql" or "memory"; a driver behind ``+`` is passed over. Raises PlanError for any other."""
    head, colon, _ = url.partition(":")
    name = SCHEMES.get(head.partition("+")[0].lower())
    if not colon or name is None:
        raise PlanError(
            f"{hide_password(url)!r} is not a database URL that Milepost knows",
            hint="Write sqlite:///file.db or postgresql://user@host/database.",
        )
    return name


def sqlite_path(url: str) -> Path:
    """The file of a SQLite URL: ``sqlite:///relative.db``, ``sqlite:////absolute.db``. Raises PlanError otherwise."""
    rest = url.partition(":")[2]
    if not rest.startswith("///") or len(rest) <= 3 or rest == "///:memory:":
        raise PlanError(
            f"{url!r} names no SQLite file", hint="Write sqlite:///file.db, or sqlite:////absolute/file.db."
        )
    return Path(rest[3:].partition("?")[0])


def hide_password(url: str) -> str:
    """The URL as it may be shown: the password, and values of parameters that look like one, become ``***``."""
    start = r"(?<=//)" if "//" in url else r"^"  # a URL that lacks its scheme may hold a password all the same
    shown = re.sub(start + r"([^/@]*?):.*@", r"\1:***@", url, count=1)
    return mask_named(shown)


def same_database(one: str, other: str) -> bool:
    """Whether two URLs surely name one database: the same file, or the same host, port and name."""
    if scheme(one) != scheme(other):
        return False
    if scheme(one) == "sqlite":
        return sqlite_path(one).resolve() == sqlite_path(other).resolve()
    return _server(one) == _server(other)


def _server(url: str) -> tuple[str | None, int, str, str]:
    parts = urlsplit(url)
    try:
        return parts.hostname, parts.port or 5432, parts.path, parts.query
    except ValueError:
        raise PlanError(
            f"the port in {hide_password(url)} is no number", hint="Write host:5432, or leave it out."
        ) from None
