"""How long a pause may be, as the user writes it: "90s", "10m", "2h". Pure."""

from __future__ import annotations

import re
from datetime import timedelta

from milepost.errors import PlanError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=36_500)


def duration(text: str, setting: str) -> timedelta:
    """The time that ``text`` means: a number, and s, m, h or d.

    Raises PlanError, naming the setting, for anything else, and for more than a hundred years.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", text) if isinstance(text, str) else None
    try:
        meant = None if found is None else timedelta(**{UNITS[found.group(2)]: float(found.group(1))})
    except OverflowError:
        meant = None
    if meant is None or meant > LONGEST:
        raise PlanError(
            f"{setting}={text!r} is no time",
            hint=f'Write a number and s, m, h or d: {setting}="90s", {setting}="10m", {setting}="2h".',
        )
    return meant
