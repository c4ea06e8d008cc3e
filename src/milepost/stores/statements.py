"""The statements that SQLite and PostgreSQL share. ``spell`` puts the ``{words}`` in."""

from __future__ import annotations

CHECK = "SELECT 1 FROM {job} WHERE name = :job AND epoch = :epoch AND held {shared}"

# One row while the lease is valid, else none, and so the statement that reads from it writes none. PostgreSQL holds the
# job shared until the commit; where it must wait for somebody who takes the job, it then judges by the new epoch.
_VALID = f"({CHECK}) AS valid"

HOLDING = """
    SELECT j.epoch, j.held, r.holder, r.lease_until, r.lease_until < {now} OR r.seen_at > {now}, {seen}, r.seen_at
    FROM {job} j JOIN {run} r ON r.job = j.name AND r.epoch = j.epoch
    WHERE j.name = :job
"""

HOLD = """
    INSERT INTO {job} (name, epoch, held) VALUES (:job, :epoch, TRUE)
    ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, held = excluded.held
"""

BEGIN_RUN = """
    INSERT INTO {run} (job, epoch, holder, started_at, seen_at, lease_until)
    VALUES (:job, :epoch, :holder, {now}, {now}, {until})
"""

RENEW = "UPDATE {run} SET seen_at = {now}, lease_until = {until} WHERE job = :job AND epoch = :epoch"

LET_GO = "UPDATE {job} SET held = FALSE WHERE name = :job AND epoch = :epoch AND held"

END_RUN = """
    UPDATE {run} SET ended_at = {now}, seen_at = {now}, outcome = :outcome, error = :error
    WHERE job = :job AND epoch = :epoch
"""

RUNS = """
    SELECT job, epoch, holder, started_at, seen_at, lease_until, ended_at, outcome, error
    FROM {run} WHERE job = :job ORDER BY epoch
"""

STARTED_AT = "SELECT started_at FROM {run} WHERE job = :job AND epoch = :epoch"

PUT = f"""
    INSERT INTO {{checkpoint}} AS c (job, path, state, attempt, position, result, failure_kind, failure_message,
        started_at, finished_at, changed_at)
    SELECT :job, :path, :state, :attempt, :position, :result, :failure_kind, :failure_message,
        CASE :state WHEN 'started' THEN {{now}} END, CASE :state WHEN 'complete' THEN {{now}} END, {{now}}
    FROM {_VALID} WHERE TRUE
    ON CONFLICT (job, path) DO UPDATE SET
        state = excluded.state, attempt = excluded.attempt, result = excluded.result,
        position = CASE WHEN excluded.failure_kind IS NULL THEN excluded.position ELSE c.position END,
        failure_kind = excluded.failure_kind, failure_message = excluded.failure_message,
        changed_at = excluded.changed_at,
        started_at = CASE
            WHEN excluded.state = 'pending' THEN NULL
            WHEN excluded.state = 'started' AND (c.state IN ('pending', 'complete') OR c.started_at IS NULL)
                THEN excluded.changed_at
            ELSE c.started_at END,
        finished_at = CASE
            WHEN excluded.state <> 'complete' THEN NULL
            WHEN c.state = 'complete' THEN c.finished_at
            ELSE excluded.changed_at END
"""

CHECKPOINTS = """
    SELECT c.path, c.state, c.attempt, CASE WHEN l.seq IS NULL THEN c.position ELSE l.high END, c.result,
        c.failure_kind, c.failure_message,
        l.total_read, l.total_loaded, l.total_unchanged, l.total_filtered, l.total_rejected, l.seq,
        c.started_at, c.finished_at, CASE WHEN l.committed_at > c.changed_at THEN l.committed_at ELSE c.changed_at END
    FROM {checkpoint} c {last}
    WHERE c.job = :job
"""

ONE_CHECKPOINT = CHECKPOINTS + " AND c.path = :path"

ALL_CHECKPOINTS = CHECKPOINTS + " ORDER BY c.ordinal"

# By a range of ordinals: what other jobs wrote meanwhile is passed over, and no search goes on to find more.
COMPLETED_AFTER = """
    SELECT c.path, c.result,
        l.total_read, l.total_loaded, l.total_unchanged, l.total_filtered, l.total_rejected, l.seq
    FROM {checkpoint} c {last}
    WHERE c.ordinal > (SELECT p.ordinal FROM {checkpoint} p WHERE p.job = :job AND p.path = :path)
        AND c.ordinal <= (SELECT p.ordinal FROM {checkpoint} p WHERE p.job = :job AND p.path = :path) + :places
        AND coalesce(c.job, '') = :job AND c.state = 'complete' AND coalesce(length(c.result), 0) <= :longest
    ORDER BY c.ordinal
"""

# Adds no row unless the lease is valid, it is the path's next and its checkpoint exists: told by the number of rows.
APPEND = f"""
    INSERT INTO {{ledger}} (job, path, seq, low, high, read, loaded, unchanged, filtered, rejected,
        total_read, total_loaded, total_unchanged, total_filtered, total_rejected, epoch, committed_at, modified)
    SELECT c.job, c.path, :seq, :low, :high, :read, :loaded, :unchanged, :filtered, :rejected,
        coalesce(l.total_read, 0) + :read, coalesce(l.total_loaded, 0) + :loaded,
        coalesce(l.total_unchanged, 0) + :unchanged, coalesce(l.total_filtered, 0) + :filtered,
        coalesce(l.total_rejected, 0) + :rejected, :epoch, {{now}}, :modified
    FROM {_VALID} CROSS JOIN {{checkpoint}} c {{last}}
    WHERE c.job = :job AND c.path = :path AND coalesce(l.seq, 0) + 1 = :seq
"""

LEDGER = """
    SELECT path, seq, low, high, read, loaded, unchanged, filtered, rejected, epoch, committed_at, modified
    FROM {ledger} WHERE job = :job AND path = :path AND seq > :seq ORDER BY seq LIMIT :page
"""

# The path and all below it; "/" is followed by "0" in every encoding.
BELOW = """
    DELETE FROM {table} WHERE job = :job
    AND (:path = '' OR path = :path OR (path >= :path || '/' AND path < :path || '0'))
"""

REWIND_ABOVE = """
    UPDATE {checkpoint} SET state = :after, result = NULL, failure_kind = :failure_kind,
        failure_message = :failure_message, finished_at = NULL, changed_at = {now}
    WHERE job = :job AND path = :path AND state = :before
"""

_RECORD = f"INSERT INTO {{value}} (job, path, name, value) SELECT :job, :path, :name, :value FROM {_VALID} WHERE TRUE"

REMEMBER = _RECORD + " ON CONFLICT (job, path, name) DO NOTHING"

REPLACE = _RECORD + " ON CONFLICT (job, path, name) DO UPDATE SET value = excluded.value"

RECALL_ONE = f"SELECT value FROM {_VALID} CROSS JOIN {{value}} WHERE job = :job AND path = :path AND name = :name"

RECALL = "SELECT name, value FROM {value} WHERE job = :job AND path = :path ORDER BY name"

JOBS = "SELECT name FROM {job} ORDER BY name"

NOW = "SELECT {now}"
