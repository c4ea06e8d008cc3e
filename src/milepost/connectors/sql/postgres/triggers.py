"""The triggers and rules of a table, and of its partitions: what may happen besides what a statement says."""

from __future__ import annotations

from typing import Any

import psycopg

from milepost.migration.description import Trigger

INSERT, DELETE, UPDATE = "insert", "delete", "update"
EACH_ROW, BEFORE, INSTEAD = 1, 2, 64
EVENTS = {4: INSERT, 8: DELETE, 16: UPDATE}
RULE_EVENTS = {"2": UPDATE, "3": INSERT, "4": DELETE}

# Not those that foreign keys are made of, nor a partition's copy of its table's own, nor those that never fire here.
TRIGGERS = """
SELECT t.tgname::text, t.tgtype::int FROM pg_catalog.pg_trigger t
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
  AND (t.tgrelid = %(oid)s OR t.tgrelid IN (SELECT relid FROM pg_partition_tree(%(oid)s))) ORDER BY 1
"""
RULES = """
SELECT r.rulename::text, r.ev_type::text, r.is_instead FROM pg_catalog.pg_rewrite r
WHERE r.ev_class = %(oid)s AND r.ev_type <> '1' AND r.ev_enabled IN ('O', 'A') ORDER BY 1
"""


def triggers_of(connection: psycopg.Connection[Any], oid: int) -> tuple[Trigger, ...]:
    """The triggers, then the rules, in order of their names. One that fires at TRUNCATE only is none."""
    every = {
        Trigger(
            name=name, events=events, before=bool(bits & INSTEAD) or bits & (EACH_ROW | BEFORE) == EACH_ROW | BEFORE
        )
        for name, bits in connection.execute(TRIGGERS, {"oid": oid})
        if (events := frozenset(event for bit, event in EVENTS.items() if bits & bit))
    }
    rules = [
        Trigger(name=name, events=frozenset({RULE_EVENTS[event]}), before=instead)
        for name, event, instead in connection.execute(RULES, {"oid": oid})
    ]
    return (*sorted(every, key=lambda trigger: trigger.name), *rules)
