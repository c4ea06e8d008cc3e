"""Jobs that must survive: data migrations above all, and any other long-running program."""

from milepost.errors import (
    DefinitionChanged,
    Fatal,
    Interrupted,
    LeaseHeld,
    LeaseLost,
    MilepostError,
    PlanError,
    Reject,
    Rejected,
    Retryable,
    StoreError,
)
from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.table import Query, Rows, Sink, Table
from milepost.public import Job, Migration

__all__ = [
    "Checkpoint",
    "DefinitionChanged",
    "Fatal",
    "Interrupted",
    "Job",
    "LeaseHeld",
    "LeaseLost",
    "Migration",
    "MilepostError",
    "PlanError",
    "Query",
    "Reject",
    "Rejected",
    "Retryable",
    "Rows",
    "Sink",
    "StoreError",
    "Table",
]
