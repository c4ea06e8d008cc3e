-- The highest `modified` of the batch; the key that a reject was to have, and the parents that were not there.
ALTER TABLE milepost.ledger ADD COLUMN modified text;
ALTER TABLE milepost.reject ADD COLUMN target_key text, ADD COLUMN parent text;

-- By hash, because there keys may be longer than a B-tree takes.
CREATE INDEX ON milepost.reject USING hash (key);
CREATE INDEX ON milepost.reject USING hash (target_key) WHERE target_key IS NOT NULL;

-- Which row of the target came of which source row, and by which batch.
CREATE TABLE milepost.key_map (
    job text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    target text COLLATE "C",
    batch_path text COLLATE "C" NOT NULL,
    batch_seq bigint NOT NULL,
    PRIMARY KEY (job, path, key)
);

CREATE INDEX ON milepost.key_map USING hash (target);
CREATE INDEX ON milepost.key_map (job, batch_path, batch_seq);

-- What is to be set in the rows of a batch once all rows are in.
CREATE TABLE milepost.link (
    job text COLLATE "C" NOT NULL,
    path text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    place bigint NOT NULL,
    link text,
    PRIMARY KEY (job, path, seq, place)
);
