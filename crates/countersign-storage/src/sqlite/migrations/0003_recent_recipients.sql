-- What became known under recipients' keys of late, in the order in which it did.
--
-- Keys are random: a row put into `recipients` dirties a page of its own, and pages are what a commit
-- costs. So news is appended here, is found in memory, and is moved into `recipients` in the order of
-- its keys, so many rows at once that they share pages. Of several rows of one key the last is true.
CREATE TABLE recent_recipients (
    seq    INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    key    BLOB NOT NULL,
    row    BLOB NOT NULL
) STRICT;

-- Clearing up looks at all of them in turn: this index cost every start more than that does.
DROP INDEX recipients_by_end;
