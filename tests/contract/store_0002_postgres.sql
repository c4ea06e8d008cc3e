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
CREATE TABLE milepost.key_map (
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    target text COLLATE pg_catalog."C",
    batch_path text NOT NULL COLLATE pg_catalog."C",
    batch_seq bigint NOT NULL
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
    committed_at timestamp with time zone NOT NULL,
    modified text
);
CREATE TABLE milepost.link (
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    place bigint NOT NULL,
    link text
);
CREATE TABLE milepost.reject (
    job text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    ordinal bigint NOT NULL,
    stage text NOT NULL,
    reason text NOT NULL,
    key text,
    content text,
    target_key text,
    parent text
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
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (1, 'crm', '', 'started', 1, NULL, NULL, NULL, NULL, '2026-11-24 00:10:48.751916+05:30', NULL, '2026-11-24 00:10:48.751916+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (2, 'crm', 'employee', 'complete', 1, NULL, NULL, NULL, NULL, '2026-11-24 00:10:48.752478+05:30', '2026-11-24 00:10:48.757287+05:30', '2026-11-24 00:10:48.757287+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (4, 'crm', 'employee/links', 'failed', 1, '[1,0]', NULL, 'error', 'no', NULL, NULL, '2026-11-24 00:10:48.757598+05:30');
INSERT INTO milepost.job VALUES ('crm', 1, false);
INSERT INTO milepost.key_map VALUES ('crm', 'employee', '["E1"]', '[1]', 'employee', 1);
INSERT INTO milepost.key_map VALUES ('crm', 'employee', '["E2"]', '[2]', 'employee', 1);
INSERT INTO milepost.key_map VALUES ('crm', 'employee', '["E101"]', '[101]', 'employee', 2);
INSERT INTO milepost.ledger VALUES ('crm', 'employee', 1, NULL, '["E100"]', 100, 98, 0, 0, 2, 100, 98, 0, 0, 2, 1, '2026-11-24 00:10:48.753478+05:30', '[{"datetime":"2026-11-01T12:00:00+00:00"}]');
INSERT INTO milepost.ledger VALUES ('crm', 'employee', 2, '["E100"]', '["E200"]', 100, 100, 0, 0, 0, 200, 198, 0, 0, 2, 1, '2026-11-24 00:10:48.754537+05:30', NULL);
INSERT INTO milepost.link VALUES ('crm', 'employee', 1, 0, '{"child":[2],"parents":{"manager_id":["E1"]}}');
INSERT INTO milepost.link VALUES ('crm', 'employee', 1, 1, '{"child":[1],"parents":{"manager_id":null}}');
INSERT INTO milepost.reject VALUES ('crm', 'employee', 1, 0, 'restructure', 'email has no @', '["E7"]', '{"no":"E7","name":"\u00c9mile \u0000"}', '["E7"]', NULL);
INSERT INTO milepost.reject VALUES ('crm', 'employee', 1, 1, 'parent', 'no employee with no ''E7''', '["E9"]', '{"no":"E9","boss":"E7"}', '[9]', '[["employee",["E7"]]]');
INSERT INTO milepost.run VALUES ('crm', 1, 'host:1', '2026-11-24 00:10:48.750872+05:30', '2026-11-24 00:10:48.758599+05:30', '2026-11-24 00:11:48.750872+05:30', '2026-11-24 00:10:48.7586+05:30', 'failed', 'no');
INSERT INTO milepost.schema_version VALUES (1, '2026-11-24 00:10:48.732425+05:30');
INSERT INTO milepost.schema_version VALUES (2, '2026-11-24 00:10:48.740004+05:30');
INSERT INTO milepost.value VALUES ('crm', '', 'now', '"2026-01-02T03:04:05+00:00"');
SELECT pg_catalog.setval('milepost.checkpoint_ordinal_seq', 4, true);
ALTER TABLE ONLY milepost.checkpoint
    ADD CONSTRAINT checkpoint_job_path_key UNIQUE (job, path);
ALTER TABLE ONLY milepost.checkpoint
    ADD CONSTRAINT checkpoint_pkey PRIMARY KEY (ordinal);
ALTER TABLE ONLY milepost.job
    ADD CONSTRAINT job_pkey PRIMARY KEY (name);
ALTER TABLE ONLY milepost.key_map
    ADD CONSTRAINT key_map_pkey PRIMARY KEY (job, path, key);
ALTER TABLE ONLY milepost.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (job, path, seq);
ALTER TABLE ONLY milepost.link
    ADD CONSTRAINT link_pkey PRIMARY KEY (job, path, seq, place);
ALTER TABLE ONLY milepost.reject
    ADD CONSTRAINT reject_pkey PRIMARY KEY (job, path, seq, ordinal);
ALTER TABLE ONLY milepost.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (job, epoch);
ALTER TABLE ONLY milepost.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY milepost.value
    ADD CONSTRAINT value_pkey PRIMARY KEY (job, path, name);
CREATE INDEX checkpoint_job_changed_at_idx ON milepost.checkpoint USING btree (job, changed_at);
CREATE INDEX key_map_job_batch_path_batch_seq_idx ON milepost.key_map USING btree (job, batch_path, batch_seq);
CREATE INDEX key_map_target_idx ON milepost.key_map USING hash (target);
CREATE INDEX ledger_job_committed_at_idx ON milepost.ledger USING btree (job, committed_at);
CREATE INDEX reject_key_idx ON milepost.reject USING hash (key);
CREATE INDEX reject_target_key_idx ON milepost.reject USING hash (target_key) WHERE (target_key IS NOT NULL);
