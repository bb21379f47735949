-- The audit log's head is sealed together with the high-water mark, in the row that every commit writes.
-- `audit_head` holds the head of before; the next start takes it over, for which it needs the key, and
-- drops the table.
ALTER TABLE state ADD COLUMN audit_seq INTEGER;
ALTER TABLE state ADD COLUMN audit_mac BLOB;
ALTER TABLE state ADD COLUMN audit_seal BLOB;  -- NULL until something is committed
