-- The first schema.
--
-- Aggregates are stored whole, as CBOR with numbered fields (`countersign_core::codec`), in a column
-- called `row`. Beside it stand only the columns that a query searches or sorts by: fewer bytes and
-- fewer indexes per command are what makes a commit fast.
--
-- No table holds an address, a name or a code in clear: addresses are keyed hashes or sealed.
-- Instants are milliseconds since 1970-01-01T00:00:00Z. Nothing references anything by a foreign key:
-- an aggregate is written and deleted by one function that knows all its rows.

PRAGMA application_id = 0x4353474E; -- "CSGN": a file of another program is refused

-- What is true of the store as a whole: one row.
CREATE TABLE state (
    one               INTEGER PRIMARY KEY CHECK (one = 1),
    high_water        INTEGER,                    -- the latest instant ever committed
    restored_pending  INTEGER NOT NULL DEFAULT 0  -- 1 in a backup: its live codes are cancelled when it is first opened
) STRICT;
INSERT INTO state (one) VALUES (1);

-- Which keys the store was written under. Fingerprints tell nothing about the keys.
CREATE TABLE key_fingerprints (
    name  TEXT PRIMARY KEY,  -- 'pepper.1', 'seal.2', 'index', 'audit'
    print BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A number per tenant keeps every other key short; the ledger is what is counted for it as a whole.
CREATE TABLE tenants (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE,
    ledger BLOB
) STRICT;

CREATE TABLE verifications (
    seq        INTEGER PRIMARY KEY,  -- in the order of opening, so that new rows are appended
    id         BLOB NOT NULL,
    tenant     INTEGER NOT NULL,
    status     INTEGER NOT NULL,     -- as last written: a pending one whose window closed is expired
    expires_at INTEGER NOT NULL,
    sweep_at   INTEGER NOT NULL,     -- when clearing up has something to do with it
    row        BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX verifications_by_id ON verifications (tenant, id);
CREATE INDEX verifications_by_sweep ON verifications (sweep_at);

-- What is known under a recipient's key: its ledger (no purpose, joined 0), and which verifications it
-- takes part in, in the order in which it joined them. Ids do not tell that order: several may be drawn
-- within one millisecond, and an address may join an older verification.
--
-- Both stand in one tree because keys are random: each row that is written apart dirties a page of its
-- own, and pages are what a commit costs. Most addresses have one key for both.
CREATE TABLE recipients (
    tenant       INTEGER NOT NULL,
    key          BLOB NOT NULL,
    purpose      TEXT NOT NULL,     -- '' in the ledger's row
    joined       INTEGER NOT NULL,
    verification INTEGER,           -- verifications.seq; NULL in the ledger's row
    forget_at    INTEGER,           -- when the ledger has run out; NULL while a hold lasts
    row          BLOB,              -- the ledger
    PRIMARY KEY (tenant, key, purpose, joined)
) STRICT, WITHOUT ROWID;
CREATE INDEX recipients_by_end ON recipients (forget_at) WHERE forget_at IS NOT NULL;

-- The outbox. A message's number is its verification's, shifted by 12 bits, plus its own within the
-- verification (at most 255 sends to 8 destinations): its verification's messages stand together, in
-- order, without another index.
CREATE TABLE messages (
    seq    INTEGER PRIMARY KEY,
    id     BLOB NOT NULL,
    due_at INTEGER,                 -- NULL once it is final
    row    BLOB NOT NULL
) STRICT;
CREATE INDEX messages_due ON messages (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE client_ledgers (
    tenant    INTEGER NOT NULL,
    client    BLOB NOT NULL,
    forget_at INTEGER,
    row       BLOB NOT NULL,
    PRIMARY KEY (tenant, client)
) STRICT, WITHOUT ROWID;
CREATE INDEX client_ledgers_by_end ON client_ledgers (forget_at) WHERE forget_at IS NOT NULL;

-- Stored answers of idempotent requests. All are kept equally long and time never runs backwards, so
-- that the oldest number is the first to go: no index by time.
CREATE TABLE answers (
    seq          INTEGER PRIMARY KEY,
    tenant       INTEGER NOT NULL,
    key          BLOB NOT NULL,
    verification BLOB,              -- the id of the one it tells about: its address is wiped with it
    forget_at    INTEGER NOT NULL,
    row          BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX answers_by_key ON answers (tenant, key);
CREATE INDEX answers_by_verification ON answers (verification) WHERE verification IS NOT NULL;

-- The directory. Every name and address is a keyed hash.
CREATE TABLE users (
    tenant     INTEGER NOT NULL,
    id         BLOB NOT NULL,
    username   BLOB,
    email      BLOB,
    phone      BLOB,
    changed_at INTEGER NOT NULL,
    row        BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_username ON users (tenant, username) WHERE username IS NOT NULL;
CREATE INDEX users_by_email ON users (tenant, email) WHERE email IS NOT NULL;
CREATE INDEX users_by_phone ON users (tenant, phone) WHERE phone IS NOT NULL;

-- The audit chain, and its head apart from it: cutting off the newest entries shows.
CREATE TABLE audit (
    seq   INTEGER PRIMARY KEY,
    event BLOB NOT NULL,
    mac   BLOB NOT NULL
) STRICT;
CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    mac  BLOB NOT NULL,
    seal BLOB NOT NULL
) STRICT;
