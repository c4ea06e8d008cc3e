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
CREATE TABLE public.customer (
    no integer NOT NULL,
    name text,
    email text
);
CREATE TABLE public.invoice (
    no integer NOT NULL,
    customer integer,
    total integer
);
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (2, 'shop', 'customer', 'complete', 1, '[10]', NULL, NULL, NULL, '2026-11-24 00:08:41.098502+05:30', '2026-11-24 00:08:41.117288+05:30', '2026-11-24 00:08:41.117288+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (4, 'shop', 'invoice', 'failed', 1, NULL, NULL, 'error', 'invoice: batch 5 was not committed, since 3 rows are rejected and 2 are allowed. The first of this batch, key 20, stage parent: no customer with no 10', '2026-11-24 00:08:41.11774+05:30', NULL, '2026-11-24 00:08:41.154246+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (1, 'shop', '', 'failed', 1, NULL, NULL, 'error', 'invoice: batch 5 was not committed, since 3 rows are rejected and 2 are allowed. The first of this batch, key 20, stage parent: no customer with no 10', '2026-11-24 00:08:41.074977+05:30', NULL, '2026-11-24 00:08:41.155033+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (8, 'month-end', 'convert', 'complete', 1, NULL, '["EMEA","APAC"]', NULL, NULL, '2026-11-24 00:08:41.493114+05:30', '2026-11-24 00:08:41.49358+05:30', '2026-11-24 00:08:41.49358+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (10, 'month-end', 'post["EMEA"]', 'complete', 1, '7', NULL, NULL, NULL, '2026-11-24 00:08:41.494023+05:30', '2026-11-24 00:08:41.495599+05:30', '2026-11-24 00:08:41.495599+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (16, 'month-end', 'post["APAC"]', 'failed', 1, '4', NULL, 'error', 'RuntimeError: the power went out', '2026-11-24 00:08:41.495877+05:30', NULL, '2026-11-24 00:08:41.496426+05:30');
INSERT INTO milepost.checkpoint OVERRIDING SYSTEM VALUE VALUES (7, 'month-end', '', 'failed', 1, NULL, NULL, 'error', 'RuntimeError: the power went out', '2026-11-24 00:08:41.492525+05:30', NULL, '2026-11-24 00:08:41.496616+05:30');
INSERT INTO milepost.job VALUES ('shop', 1, false);
INSERT INTO milepost.job VALUES ('month-end', 1, false);
INSERT INTO milepost.ledger VALUES ('shop', 'customer', 1, NULL, '[4]', 4, 4, 0, 0, 0, 4, 4, 0, 0, 0, 1, '2026-11-24 00:08:41.113748+05:30');
INSERT INTO milepost.ledger VALUES ('shop', 'customer', 2, '[4]', '[8]', 4, 3, 0, 0, 1, 8, 7, 0, 0, 1, 1, '2026-11-24 00:08:41.115231+05:30');
INSERT INTO milepost.ledger VALUES ('shop', 'customer', 3, '[8]', '[10]', 2, 1, 0, 0, 1, 10, 8, 0, 0, 2, 1, '2026-11-24 00:08:41.116681+05:30');
INSERT INTO milepost.ledger VALUES ('shop', 'invoice', 1, NULL, '[4]', 4, 3, 0, 0, 1, 4, 3, 0, 0, 1, 1, '2026-11-24 00:08:41.141919+05:30');
INSERT INTO milepost.ledger VALUES ('shop', 'invoice', 2, '[4]', '[8]', 4, 4, 0, 0, 0, 8, 7, 0, 0, 1, 1, '2026-11-24 00:08:41.147037+05:30');
INSERT INTO milepost.ledger VALUES ('shop', 'invoice', 3, '[8]', '[12]', 4, 3, 0, 0, 1, 12, 10, 0, 0, 2, 1, '2026-11-24 00:08:41.148913+05:30');
INSERT INTO milepost.ledger VALUES ('shop', 'invoice', 4, '[12]', '[16]', 4, 4, 0, 0, 0, 16, 14, 0, 0, 2, 1, '2026-11-24 00:08:41.151155+05:30');
INSERT INTO milepost.reject VALUES ('shop', 'customer', 2, 0, 'restructure', 'email has no @', '[5]', '{"no":5,"name":"name 5","email":"none"}');
INSERT INTO milepost.reject VALUES ('shop', 'customer', 3, 0, 'restructure', 'email has no @', '[10]', '{"no":10,"name":"name 10","email":"none"}');
INSERT INTO milepost.reject VALUES ('shop', 'invoice', 1, 0, 'parent', 'no customer with no 5', '[4]', '{"no":4,"customer":5,"total":40}');
INSERT INTO milepost.reject VALUES ('shop', 'invoice', 3, 0, 'parent', 'no customer with no 11', '[10]', '{"no":10,"customer":11,"total":100}');
INSERT INTO milepost.run VALUES ('shop', 1, 'vm pid 27619', '2026-11-24 00:08:41.071245+05:30', '2026-11-24 00:08:41.156477+05:30', '2026-11-24 00:09:41.071245+05:30', '2026-11-24 00:08:41.156477+05:30', 'failed', 'invoice: batch 5 was not committed, since 3 rows are rejected and 2 are allowed. The first of this batch, key 20, stage parent: no customer with no 10');
INSERT INTO milepost.run VALUES ('month-end', 1, 'vm pid 27705', '2026-11-24 00:08:41.487053+05:30', '2026-11-24 00:08:41.497672+05:30', '2026-11-24 00:09:41.487053+05:30', '2026-11-24 00:08:41.497672+05:30', 'failed', 'RuntimeError: the power went out');
INSERT INTO milepost.schema_version VALUES (1, '2026-11-24 00:08:41.05507+05:30');
INSERT INTO milepost.value VALUES ('shop', '', 'now', '"2026-11-23T18:38:41.071245+00:00"');
INSERT INTO milepost.value VALUES ('shop', '', 'pin invoice', '{"definition":{"database":"{folder}/shop-source.db","source":{"name":"invoices","key":["no"]},"target":{"name":"invoice","key":["no"]},"parents":{"customer":"customer"},"columns":null,"takes":"row","on_duplicate":"reject","function":"def invoice(row):\n    return row"},"end":[20],"rows":20}');
INSERT INTO milepost.value VALUES ('shop', '', 'pin customer', '{"definition":{"database":"{folder}/shop-source.db","source":{"name":"customers","key":["no"]},"target":{"name":"customer","key":["no"]},"parents":{},"columns":null,"takes":"row","on_duplicate":"reject","function":"def customer(row):\n    if ''@'' not in row[''email'']:\n        raise Reject(''email has no @'')\n    return row"},"end":[10],"rows":10}');
INSERT INTO milepost.value VALUES ('shop', 'customer', 'fresh', '{"table":"customer","fresh":true}');
INSERT INTO milepost.value VALUES ('shop', 'customer', 'columns', '{"names":["no","name","email"],"definition":"e7ce58dd666327c9"}');
INSERT INTO milepost.value VALUES ('shop', 'invoice', 'fresh', '{"table":"invoice","fresh":true}');
INSERT INTO milepost.value VALUES ('shop', 'invoice', 'columns', '{"names":["no","customer","total"],"definition":"9398729a363bc796"}');
INSERT INTO milepost.value VALUES ('month-end', '', 'now', '"2026-11-23T18:38:41.487053+00:00"');
INSERT INTO public.customer VALUES (1, 'name 1', '1@x');
INSERT INTO public.customer VALUES (2, 'name 2', '2@x');
INSERT INTO public.customer VALUES (3, 'name 3', '3@x');
INSERT INTO public.customer VALUES (4, 'name 4', '4@x');
INSERT INTO public.customer VALUES (6, 'name 6', '6@x');
INSERT INTO public.customer VALUES (7, 'name 7', '7@x');
INSERT INTO public.customer VALUES (8, 'name 8', '8@x');
INSERT INTO public.customer VALUES (9, 'name 9', '9@x');
INSERT INTO public.invoice VALUES (1, 2, 10);
INSERT INTO public.invoice VALUES (2, 3, 20);
INSERT INTO public.invoice VALUES (3, NULL, 30);
INSERT INTO public.invoice VALUES (5, 6, 50);
INSERT INTO public.invoice VALUES (6, NULL, 60);
INSERT INTO public.invoice VALUES (7, 8, 70);
INSERT INTO public.invoice VALUES (8, 9, 80);
INSERT INTO public.invoice VALUES (9, NULL, 90);
INSERT INTO public.invoice VALUES (11, 1, 110);
INSERT INTO public.invoice VALUES (12, NULL, 120);
INSERT INTO public.invoice VALUES (13, 3, 130);
INSERT INTO public.invoice VALUES (14, 4, 140);
INSERT INTO public.invoice VALUES (15, NULL, 150);
INSERT INTO public.invoice VALUES (16, 6, 160);
SELECT pg_catalog.setval('milepost.checkpoint_ordinal_seq', 20, true);
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
ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (no);
ALTER TABLE ONLY public.invoice
    ADD CONSTRAINT invoice_pkey PRIMARY KEY (no);
CREATE INDEX checkpoint_job_changed_at_idx ON milepost.checkpoint USING btree (job, changed_at);
CREATE INDEX ledger_job_committed_at_idx ON milepost.ledger USING btree (job, committed_at);
