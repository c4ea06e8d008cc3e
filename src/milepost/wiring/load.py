"""Whether a user's file is only being read for its jobs, in which case nothing may run."""

from __future__ import annotations

from contextvars import ContextVar

being_loaded: ContextVar[bool] = ContextVar("milepost_being_loaded", default=False)
