-- +goose Up

-- Times are microseconds since 1970 UTC, 0 for never; an id of 0 is none; JSON is
-- text, '' for nothing. Keys for comparison (…_key) are folded by the program, so
-- that both engines agree. Owned rows carry organization_id and are purged by it;
-- nothing references members or users, which are purged by the million. Rows that
-- refer to a user carry the user's home_id, so that the purge of the home finds
-- what its users left in other organizations without asking for each of them.

CREATE TABLE nodes (
  node BIGINT PRIMARY KEY,
  holder TEXT NOT NULL,
  reserved_until BIGINT NOT NULL
);

CREATE TABLE realms (
  id BIGINT PRIMARY KEY,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  default_organization BIGINT NOT NULL,
  system_project BIGINT NOT NULL,
  settings TEXT NOT NULL,
  deleted_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX realms_name ON realms (name_key) WHERE deleted_at = 0;

CREATE TABLE origins (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL REFERENCES realms (id),
  url TEXT NOT NULL,
  UNIQUE (url)
);
CREATE INDEX origins_realm ON origins (realm_id);

CREATE TABLE organizations (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL REFERENCES realms (id),
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  alias TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  name_claimed BOOLEAN NOT NULL,
  display_name TEXT NOT NULL,
  slug TEXT NOT NULL,
  slug_key TEXT NOT NULL,
  external_id TEXT NOT NULL,
  state TEXT NOT NULL,
  protected BOOLEAN NOT NULL,
  branding TEXT NOT NULL,
  profile TEXT NOT NULL,
  settings TEXT NOT NULL,
  public TEXT NOT NULL,
  private TEXT NOT NULL,
  deleted_at BIGINT NOT NULL DEFAULT 0,
  users_fate TEXT NOT NULL DEFAULT '',
  revived_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX organizations_slug ON organizations (realm_id, slug_key) WHERE deleted_at = 0;
CREATE UNIQUE INDEX organizations_external ON organizations (realm_id, external_id) WHERE deleted_at = 0 AND external_id <> '';
CREATE UNIQUE INDEX organizations_name ON organizations (realm_id, name_key) WHERE deleted_at = 0 AND name_claimed;
CREATE UNIQUE INDEX organizations_alias ON organizations (realm_id, alias) WHERE alias <> '';
CREATE INDEX organizations_list ON organizations (realm_id, id);
CREATE INDEX organizations_by_name ON organizations (realm_id, name_key, id) WHERE deleted_at = 0;

CREATE TABLE users (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  scope_id BIGINT NOT NULL,
  alias TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  username TEXT NOT NULL,
  username_key TEXT NOT NULL,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  email_verified BOOLEAN NOT NULL,
  phone TEXT NOT NULL,
  phone_verified BOOLEAN NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  given_name TEXT NOT NULL,
  given_name_key TEXT NOT NULL,
  family_name TEXT NOT NULL,
  family_name_key TEXT NOT NULL,
  external_id TEXT NOT NULL,
  connection TEXT NOT NULL,
  details TEXT NOT NULL,
  public TEXT NOT NULL,
  private TEXT NOT NULL,
  deleted_at BIGINT NOT NULL DEFAULT 0,
  revived_at BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX users_email ON users (realm_id, scope_id, email_key, connection) WHERE email_key <> '' AND deleted_at = 0 AND state <> 'deleted';
CREATE UNIQUE INDEX users_username ON users (realm_id, scope_id, username_key, connection) WHERE username_key <> '' AND deleted_at = 0 AND state <> 'deleted';
CREATE UNIQUE INDEX users_external ON users (realm_id, scope_id, external_id) WHERE external_id <> '' AND deleted_at = 0 AND state <> 'deleted';
CREATE UNIQUE INDEX users_alias ON users (realm_id, alias) WHERE alias <> '';
CREATE INDEX users_home ON users (home_id, id);
CREATE INDEX users_realm ON users (realm_id, id);
CREATE INDEX users_by_email ON users (realm_id, email_key, id);
CREATE INDEX users_by_username ON users (realm_id, username_key, id) WHERE username_key <> '';
CREATE INDEX users_by_external ON users (realm_id, external_id, id) WHERE external_id <> '';

CREATE TABLE credentials (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  hash TEXT NOT NULL,
  change_required BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX credentials_user ON credentials (user_id, id);
CREATE INDEX credentials_organization ON credentials (organization_id, id);

CREATE TABLE members (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  state TEXT NOT NULL,
  external_id TEXT NOT NULL,
  details TEXT NOT NULL,
  public TEXT NOT NULL,
  private TEXT NOT NULL
);
CREATE UNIQUE INDEX members_user ON members (user_id, organization_id);
CREATE UNIQUE INDEX members_external ON members (organization_id, external_id) WHERE external_id <> '' AND state <> 'deleted';
CREATE INDEX members_organization ON members (organization_id, id);
CREATE INDEX members_noted ON members (organization_id, id) WHERE details <> '';
CREATE INDEX members_elsewhere ON members (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

CREATE TABLE roles (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  key_key TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  description TEXT NOT NULL,
  permissions TEXT NOT NULL
);
CREATE UNIQUE INDEX roles_key ON roles (realm_id, organization_id, key_key);
CREATE INDEX roles_organization ON roles (organization_id, id);

CREATE TABLE role_assignments (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  member_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  role_id BIGINT NOT NULL REFERENCES roles (id),
  source TEXT NOT NULL
);
CREATE UNIQUE INDEX role_assignments_once ON role_assignments (user_id, organization_id, role_id, source);
CREATE INDEX role_assignments_organization ON role_assignments (organization_id, id);
CREATE INDEX role_assignments_member ON role_assignments (member_id, id);
CREATE INDEX role_assignments_role ON role_assignments (role_id, id);
CREATE INDEX role_assignments_elsewhere ON role_assignments (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

CREATE TABLE invitations (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL REFERENCES organizations (id),
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  inviter TEXT NOT NULL,
  roles TEXT NOT NULL,
  client TEXT NOT NULL,
  connection TEXT NOT NULL,
  ticket_hash TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  accepted_at BIGINT NOT NULL,
  public TEXT NOT NULL,
  private TEXT NOT NULL
);
CREATE UNIQUE INDEX invitations_ticket ON invitations (ticket_hash);
CREATE INDEX invitations_organization ON invitations (organization_id, id);
CREATE INDEX invitations_user ON invitations (user_id, id) WHERE user_id <> 0;
CREATE INDEX invitations_elsewhere ON invitations (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

CREATE TABLE domains (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL REFERENCES organizations (id),
  name TEXT NOT NULL,
  verified BOOLEAN NOT NULL,
  is_primary BOOLEAN NOT NULL,
  discovery BOOLEAN NOT NULL,
  token TEXT NOT NULL,
  method TEXT NOT NULL,
  reserved BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX domains_name ON domains (realm_id, name) WHERE reserved;
CREATE UNIQUE INDEX domains_organization ON domains (organization_id, name);
CREATE INDEX domains_owner ON domains (organization_id, id);

CREATE TABLE entries (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL
);
CREATE UNIQUE INDEX entries_key ON entries (realm_id, organization_id, user_id, key);
CREATE INDEX entries_organization ON entries (organization_id, id);
CREATE INDEX entries_user ON entries (user_id, id) WHERE user_id <> 0;

CREATE TABLE projects (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL REFERENCES organizations (id),
  alias TEXT NOT NULL,
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  active BOOLEAN NOT NULL,
  options TEXT NOT NULL
);
CREATE UNIQUE INDEX projects_name ON projects (organization_id, name_key);
CREATE UNIQUE INDEX projects_alias ON projects (realm_id, alias) WHERE alias <> '';
CREATE INDEX projects_organization ON projects (organization_id, id);
CREATE INDEX projects_realm ON projects (realm_id, id);

CREATE TABLE project_roles (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL REFERENCES organizations (id),
  project_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  display_name TEXT NOT NULL,
  group_name TEXT NOT NULL
);
CREATE UNIQUE INDEX project_roles_key ON project_roles (project_id, key);
CREATE INDEX project_roles_organization ON project_roles (organization_id, id);

CREATE TABLE project_grants (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL REFERENCES organizations (id),
  project_id BIGINT NOT NULL,
  granted_id BIGINT NOT NULL REFERENCES organizations (id),
  roles TEXT NOT NULL,
  active BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX project_grants_once ON project_grants (project_id, granted_id);
CREATE INDEX project_grants_organization ON project_grants (organization_id, id);
CREATE INDEX project_grants_granted ON project_grants (granted_id, id);

CREATE TABLE user_grants (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL REFERENCES organizations (id),
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  project_id BIGINT NOT NULL,
  project_organization_id BIGINT NOT NULL REFERENCES organizations (id),
  grant_id BIGINT NOT NULL,
  roles TEXT NOT NULL,
  active BOOLEAN NOT NULL
);
CREATE UNIQUE INDEX user_grants_once ON user_grants (user_id, project_id, grant_id);
CREATE INDEX user_grants_organization ON user_grants (organization_id, id);
CREATE INDEX user_grants_project ON user_grants (project_id, id);
CREATE INDEX user_grants_project_owner ON user_grants (project_organization_id, id);
CREATE INDEX user_grants_grant ON user_grants (grant_id, id) WHERE grant_id <> 0;
CREATE INDEX user_grants_elsewhere ON user_grants (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

CREATE TABLE administrators (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  granted_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  scope TEXT NOT NULL,
  object_id BIGINT NOT NULL,
  roles TEXT NOT NULL
);
CREATE UNIQUE INDEX administrators_once ON administrators (realm_id, user_id, scope, object_id);
CREATE INDEX administrators_organization ON administrators (organization_id, id);
CREATE INDEX administrators_granted ON administrators (granted_id, id) WHERE granted_id <> 0;
CREATE INDEX administrators_user ON administrators (user_id, id);
CREATE INDEX administrators_object ON administrators (object_id, id);
CREATE INDEX administrators_elsewhere ON administrators (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

CREATE TABLE applications (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  project_id BIGINT NOT NULL,
  scheme TEXT NOT NULL,
  name TEXT NOT NULL,
  client_id TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  claims TEXT NOT NULL,
  audiences TEXT NOT NULL,
  grants TEXT NOT NULL,
  disabled BOOLEAN NOT NULL,
  settings TEXT NOT NULL
);
CREATE UNIQUE INDEX applications_client ON applications (client_id);
CREATE INDEX applications_organization ON applications (organization_id, id);
CREATE INDEX applications_project ON applications (project_id, id) WHERE project_id <> 0;

CREATE TABLE api_keys (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  scheme TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL,
  hint TEXT NOT NULL,
  claims TEXT NOT NULL,
  grants TEXT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE INDEX api_keys_organization ON api_keys (organization_id, id);
CREATE INDEX api_keys_user ON api_keys (user_id, id) WHERE user_id <> 0;

CREATE TABLE integrated_accounts (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  tenant_key TEXT NOT NULL,
  environment_id TEXT NOT NULL,
  status TEXT NOT NULL,
  method TEXT NOT NULL,
  context TEXT NOT NULL
);
CREATE INDEX integrated_accounts_organization ON integrated_accounts (organization_id, id);

CREATE TABLE events (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  type TEXT NOT NULL,
  actor TEXT NOT NULL,
  kind BIGINT NOT NULL,
  subject_id BIGINT NOT NULL,
  at BIGINT NOT NULL,
  data TEXT NOT NULL
);
CREATE INDEX events_organization ON events (organization_id, id);
CREATE INDEX events_subject ON events (subject_id, id);
CREATE INDEX events_realm ON events (realm_id, id);

CREATE TABLE deletions (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  subject_id BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  users TEXT NOT NULL,
  state TEXT NOT NULL,
  grace_until BIGINT NOT NULL,
  requested_by TEXT NOT NULL,
  reason TEXT NOT NULL,
  step BIGINT NOT NULL,
  position BIGINT NOT NULL,
  done TEXT NOT NULL,
  paused BOOLEAN NOT NULL,
  fingerprint TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  purged_at BIGINT NOT NULL
);
CREATE INDEX deletions_realm ON deletions (realm_id, id);
CREATE INDEX deletions_subject ON deletions (subject_id, id);
CREATE INDEX deletions_organization ON deletions (organization_id, id);

CREATE TABLE holds (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  reason TEXT NOT NULL,
  placed_by TEXT NOT NULL,
  until_at BIGINT NOT NULL,
  released_at BIGINT NOT NULL,
  released_by TEXT NOT NULL
);
CREATE INDEX holds_organization ON holds (organization_id, id);
CREATE INDEX holds_user ON holds (user_id, id);

CREATE TABLE receipts (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  number BIGINT NOT NULL,
  deletion_id BIGINT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL,
  jws TEXT NOT NULL
);
CREATE UNIQUE INDEX receipts_number ON receipts (realm_id, number);
CREATE UNIQUE INDEX receipts_deletion ON receipts (deletion_id);

CREATE TABLE tombstones (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  kind BIGINT NOT NULL,
  alias_hash TEXT NOT NULL,
  deleted_at BIGINT NOT NULL
);
CREATE INDEX tombstones_alias ON tombstones (realm_id, alias_hash) WHERE alias_hash <> '';

CREATE TABLE jobs (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  run_at BIGINT NOT NULL,
  lease_until BIGINT NOT NULL,
  holder TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  last_error TEXT NOT NULL
);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key);
CREATE INDEX jobs_due ON jobs (run_at, id);

CREATE TABLE idempotency_keys (
  realm_id BIGINT NOT NULL,
  scope TEXT NOT NULL,
  hash TEXT NOT NULL,
  answer BLOB,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (realm_id, scope)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE secrets (
  name TEXT NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (name)
);
