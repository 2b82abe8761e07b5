-- +goose Up

-- What proves people. A factor hangs on its user, whose home is organization_id.
-- A handle names a factor among all of its kind in the realm: the credential id of a
-- passkey, the id of a machine's key, the user of a password.
ALTER TABLE credentials ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
ALTER TABLE credentials ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN handle TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN sealed BLOB;
ALTER TABLE credentials ADD COLUMN data TEXT NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN step BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN confirmed BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE credentials ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN blocked_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX credentials_handle ON credentials (realm_id, kind, handle) WHERE handle <> '';

-- One-time things in flight: attempts to sign in, links and codes that were sent,
-- ceremonies and round trips to identity providers. Of secrets only hashes are kept.
CREATE TABLE challenges (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  hash TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  flow BIGINT NOT NULL,
  target TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  data TEXT NOT NULL
);
CREATE UNIQUE INDEX challenges_hash ON challenges (hash);
CREATE INDEX challenges_organization ON challenges (organization_id, id) WHERE organization_id <> 0;
CREATE INDEX challenges_user ON challenges (user_id, id) WHERE user_id <> 0;
CREATE INDEX challenges_elsewhere ON challenges (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
CREATE INDEX challenges_flow ON challenges (flow, id) WHERE flow <> 0;
CREATE INDEX challenges_target ON challenges (realm_id, target, kind) WHERE target <> '';
CREATE INDEX challenges_age ON challenges (expires_at);

-- Identity providers that people may sign in with, of the realm or of one organization.
CREATE TABLE connections (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  display_name TEXT NOT NULL,
  provider TEXT NOT NULL,
  issuer TEXT NOT NULL,
  client_id TEXT NOT NULL,
  secret BLOB NOT NULL,
  enabled BOOLEAN NOT NULL,
  settings TEXT NOT NULL
);
CREATE UNIQUE INDEX connections_name ON connections (realm_id, organization_id, name_key);
CREATE INDEX connections_organization ON connections (organization_id, id);

-- Who a user is at an identity provider. Organization_id is the owner of the connection.
CREATE TABLE identities (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  connection_id BIGINT NOT NULL,
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  email TEXT NOT NULL,
  used_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX identities_subject ON identities (connection_id, issuer, subject);
CREATE INDEX identities_organization ON identities (organization_id, id);
CREATE INDEX identities_user ON identities (user_id, id);
CREATE INDEX identities_elsewhere ON identities (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
