-- Users are kept apart by directory. Rows of before have none ('') until the program has said, once, whose
-- each is: what tells it is sealed. Nobody finds them until then.
CREATE TABLE users_in_directories (
    tenant     INTEGER NOT NULL,
    directory  TEXT NOT NULL,
    id         BLOB NOT NULL,
    username   BLOB,
    email      BLOB,
    phone      BLOB,
    changed_at INTEGER NOT NULL,
    forget_at  INTEGER,            -- when it ends if nothing of it is proven; NULL when it does not
    row        BLOB NOT NULL,
    PRIMARY KEY (tenant, directory, id)
) STRICT, WITHOUT ROWID;
INSERT INTO users_in_directories (tenant, directory, id, username, email, phone, changed_at, row)
    SELECT tenant, '', id, username, email, phone, changed_at, row FROM users;
DROP TABLE users; -- and its indexes
ALTER TABLE users_in_directories RENAME TO users;
CREATE INDEX users_by_username ON users (tenant, directory, username) WHERE username IS NOT NULL;
-- An address is looked up in one directory and erased from all of them.
CREATE INDEX users_by_email ON users (tenant, email, directory) WHERE email IS NOT NULL;
CREATE INDEX users_by_phone ON users (tenant, phone, directory) WHERE phone IS NOT NULL;
CREATE INDEX users_by_end ON users (forget_at) WHERE forget_at IS NOT NULL;
CREATE INDEX users_without_directory ON users (tenant, id) WHERE directory = '';
