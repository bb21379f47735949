-- Nonces of requests that do not say when they were signed are kept for a day, not for minutes: they are
-- counted apart, so that they cannot take the place of all others.
ALTER TABLE nonces ADD COLUMN undated INTEGER NOT NULL DEFAULT 0;

-- How many of them are the tenant's; `nonces` counts the others.
ALTER TABLE tenants ADD COLUMN undated_nonces INTEGER NOT NULL DEFAULT 0;
