"""How many rejects an object may have, and what is said of those that it has. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from milepost.errors import Fatal, PlanError
from milepost.jobs.ledger import RejectedRow
from milepost.migration.keys import decode, readable

_ALLOW = 'allow rejects (max_rejects=100, or a share such as max_rejects="2%")'


def allowed(max_rejects: int | str, rows: int) -> int:
    """The number of rejects that ``max_rejects`` (a number, or a share such as "2%") allows among ``rows``.

    Raises PlanError for anything else.
    """
    if isinstance(max_rejects, int) and not isinstance(max_rejects, bool) and max_rejects >= 0:
        return max_rejects
    share = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", max_rejects) if isinstance(max_rejects, str) else None
    if share is None or float(share.group(1)) > 100:
        raise PlanError(
            f"max_rejects={max_rejects!r} is neither a number of rows nor a share",
            hint='Write max_rejects=100 or max_rejects="2%".',
        )
    return int(rows * float(share.group(1)) / 100)


def stay_rejected(name: str, rejected: int) -> str:
    """What to add to the ways out of an object of which so many rows are rejected durably; "" where none are."""
    if not rejected:
        return ""
    stay = "1 row rejected before stays" if rejected == 1 else f"{rejected:,} rows rejected before stay"
    again = f"milepost rejects retry FILE --object {name.partition('/')[0]}"
    return f" The {stay} rejected until the object is complete and they are tried again ({again})."


def too_many(name: str, before: int, rejects: Sequence[RejectedRow], limit: int) -> Fatal:
    """The error of a batch whose rejects, with those ``before``, are more than ``limit``. ``name`` is who moves it."""
    return Fatal(
        _too_many(name, before, rejects, limit),
        hint=f"Mend the data or the function, or {_ALLOW}, and run the same command again."
        + stay_rejected(name, before),
    )


def too_many_links(path: str, before: int, rejects: Sequence[RejectedRow], limit: int) -> Fatal:
    """The same of a batch of links, set at ``path``: their parents' keys are those that were read with the rows."""
    name = path.partition("/")[0]
    return Fatal(
        _too_many(path, before, rejects, limit),
        hint="What a row refers to is kept as it was when the row was loaded: it is not enough to mend it at the"
        " source. Mend the data or the function and move the object again"
        f" (milepost rewind FILE {name}, then the same command); or {_ALLOW}, run the same command again, and try what"
        f" was mended once it is complete (milepost rejects retry FILE --object {name}).",
    )


def _too_many(name: str, before: int, rejects: Sequence[RejectedRow], limit: int) -> str:
    first = rejects[0]
    key = ", ".join(map(str, readable(decode(first.key))))
    return (
        f"{name}: batch {first.seq} was not committed, since {before + len(rejects)} rows are rejected and {limit} are"
        f" allowed. The first of this batch, key {key}, stage {first.stage}: {first.reason}"
    )
