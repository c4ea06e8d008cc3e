"""How many rejects an object may have, and what is said of those that it has. Pure."""

from __future__ import annotations

import re

from milepost.errors import PlanError


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
    return f" The {stay} rejected, whatever is mended, unless the object is rewound (milepost rewind FILE {name})."
