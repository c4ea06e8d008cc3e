-- Tables carry the prefix, so that a store can live in the target's own database file.
-- Times are UTC text of one width, so that they sort. JSON is ASCII text. NULL stands for JSON null.

CREATE TABLE milepost_schema (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
);

CREATE TABLE milepost_job (
    name TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    held BOOLEAN NOT NULL
) WITHOUT ROWID;

CREATE TABLE milepost_run (
    job TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    holder TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    lease_until TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT,
    error TEXT,
    PRIMARY KEY (job, epoch)
) WITHOUT ROWID;

CREATE TABLE milepost_checkpoint (
    ordinal INTEGER NOT NULL PRIMARY KEY,
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    position TEXT,
    result TEXT,
    failure_kind TEXT,
    failure_message TEXT,
    started_at TEXT,
    finished_at TEXT,
    changed_at TEXT NOT NULL,
    UNIQUE (job, path)
);

-- One row for every committed batch, never updated. The totals are the path's up to and including this
-- batch, so that reading them costs one look however many batches there are.
CREATE TABLE milepost_ledger (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    low TEXT,
    high TEXT,
    read INTEGER NOT NULL,
    loaded INTEGER NOT NULL,
    unchanged INTEGER NOT NULL,
    filtered INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    total_read INTEGER NOT NULL,
    total_loaded INTEGER NOT NULL,
    total_unchanged INTEGER NOT NULL,
    total_filtered INTEGER NOT NULL,
    total_rejected INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    committed_at TEXT NOT NULL,
    PRIMARY KEY (job, path, seq)
) WITHOUT ROWID;

CREATE TABLE milepost_reject (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT NOT NULL,
    key TEXT,
    content TEXT,
    PRIMARY KEY (job, path, seq, ordinal)
);

CREATE TABLE milepost_value (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (job, path, name)
) WITHOUT ROWID;
