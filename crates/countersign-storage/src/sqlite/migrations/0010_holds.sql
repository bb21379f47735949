-- Recipients who may be held: those of whom something failed in the last day, and those whose hold lasts. Whether
-- one is held depends on the limits in force, so that a row has all that the rule needs to tell.
CREATE TABLE holds (
    tenant  INTEGER NOT NULL,
    key     BLOB NOT NULL,
    lasting INTEGER NOT NULL,  -- whether it lasts until somebody ends it
    since   INTEGER NOT NULL,
    halves  INTEGER NOT NULL,  -- how much failed in the day before that, in halves of a guess
    row     BLOB NOT NULL,     -- the ledger, as in `recipients`
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_by_time ON holds (tenant, lasting, since, key, halves);

-- Whether holds of before this table are in it: what tells them is in the ledgers, which the program reads, once.
ALTER TABLE state ADD COLUMN holds_listed INTEGER NOT NULL DEFAULT 0;
