"""The name of a step's checkpoint: the step and its arguments. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from milepost.jobs.json_value import as_json, is_plain
from milepost.jobs.state import JSON

_TEXT = json.JSONEncoder(ensure_ascii=False, sort_keys=True)

LONGEST = 200  # characters of argument text that are shown; longer text is cut and a digest keeps it unique
SHOWN = 120

KEY_HINT = (
    "Say what identifies the call: @job.step(key=lambda …: …), a function of the arguments that gives a JSON value."
)


def named_by_arguments(step: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
    """``convert["sales.xlsx"]``, ``post["EMEA", size=5]``; without arguments ``close``. Names are in order.

    Raises Fatal for an argument that is not JSON.
    """
    if len(args) == 1 and not kwargs and is_plain(args[0]):  # most steps of which there are many
        only = args[0]
        return f"{step}[{_shortened(repr(only) if type(only) is int else _TEXT.encode(only))}]"
    texts = [_text(value, f"argument {place} of step {step}") for place, value in enumerate(args, start=1)]
    texts += [f"{name}={_text(kwargs[name], f'argument {name} of step {step}')}" for name in sorted(kwargs)]
    return f"{step}[{_shortened(', '.join(texts))}]" if texts else step


def named_by_key(step: str, key: JSON) -> str:
    """The step with what its ``key=`` function gave. Raises Fatal if that is not JSON."""
    return f"{step}[{_shortened(_text(key, f'the key of step {step}'))}]"


def _text(value: object, what: str) -> str:
    return _TEXT.encode(as_json(value, what, hint=KEY_HINT))


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:SHOWN]}… sha256:{sha256(text.encode()).hexdigest()[:16]}"
