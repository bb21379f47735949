-- Messages wait in lanes: those of one tenant, one channel, and to test numbers or not, may take the same
-- routes. Whoever hands messages over goes from lane to lane, so that what waits for a route that hangs is
-- not walked through on the way to everybody else's.
--
-- A lane's number is the tenant's, shifted by 4 bits, plus twice the channel's, plus 1 for test numbers. 0 stands
-- in rows of before until the store is opened, which gives them theirs.
ALTER TABLE messages ADD COLUMN lane INTEGER NOT NULL DEFAULT 0;
DROP INDEX messages_due;
CREATE INDEX messages_due ON messages (lane, due_at) WHERE due_at IS NOT NULL;
