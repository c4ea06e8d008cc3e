"""The statements about single rows: rejects, the key map, links. ``spell`` puts the ``{words}`` in."""

from __future__ import annotations

_COLUMNS = """
    SELECT t.path, t.seq, t.ordinal, t.stage, t.reason, t.key, t.content, t.target_key, t.parent, l.committed_at
"""

_ENTRY = "LEFT JOIN {ledger} l ON l.job = t.job AND l.path = t.path AND l.seq = t.seq"

_REJECTS = f"{_COLUMNS} FROM {{reject}} t {_ENTRY} WHERE t.job = :job"

_BEHIND = " AND (t.path, t.seq, t.ordinal) > (:path, :seq, :ordinal) ORDER BY t.path, t.seq, t.ordinal LIMIT :page"

REJECTS_OF_JOB = _REJECTS + _BEHIND

REJECTS_OF_PATH = (
    _REJECTS + " AND t.path = :of AND (t.seq, t.ordinal) > (:seq, :ordinal) ORDER BY t.seq, t.ordinal LIMIT :page"
)

REJECTS_BELOW = _REJECTS + " AND t.path >= :of || '/' AND t.path < :of || '0'" + _BEHIND

# "/" is followed by "0" in every encoding.
_AT_OR_BELOW = "(:path = '' OR path = :path OR (path >= :path || '/' AND path < :path || '0'))"

_SOME = f"SELECT path, seq, ordinal FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW}"

# SQLite takes the tables of a CROSS JOIN in their order: what is asked for first, then what is there by its key.
FIND_REJECTS = f"""
    {_COLUMNS} FROM ({_SOME} AND key {{among}} UNION {_SOME} AND target_key {{among}}) AS wanted
    CROSS JOIN {{reject}} t {_ENTRY}
    WHERE t.job = :job AND t.path = wanted.path AND t.seq = wanted.seq AND t.ordinal = wanted.ordinal
"""

COUNT_REJECTS = f"SELECT count(*) FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW}"

COUNT_REJECTS_OF = f"""
    SELECT count(*) FROM {{paired}} CROSS JOIN {{reject}} t
    WHERE t.job = :job AND {_AT_OR_BELOW} AND t.path = one AND t.seq = CAST(other AS bigint)
"""

FORGET_REJECTS = f"DELETE FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW} AND key {{among}}"

FORGET_REJECTS_OF = f"""
    DELETE FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW} AND (path, seq, ordinal) IN (
        SELECT t.path, t.seq, t.ordinal FROM {{paired}} CROSS JOIN {{reject}} t
        WHERE t.job = :job AND t.path = one AND t.seq = CAST(other AS bigint))
"""

MAP_KEYS = """
    INSERT INTO {key_map} (job, path, key, target, batch_path, batch_seq)
    SELECT :job, :path, one, other, :batch_path, :batch_seq FROM {paired} WHERE TRUE
    ON CONFLICT (job, path, key) DO UPDATE SET
        target = excluded.target, batch_path = excluded.batch_path, batch_seq = excluded.batch_seq
"""

_MAPPED = "SELECT key, target FROM {key_map} WHERE job = :job AND path = :path"

MAPPED = _MAPPED + " AND key {among}"

MAPPED_FROM = _MAPPED + " AND target {among}"

MAPPED_BY = """
    SELECT m.key, m.target FROM {paired} CROSS JOIN {key_map} m
    WHERE m.job = :job AND m.path = :path AND m.batch_path = one AND m.batch_seq = CAST(other AS bigint)
"""

# Of the path's own batches, and those below it: what others marked is theirs to settle.
REWIND_KEYS = f"""
    UPDATE {{key_map}} SET batch_path = path, batch_seq = -1
    WHERE job = :job AND batch_seq > 0 AND {_AT_OR_BELOW.replace("path", "batch_path").replace(":batch_", ":")}
        AND (batch_path = path OR (batch_path >= path || '/' AND batch_path < path || '0'))
"""

UNMAP = "DELETE FROM {key_map} WHERE job = :job AND path = :path AND key {among}"

FORGET_LINKS = "DELETE FROM {link} WHERE job = :job AND path = :path AND seq = :seq"

KEEP_LINKS = """
    INSERT INTO {link} (job, path, seq, place, link) SELECT :job, :path, :seq, number, text FROM {listed}
"""

LINKS = """
    SELECT seq, place, link FROM {link}
    WHERE job = :job AND path = :path AND (seq, place) > (:seq, :place) ORDER BY seq, place LIMIT :page
"""
