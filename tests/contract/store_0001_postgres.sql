CREATE SCHEMA milepost;
CREATE TABLE milepost.checkpoint (
    ordinal bigint NOT NULL,
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL,
    attempt integer NOT NULL,
    "position" text,
    result text,
    failure_kind text,
    failure_message text,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    changed_at timestamp with time zone NOT NULL
);
ALTER TABLE milepost.checkpoint ALTER COLUMN ordinal ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME milepost.checkpoint_ordinal_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE milepost.job (
    name text NOT NULL COLLATE pg_catalog."C",
    epoch bigint NOT NULL,
    held boolean NOT NULL
);
CREATE TABLE milepost.ledger (
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
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
    committed_at timestamp with time zone NOT NULL
);
CREATE TABLE milepost.reject (
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    ordinal bigint NOT NULL,
    stage text NOT NULL,
    reason text NOT NULL,
    key text,
    content text
);
CREATE TABLE milepost.run (
    job text NOT NULL COLLATE pg_catalog."C",
    epoch bigint NOT NULL,
    holder text NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    outcome text,
    error text
);
CREATE TABLE milepost.schema_version (
    version integer NOT NULL,
    applied_at timestamp with time zone NOT NULL
);
CREATE TABLE milepost.value (
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    value text
);
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (1, 'crm', '', 'started', 1, NULL, NULL, NULL, NULL, '2026-11-23 18:43:15.171455+05:30', NULL, '2026-11-23 18:43:15.171455+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (2, 'crm', 'customer', 'complete', 1, NULL, '[1]', NULL, NULL, '2026-11-23 18:43:15.172978+05:30', '2026-11-23 18:43:15.179472+05:30', '2026-11-23 18:43:15.179472+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (4, 'crm', 'invoice', 'failed', 1, '{"after":5}', NULL, 'error', 'no', NULL, NULL, '2026-11-23 18:43:15.180026+05:30');
INSERT INTO milepost.job VALUES ('crm', 1, false);
INSERT INTO milepost.ledger VALUES ('crm', 'customer', 1, NULL, '["C100"]', 100, 97, 0, 1, 2, 100, 97, 0, 1, 2, 1, '2026-11-23 18:43:15.175191+05:30');
INSERT INTO milepost.ledger VALUES ('crm', 'customer', 2, '["C100"]', '["C200"]', 100, 60, 40, 0, 0, 200, 157, 40, 1, 2, 1, '2026-11-23 18:43:15.178937+05:30');
INSERT INTO milepost.reject VALUES ('crm', 'customer', 1, 0, 'restructure', 'email has no @', '["C7"]', '{"cust_no":"C7","name":"\u00c9mile \u0000"}');
INSERT INTO milepost.reject VALUES ('crm', 'customer', 1, 1, 'restructure', 'email has no @', '["C9"]', '{"cust_no":"C9","name":"\u00c9mile \u0000"}');
INSERT INTO milepost.run VALUES ('crm', 1, 'host:1', '2026-11-23 18:43:15.168298+05:30', '2026-11-23 18:43:15.180577+05:30', '2026-11-23 18:44:15.168298+05:30', '2026-11-23 18:43:15.180577+05:30', 'failed', 'no');
INSERT INTO milepost.schema_version VALUES (1, '2026-11-23 18:43:15.150953+05:30');
INSERT INTO milepost.value VALUES ('crm', '', 'now', '"2026-01-02T03:04:05+00:00"');
SELECT pg_catalog.setval('milepost.checkpoint_ordinal_seq', 4, true);
ALTER TABLE ONLY milepost.checkpoint
    ADD CONSTRAINT checkpoint_job_path_key UNIQUE (job, path);
ALTER TABLE ONLY milepost.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (ordinal);
ALTER TABLE ONLY milepost.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);
ALTER TABLE ONLY milepost.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (job, path, seq);
ALTER TABLE ONLY milepost.reject
    ADD CONSTRAINT reject_pkey PRIMARY KEY (job, path, seq, ordinal);
ALTER TABLE ONLY milepost.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (job, epoch);
ALTER TABLE ONLY milepost.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY milepost.value
    ADD CONSTRAINT value_pkey PRIMARY KEY (job, path, name);
CREATE INDEX checkpoint_job_changed_at_idx ON milepost.checkpoint USING btree (job, changed_at);
CREATE INDEX ledger_job_committed_at_idx ON milepost.ledger USING btree (job, committed_at);
