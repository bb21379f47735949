-- What was presented once and must not be presented again (signed requests of some wire APIs).
--
-- Names and requests are keyed hashes. A row goes when its last instant has passed, never earlier and
-- for nothing else: a tenant that has too many is refused new ones.
CREATE TABLE nonces (
    tenant     INTEGER NOT NULL,
    key        BLOB NOT NULL,
    request    BLOB NOT NULL,
    keep_until INTEGER NOT NULL,  -- the last instant at which it is kept
    PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_end ON nonces (keep_until);

-- How many rows of `nonces` are the tenant's: counting a million of them for each new one would not do.
ALTER TABLE tenants ADD COLUMN nonces INTEGER NOT NULL DEFAULT 0;
