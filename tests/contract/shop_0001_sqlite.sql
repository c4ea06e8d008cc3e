BEGIN TRANSACTION;
CREATE TABLE customer (no integer PRIMARY KEY, name text, email text);
INSERT INTO "customer" VALUES(1,'name 1','1@x');
INSERT INTO "customer" VALUES(2,'name 2','2@x');
INSERT INTO "customer" VALUES(3,'name 3','3@x');
INSERT INTO "customer" VALUES(4,'name 4','4@x');
INSERT INTO "customer" VALUES(6,'name 6','6@x');
INSERT INTO "customer" VALUES(7,'name 7','7@x');
INSERT INTO "customer" VALUES(8,'name 8','8@x');
INSERT INTO "customer" VALUES(9,'name 9','9@x');
CREATE TABLE invoice (no integer PRIMARY KEY, customer integer, total integer);
INSERT INTO "invoice" VALUES(1,2,10);
INSERT INTO "invoice" VALUES(2,3,20);
INSERT INTO "invoice" VALUES(3,NULL,30);
INSERT INTO "invoice" VALUES(5,6,50);
INSERT INTO "invoice" VALUES(6,NULL,60);
INSERT INTO "invoice" VALUES(7,8,70);
INSERT INTO "invoice" VALUES(8,9,80);
INSERT INTO "invoice" VALUES(9,NULL,90);
INSERT INTO "invoice" VALUES(11,1,110);
INSERT INTO "invoice" VALUES(12,NULL,120);
INSERT INTO "invoice" VALUES(13,3,130);
INSERT INTO "invoice" VALUES(14,4,140);
INSERT INTO "invoice" VALUES(15,NULL,150);
INSERT INTO "invoice" VALUES(16,6,160);
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
INSERT INTO "milepost_checkpoint" VALUES(1,'shop','','failed',1,NULL,NULL,'error','invoice: batch 5 was not committed, since 3 rows are rejected and 2 are allowed. The first of this batch, key 20, stage parent: no customer with no 10','2026-11-23T18:38:39.875Z',NULL,'2026-11-23T18:38:39.892Z');
INSERT INTO "milepost_checkpoint" VALUES(2,'shop','customer','complete',1,'[10]',NULL,NULL,NULL,'2026-11-23T18:38:39.881Z','2026-11-23T18:38:39.886Z','2026-11-23T18:38:39.886Z');
INSERT INTO "milepost_checkpoint" VALUES(3,'shop','invoice','failed',1,NULL,NULL,'error','invoice: batch 5 was not committed, since 3 rows are rejected and 2 are allowed. The first of this batch, key 20, stage parent: no customer with no 10','2026-11-23T18:38:39.886Z',NULL,'2026-11-23T18:38:39.892Z');
INSERT INTO "milepost_checkpoint" VALUES(4,'month-end','','failed',1,NULL,NULL,'error','RuntimeError: the power went out','2026-11-23T18:38:40.095Z',NULL,'2026-11-23T18:38:40.104Z');
INSERT INTO "milepost_checkpoint" VALUES(5,'month-end','convert','complete',1,NULL,'["EMEA","APAC"]',NULL,NULL,'2026-11-23T18:38:40.095Z','2026-11-23T18:38:40.097Z','2026-11-23T18:38:40.097Z');
INSERT INTO "milepost_checkpoint" VALUES(6,'month-end','post["EMEA"]','complete',1,'7',NULL,NULL,NULL,'2026-11-23T18:38:40.099Z','2026-11-23T18:38:40.102Z','2026-11-23T18:38:40.102Z');
INSERT INTO "milepost_checkpoint" VALUES(7,'month-end','post["APAC"]','failed',1,'4',NULL,'error','RuntimeError: the power went out','2026-11-23T18:38:40.102Z',NULL,'2026-11-23T18:38:40.103Z');
CREATE TABLE milepost_job (
    name TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL,
    held BOOLEAN NOT NULL
) WITHOUT ROWID;
INSERT INTO "milepost_job" VALUES('month-end',1,0);
INSERT INTO "milepost_job" VALUES('shop',1,0);
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
INSERT INTO "milepost_ledger" VALUES('shop','customer',1,NULL,'[4]',4,4,0,0,0,4,4,0,0,0,1,'2026-11-23T18:38:39.884Z');
INSERT INTO "milepost_ledger" VALUES('shop','customer',2,'[4]','[8]',4,3,0,0,1,8,7,0,0,1,1,'2026-11-23T18:38:39.884Z');
INSERT INTO "milepost_ledger" VALUES('shop','customer',3,'[8]','[10]',2,1,0,0,1,10,8,0,0,2,1,'2026-11-23T18:38:39.885Z');
INSERT INTO "milepost_ledger" VALUES('shop','invoice',1,NULL,'[4]',4,3,0,0,1,4,3,0,0,1,1,'2026-11-23T18:38:39.888Z');
INSERT INTO "milepost_ledger" VALUES('shop','invoice',2,'[4]','[8]',4,4,0,0,0,8,7,0,0,1,1,'2026-11-23T18:38:39.889Z');
INSERT INTO "milepost_ledger" VALUES('shop','invoice',3,'[8]','[12]',4,3,0,0,1,12,10,0,0,2,1,'2026-11-23T18:38:39.890Z');
INSERT INTO "milepost_ledger" VALUES('shop','invoice',4,'[12]','[16]',4,4,0,0,0,16,14,0,0,2,1,'2026-11-23T18:38:39.891Z');
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
INSERT INTO "milepost_reject" VALUES('shop','customer',2,0,'restructure','email has no @','[5]','{"no":5,"name":"name 5","email":"none"}');
INSERT INTO "milepost_reject" VALUES('shop','customer',3,0,'restructure','email has no @','[10]','{"no":10,"name":"name 10","email":"none"}');
INSERT INTO "milepost_reject" VALUES('shop','invoice',1,0,'parent','no customer with no 5','[4]','{"no":4,"customer":5,"total":40}');
INSERT INTO "milepost_reject" VALUES('shop','invoice',3,0,'parent','no customer with no 11','[10]','{"no":10,"customer":11,"total":100}');
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
INSERT INTO "milepost_run" VALUES('month-end',1,'vm pid 27514','2026-11-23T18:38:40.092Z','2026-11-23T18:38:40.104Z','2026-11-23T18:39:40.094Z','2026-11-23T18:38:40.104Z','failed','RuntimeError: the power went out');
INSERT INTO "milepost_run" VALUES('shop',1,'vm pid 27503','2026-11-23T18:38:39.872Z','2026-11-23T18:38:39.893Z','2026-11-23T18:39:39.874Z','2026-11-23T18:38:39.893Z','failed','invoice: batch 5 was not committed, since 3 rows are rejected and 2 are allowed. The first of this batch, key 20, stage parent: no customer with no 10');
CREATE TABLE milepost_schema (
    version INTEGER NOT NULL PRIMARY KEY,
    applied_at TEXT NOT NULL
);
INSERT INTO "milepost_schema" VALUES(1,'2026-11-23T18:38:39.870Z');
CREATE TABLE milepost_value (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    PRIMARY KEY (job, path, name)
) WITHOUT ROWID;
INSERT INTO "milepost_value" VALUES('month-end','','now','"2026-11-23T18:38:40.092000+00:00"');
INSERT INTO "milepost_value" VALUES('shop','','now','"2026-11-23T18:38:39.872000+00:00"');
INSERT INTO "milepost_value" VALUES('shop','','pin customer','{"definition":{"database":"{folder}/shop-source.db","source":{"name":"customers","key":["no"]},"target":{"name":"customer","key":["no"]},"parents":{},"columns":null,"takes":"row","on_duplicate":"reject","function":"def customer(row):\n    if ''@'' not in row[''email'']:\n        raise Reject(''email has no @'')\n    return row"},"end":[10],"rows":10}');
INSERT INTO "milepost_value" VALUES('shop','','pin invoice','{"definition":{"database":"{folder}/shop-source.db","source":{"name":"invoices","key":["no"]},"target":{"name":"invoice","key":["no"]},"parents":{"customer":"customer"},"columns":null,"takes":"row","on_duplicate":"reject","function":"def invoice(row):\n    return row"},"end":[20],"rows":20}');
INSERT INTO "milepost_value" VALUES('shop','customer','columns','{"names":["no","name","email"],"definition":"2c92d8cd16c7772f"}');
INSERT INTO "milepost_value" VALUES('shop','customer','fresh','{"table":"customer","fresh":true}');
INSERT INTO "milepost_value" VALUES('shop','invoice','columns','{"names":["no","customer","total"],"definition":"db358746dc509e13"}');
INSERT INTO "milepost_value" VALUES('shop','invoice','fresh','{"table":"invoice","fresh":true}');
COMMIT;
