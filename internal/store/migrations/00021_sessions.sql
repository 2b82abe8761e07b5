-- +goose Up

-- Sessions, and what applications hold of people: grants, access tokens, requests
-- for authorization and consents. References to applications, sessions and grants
-- (the columns application, session and family) may name what is gone: such rows
-- are dead and swept. All secrets are kept as hashes.

-- Whoever signed in before this moment is signed out.
ALTER TABLE realms ADD COLUMN signed_out_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE organizations ADD COLUMN signed_out_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN signed_out_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN signed_out_at BIGINT NOT NULL DEFAULT 0;

-- The issuer at an origin is spelled with or without a slash at its end.
ALTER TABLE origins ADD COLUMN slash BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE applications ADD COLUMN openid TEXT NOT NULL DEFAULT '';

CREATE TABLE sessions (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  application BIGINT NOT NULL,
  hash TEXT NOT NULL,
  origin TEXT NOT NULL,
  factors TEXT NOT NULL,
  device TEXT NOT NULL,
  device_hash TEXT NOT NULL,
  address TEXT NOT NULL,
  idle BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  idle_until BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  custom TEXT NOT NULL
);
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_organization ON sessions (organization_id, id);
CREATE INDEX sessions_user ON sessions (user_id, id);
CREATE INDEX sessions_elsewhere ON sessions (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
CREATE INDEX sessions_realm ON sessions (realm_id, id);
CREATE INDEX sessions_end ON sessions (expires_at);

CREATE TABLE token_grants (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  application BIGINT NOT NULL,
  session BIGINT NOT NULL,
  offline BOOLEAN NOT NULL,
  issuer TEXT NOT NULL,
  scopes TEXT NOT NULL,
  audiences TEXT NOT NULL,
  factors TEXT NOT NULL,
  nonce TEXT NOT NULL,
  claims TEXT NOT NULL,
  family_hash TEXT NOT NULL,
  current_hash TEXT NOT NULL,
  previous_hash TEXT NOT NULL,
  rotated_at BIGINT NOT NULL,
  rotations BIGINT NOT NULL,
  idle BIGINT NOT NULL,
  idle_until BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX token_grants_family ON token_grants (family_hash) WHERE family_hash <> '';
CREATE INDEX token_grants_organization ON token_grants (organization_id, id);
CREATE INDEX token_grants_user ON token_grants (user_id, id);
CREATE INDEX token_grants_elsewhere ON token_grants (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
CREATE INDEX token_grants_session ON token_grants (session, id) WHERE session <> 0;
CREATE INDEX token_grants_application ON token_grants (application, id);
CREATE INDEX token_grants_end ON token_grants (expires_at);

CREATE TABLE access_tokens (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  application BIGINT NOT NULL,
  family BIGINT NOT NULL,
  hash TEXT NOT NULL,
  issuer TEXT NOT NULL,
  scopes TEXT NOT NULL,
  audiences TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX access_tokens_hash ON access_tokens (hash);
CREATE INDEX access_tokens_organization ON access_tokens (organization_id, id);
CREATE INDEX access_tokens_user ON access_tokens (user_id, id) WHERE user_id <> 0;
CREATE INDEX access_tokens_elsewhere ON access_tokens (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
CREATE INDEX access_tokens_end ON access_tokens (expires_at);

CREATE TABLE authorizations (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  application BIGINT NOT NULL,
  session BIGINT NOT NULL,
  family BIGINT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  handle_hash TEXT NOT NULL,
  code_hash TEXT NOT NULL,
  request TEXT NOT NULL,
  answer TEXT NOT NULL,
  polled_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX authorizations_handle ON authorizations (handle_hash) WHERE handle_hash <> '';
CREATE UNIQUE INDEX authorizations_code ON authorizations (code_hash) WHERE code_hash <> '';
CREATE INDEX authorizations_organization ON authorizations (organization_id, id);
CREATE INDEX authorizations_user ON authorizations (user_id, id) WHERE user_id <> 0;
CREATE INDEX authorizations_elsewhere ON authorizations (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
CREATE INDEX authorizations_end ON authorizations (expires_at);

CREATE TABLE consents (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  application BIGINT NOT NULL,
  scopes TEXT NOT NULL
);
CREATE UNIQUE INDEX consents_once ON consents (user_id, organization_id, application);
CREATE INDEX consents_organization ON consents (organization_id, id);
CREATE INDEX consents_elsewhere ON consents (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

-- What was used up or revoked before it expired: the ids of assertions and of
-- self-contained tokens, as hashes.
CREATE TABLE spent (
  realm_id BIGINT NOT NULL,
  hash TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (realm_id, hash)
);
CREATE INDEX spent_end ON spent (expires_at);

-- Applications that are still to be told that somebody signed out.
CREATE TABLE sign_outs (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  application BIGINT NOT NULL,
  session BIGINT NOT NULL,
  issuer TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  run_at BIGINT NOT NULL
);
CREATE INDEX sign_outs_due ON sign_outs (run_at, id);
CREATE INDEX sign_outs_organization ON sign_outs (organization_id, id);
CREATE INDEX sign_outs_user ON sign_outs (user_id, id);
CREATE INDEX sign_outs_elsewhere ON sign_outs (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;
