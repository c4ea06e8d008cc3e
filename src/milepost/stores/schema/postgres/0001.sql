-- Names sort by code point (COLLATE "C") whatever the database's collation is. JSON is kept as ASCII text: jsonb would
-- reorder it, and neither json type takes an escaped U+0000. NULL stands for JSON null.

CREATE SCHEMA IF NOT EXISTS milepost;

CREATE TABLE milepost.schema_version (
    version integer NOT NULL PRIMARY KEY,
    applied_at timestamptz NOT NULL
);

-- The epoch is here and the lease's end in run, so that batches (which hold this row shared) and renewals (which
-- write that one) never wait for each other.
CREATE TABLE milepost.job (
    name text COLLATE "C" NOT NULL PRIMARY KEY,
    epoch bigint NOT NULL,
    held boolean NOT NULL
);

CREATE TABLE milepost.run (
    job text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    holder text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text,
    error text,
    PRIMARY KEY (job, epoch)
);

CREATE TABLE milepost.checkpoint (
    ordinal bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    state text NOT NULL,
    attempt integer NOT NULL,
    position text,
    result text,
    failure_kind text,
    failure_message text,
    started_at timestamptz,
    finished_at timestamptz,
    changed_at timestamptz NOT NULL,
    UNIQUE (job, path)
);

CREATE INDEX ON milepost.checkpoint (job, changed_at);

-- One row for every committed batch, never updated. The totals are the path's up to and including this
-- batch, so that reading them costs one look however many batches there are.
CREATE TABLE milepost.ledger (
    job text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    low text,
    high text,
    read bigint NOT NULL,
    loaded bigint NOT NULL,
    unchanged bigint NOT NULL,
    filtered bigint NOT NULL,
    rejected bigint NOT NULL,
    total_read bigint NOT NULL,
    total_loaded bigint NOT NULL,
    total_unchanged bigint NOT NULL,
    total_filtered bigint NOT NULL,
    total_rejected bigint NOT NULL,
    epoch bigint NOT NULL,
    committed_at timestamptz NOT NULL,
    PRIMARY KEY (job, path, seq)
);

CREATE INDEX ON milepost.ledger (job, committed_at);

CREATE TABLE milepost.reject (
    job text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    ordinal bigint NOT NULL,
    stage text NOT NULL,
    reason text NOT NULL,
    key text,
    content text,
    PRIMARY KEY (job, path, seq, ordinal)
);

CREATE TABLE milepost.value (
    job text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    value text,
    PRIMARY KEY (job, path, name)
);
