-- The highest `modified` of the batch; the key that a reject was to have, and the parents that were not there.
ALTER TABLE milepost_ledger ADD COLUMN modified TEXT;
ALTER TABLE milepost_reject ADD COLUMN target_key TEXT;
ALTER TABLE milepost_reject ADD COLUMN parent TEXT;

CREATE INDEX milepost_reject_key ON milepost_reject (job, key);
CREATE INDEX milepost_reject_target_key ON milepost_reject (job, target_key) WHERE target_key IS NOT NULL;

-- Which row of the target came of which source row, and by which batch.
CREATE TABLE milepost_key_map (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    target TEXT,
    batch_path TEXT NOT NULL,
    batch_seq INTEGER NOT NULL,
    PRIMARY KEY (job, path, key)
) WITHOUT ROWID;

CREATE INDEX milepost_key_map_target ON milepost_key_map (job, path, target);
CREATE INDEX milepost_key_map_batch ON milepost_key_map (job, batch_path, batch_seq);

-- What is to be set in the rows of a batch once all rows are in.
CREATE TABLE milepost_link (
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    seq INTEGER NOT NULL,
    place INTEGER NOT NULL,
    link TEXT,
    PRIMARY KEY (job, path, seq, place)
) WITHOUT ROWID;
