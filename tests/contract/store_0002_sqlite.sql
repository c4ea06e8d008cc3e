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
INSERT INTO "milepost_checkpoint" VALUES(1,'crm','','started',1,NULL,NULL,NULL,NULL,'2026-11-23T18:40:47.323Z',NULL,'2026-11-23T18:40:47.323Z');
INSERT INTO "milepost_checkpoint" VALUES(2,'crm','employee','complete',1,NULL,NULL,NULL,NULL,'2026-11-23T18:40:47.324Z','2026-11-23T18:40:47.327Z','2026-11-23T18:40:47.327Z');
INSERT INTO "milepost_checkpoint" VALUES(3,'crm','employee/links','failed',1,'[1,0]',NULL,'error','no',NULL,NULL,'2026-11-23T18:40:47.327Z');
CREATE TABLE milepost_job (
    name TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    held BOOLEAN NOT NULL
) WITHOUT ROWID;
INSERT INTO "milepost_job" VALUES('crm',1,0);
CREATE TABLE milepost_key_map (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    target TEXT,
    batch_path TEXT NOT NULL,
    batch_seq INTEGER NOT NULL,
    PRIMARY KEY (job, path, key)
) WITHOUT ROWID;
INSERT INTO "milepost_key_map" VALUES('crm','employee','["E1"]','[1]','employee',1);
INSERT INTO "milepost_key_map" VALUES('crm','employee','["E101"]','[101]','employee',2);
INSERT INTO "milepost_key_map" VALUES('crm','employee','["E2"]','[2]','employee',1);
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
    committed_at TEXT NOT NULL, modified TEXT,
    PRIMARY KEY (job, path, seq)
) WITHOUT ROWID;
INSERT INTO "milepost_ledger" VALUES('crm','employee',1,NULL,'["E100"]',100,98,0,0,2,100,98,0,0,2,1,'2026-11-23T18:40:47.324Z','[{"datetime":"2026-11-01T12:00:00+00:00"}]');
INSERT INTO "milepost_ledger" VALUES('crm','employee',2,'["E100"]','["E200"]',100,100,0,0,0,200,198,0,0,2,1,'2026-11-23T18:40:47.325Z',NULL);
CREATE TABLE milepost_link (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    link TEXT,
    PRIMARY KEY (job, path, seq, place)
) WITHOUT ROWID;
INSERT INTO "milepost_link" VALUES('crm','employee',1,0,'{"child":[2],"parents":{"manager_id":["E1"]}}');
INSERT INTO "milepost_link" VALUES('crm','employee',1,1,'{"child":[1],"parents":{"manager_id":null}}');
CREATE TABLE milepost_reject (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    stage TEXT NOT NULL,
    reason TEXT NOT NULL,
    key TEXT,
    content TEXT, target_key TEXT, parent TEXT,
    PRIMARY KEY (job, path, seq, ordinal)
);
INSERT INTO "milepost_reject" VALUES('crm','employee',1,0,'restructure','email has no @','["E7"]','{"no":"E7","name":"\u00c9mile \u0000"}','["E7"]',NULL);
INSERT INTO "milepost_reject" VALUES('crm','employee',1,1,'parent','no employee with no ''E7''','["E9"]','{"no":"E9","boss":"E7"}','[9]','[["employee",["E7"]]]');
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
INSERT INTO "milepost_run" VALUES('crm',1,'host:1','2026-11-23T18:40:47.322Z','2026-11-23T18:40:47.328Z','2026-11-23T18:41:47.323Z','2026-11-23T18:40:47.328Z','failed','no');
CREATE TABLE milepost_schema (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
);
INSERT INTO "milepost_schema" VALUES(1,'2026-11-23T18:40:47.319Z');
INSERT INTO "milepost_schema" VALUES(2,'2026-11-23T18:40:47.321Z');
CREATE TABLE milepost_value (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (job, path, name)
) WITHOUT ROWID;
INSERT INTO "milepost_value" VALUES('crm','','now','"2026-01-02T03:04:05+00:00"');
CREATE INDEX milepost_reject_key ON milepost_reject (job, key);
CREATE INDEX milepost_reject_target_key ON milepost_reject (job, target_key) WHERE target_key IS NOT NULL;
CREATE INDEX milepost_key_map_target ON milepost_key_map (job, path, target);
CREATE INDEX milepost_key_map_batch ON milepost_key_map (job, batch_path, batch_seq);
COMMIT;
