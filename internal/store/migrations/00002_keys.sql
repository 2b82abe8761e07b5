-- +goose Up

-- Keys that secrets are sealed with, wrapped by a master key that is not in the
-- database; see package vault.
CREATE TABLE keysets (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  scope TEXT NOT NULL,
  master TEXT NOT NULL,
  wrapped BLOB NOT NULL
);
CREATE UNIQUE INDEX keysets_own ON keysets (realm_id, organization_id) WHERE scope = 'own';
CREATE UNIQUE INDEX keysets_people ON keysets (realm_id, organization_id) WHERE scope = 'people' AND organization_id <> 0;
CREATE INDEX keysets_organization ON keysets (organization_id, id);
