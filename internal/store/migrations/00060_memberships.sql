-- +goose Up

-- What is short-lived and from before the last restore of a membership is dead.
ALTER TABLE members ADD COLUMN restored_at BIGINT NOT NULL DEFAULT 0;

-- Who becomes a member again gets roles again, while those of the membership before
-- wait for their restore or purge.
DROP INDEX role_assignments_once;
CREATE UNIQUE INDEX role_assignments_once ON role_assignments (user_id, organization_id, role_id, source, member_id);

-- Whose membership ended.
ALTER TABLE deletions ADD COLUMN user_id BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deletions_user ON deletions (user_id, id) WHERE user_id <> 0;
