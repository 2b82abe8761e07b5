-- +goose Up

-- What was imported, from where: the archive of an organization is imported once,
-- and the ids it had where it came from lead to it. Rows outlive the organization.
CREATE TABLE imports (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  origin_realm BIGINT NOT NULL,
  origin_id BIGINT NOT NULL,
  archive TEXT NOT NULL,
  requested_by TEXT NOT NULL,
  report TEXT NOT NULL
);
CREATE UNIQUE INDEX imports_once ON imports (realm_id, origin_realm, origin_id, organization_id);
CREATE INDEX imports_organization ON imports (organization_id, id);
