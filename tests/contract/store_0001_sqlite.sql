BEGIN TRANSACTION;
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
INSERT INTO "milepost_checkpoint" VALUES(1,'crm','','started',1,NULL,NULL,NULL,NULL,'2026-11-23T13:13:15.048Z',NULL,'2026-11-23T13:13:15.048Z');
INSERT INTO "milepost_checkpoint" VALUES(2,'crm','customer','complete',1,NULL,'[1]',NULL,NULL,'2026-11-23T13:13:15.056Z','2026-11-23T13:13:15.066Z','2026-11-23T13:13:15.066Z');
INSERT INTO "milepost_checkpoint" VALUES(3,'crm','invoice','failed',1,'{"after":5}',NULL,'error','no',NULL,NULL,'2026-11-23T13:13:15.070Z');
CREATE TABLE milepost_job (
    name TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    held BOOLEAN NOT NULL
) WITHOUT ROWID;
INSERT INTO "milepost_job" VALUES('crm',1,0);
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
INSERT INTO "milepost_ledger" VALUES('crm','customer',1,NULL,'["C100"]',100,97,0,1,2,100,97,0,1,2,1,'2026-11-23T13:13:15.058Z');
INSERT INTO "milepost_ledger" VALUES('crm','customer',2,'["C100"]','["C200"]',100,60,40,0,0,200,157,40,1,2,1,'2026-11-23T13:13:15.061Z');
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
INSERT INTO "milepost_reject" VALUES('crm','customer',1,0,'restructure','email has no @','["C7"]','{"cust_no":"C7","name":"\u00c9mile \u0000"}');
INSERT INTO "milepost_reject" VALUES('crm','customer',1,1,'restructure','email has no @','["C9"]','{"cust_no":"C9","name":"\u00c9mile \u0000"}');
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
INSERT INTO "milepost_run" VALUES('crm',1,'host:1','2026-11-23T13:13:15.047Z','2026-11-23T13:13:15.074Z','2026-11-23T13:14:15.070Z','2026-11-23T13:13:15.074Z','failed','no');
CREATE TABLE milepost_schema (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
);
INSERT INTO "milepost_schema" VALUES(1,'2026-11-23T13:13:15.040Z');
CREATE TABLE milepost_value (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (job, path, name)
) WITHOUT ROWID;
INSERT INTO "milepost_value" VALUES('crm','','now','"2026-01-02T03:04:05+00:00"');
COMMIT;
