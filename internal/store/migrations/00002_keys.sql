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

-- Keys that tokens and receipts are signed with. The private half is sealed by
-- the realm's keyset and gone once the key signs no more.
CREATE TABLE signing_keys (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  purpose TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  kid TEXT NOT NULL,
  public_key BLOB NOT NULL,
  private_key BLOB NOT NULL,
  created_at BIGINT NOT NULL,
  active_at BIGINT NOT NULL,
  retired_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX signing_keys_kid ON signing_keys (kid);
CREATE INDEX signing_keys_realm ON signing_keys (realm_id, id);

ALTER TABLE realms ADD COLUMN key_life_days BIGINT NOT NULL DEFAULT 90;
