-- +goose Up

-- restored_at is when something deleted was restored last: what is short-lived and
-- from before it, such as sessions, tokens and links, is dead. What is long-lived
-- is compared with revived_at, which a restore can leave at 0.
ALTER TABLE organizations ADD COLUMN restored_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN restored_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE realms ADD COLUMN restored_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE realms ADD COLUMN revived_at BIGINT NOT NULL DEFAULT 0;

-- A membership that was deleted can be restored, and another one be made meanwhile.
ALTER TABLE members ADD COLUMN deleted_at BIGINT NOT NULL DEFAULT 0;
DROP INDEX members_user;
CREATE UNIQUE INDEX members_user ON members (user_id, organization_id, deleted_at);
-- Guests are counted without a look at their rows.
DROP INDEX members_organization;
CREATE INDEX members_organization ON members (organization_id, id, home_id, deleted_at);
DROP INDEX members_external;
CREATE UNIQUE INDEX members_external ON members (organization_id, external_id) WHERE external_id <> '' AND state <> 'deleted' AND deleted_at = 0;

ALTER TABLE deletions ADD COLUMN bulk_id BIGINT NOT NULL DEFAULT 0;
CREATE INDEX deletions_bulk ON deletions (bulk_id, id) WHERE bulk_id <> 0;

CREATE TABLE bulk_deletions (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  state TEXT NOT NULL,
  filter TEXT NOT NULL,
  users TEXT NOT NULL,
  grace BIGINT NOT NULL,
  requested_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  moment BIGINT NOT NULL,
  recent BIGINT NOT NULL,
  matched BIGINT NOT NULL,
  deleted BIGINT NOT NULL,
  skipped TEXT NOT NULL,
  position BIGINT NOT NULL,
  ended_at BIGINT NOT NULL
);
CREATE INDEX bulk_deletions_realm ON bulk_deletions (realm_id, id);
