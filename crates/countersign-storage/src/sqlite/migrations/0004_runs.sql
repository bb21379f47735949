-- Which start of the program wrote the database last: a log that was left beside another copy of the
-- database is recognised by it.
ALTER TABLE state ADD COLUMN run INTEGER;         -- drawn at each start
ALTER TABLE state ADD COLUMN run_before INTEGER;  -- the one before, until `run` is in the database file
