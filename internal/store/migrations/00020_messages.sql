-- +goose Up

-- What waits to be sent, and what was sent lately, to count by. The content is
-- sealed, and gone once a message was sent.
CREATE TABLE messages (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  home_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  channel TEXT NOT NULL,
  recipient TEXT NOT NULL,
  sealed BLOB NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  until_at BIGINT NOT NULL,
  sent_at BIGINT NOT NULL,
  problem TEXT NOT NULL,
  lease_until BIGINT NOT NULL DEFAULT 0,
  holder TEXT NOT NULL DEFAULT ''
);
CREATE INDEX messages_due ON messages (run_at, id) WHERE state = 'queued';
CREATE INDEX messages_done ON messages (updated_at, id) WHERE state <> 'queued';
CREATE INDEX messages_recipient ON messages (realm_id, recipient, created_at);
CREATE INDEX messages_organization ON messages (organization_id, id);
CREATE INDEX messages_sent ON messages (organization_id, created_at);
CREATE INDEX messages_user ON messages (user_id, id) WHERE user_id <> 0;
CREATE INDEX messages_elsewhere ON messages (home_id, id) WHERE home_id <> 0 AND home_id <> organization_id;

CREATE TABLE message_templates (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  kind TEXT NOT NULL,
  locale TEXT NOT NULL,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  html TEXT NOT NULL
);
CREATE UNIQUE INDEX message_templates_once ON message_templates (realm_id, organization_id, kind, locale);
CREATE INDEX message_templates_organization ON message_templates (organization_id, id);
