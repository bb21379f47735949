-- Erasures that are under way. A part of one is committed at a time, and a crash in between leaves a row
-- that says what is left.
CREATE TABLE erasures (
    tenant  INTEGER NOT NULL,
    key     BLOB NOT NULL,     -- who is erased
    of      BLOB NOT NULL,     -- whose verifications come next: the recipient's, then its users' own
    purpose TEXT NOT NULL,     -- the last one that is done, as in `recipients`
    joined  INTEGER NOT NULL,
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
