"""The statements about single rows: rejects, the key map, links. ``spell`` puts the ``{words}`` in."""

from __future__ import annotations

_REJECTS = """
    SELECT t.path, t.seq, t.ordinal, t.stage, t.reason, t.key, t.content, t.target_key, t.parent, l.committed_at
    FROM {reject} t LEFT JOIN {ledger} l ON l.job = t.job AND l.path = t.path AND l.seq = t.seq
    WHERE t.job = :job
"""

_BEHIND = " AND (t.path, t.seq, t.ordinal) > (:path, :seq, :ordinal) ORDER BY t.path, t.seq, t.ordinal LIMIT :page"

REJECTS_OF_JOB = _REJECTS + _BEHIND

REJECTS_OF_PATH = (
    _REJECTS + " AND t.path = :of AND (t.seq, t.ordinal) > (:seq, :ordinal) ORDER BY t.seq, t.ordinal LIMIT :page"
)

REJECTS_BELOW = _REJECTS + " AND t.path >= :of || '/' AND t.path < :of || '0'" + _BEHIND

# "/" is followed by "0" in every encoding.
_AT_OR_BELOW = "(:path = '' OR path = :path OR (path >= :path || '/' AND path < :path || '0'))"

_SOME = f"SELECT path, seq, ordinal FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW}"

FIND_REJECTS = f"""{_REJECTS}
    AND (t.path, t.seq, t.ordinal) IN ({_SOME} AND key {{among}} UNION {_SOME} AND target_key {{among}})
    ORDER BY t.path, t.seq, t.ordinal
"""

FORGET_REJECTS = f"DELETE FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW} AND key {{among}}"

FORGET_REJECTS_OF = f"""
    DELETE FROM {{reject}} WHERE job = :job AND {_AT_OR_BELOW}
    AND (path, seq) IN (SELECT one, CAST(other AS bigint) FROM {{paired}})
"""

MAP_KEYS = """
    INSERT INTO {key_map} (job, path, key, target, batch_path, batch_seq)
    SELECT :job, :path, one, other, :batch_path, :batch_seq FROM {paired} WHERE TRUE
    ON CONFLICT (job, path, key) DO UPDATE SET
        target = excluded.target, batch_path = excluded.batch_path, batch_seq = excluded.batch_seq
"""

_MAPPED = "SELECT key, target FROM {key_map} WHERE job = :job AND path = :path"

MAPPED = _MAPPED + " AND key {among}"

MAPPED_FROM = _MAPPED + " AND target {among} ORDER BY key"

MAPPED_BY = _MAPPED + " AND (batch_path, batch_seq) IN (SELECT one, CAST(other AS bigint) FROM {paired}) ORDER BY key"

UNMAP = "DELETE FROM {key_map} WHERE job = :job AND path = :path AND key {among}"

FORGET_LINKS = "DELETE FROM {link} WHERE job = :job AND path = :path AND seq = :seq"

KEEP_LINKS = """
    INSERT INTO {link} (job, path, seq, place, link) SELECT :job, :path, :seq, number, text FROM {listed}
"""

LINKS = """
    SELECT seq, place, link FROM {link}
    WHERE job = :job AND path = :path AND (seq, place) > (:seq, :place) ORDER BY seq, place LIMIT :page
"""
