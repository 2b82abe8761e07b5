-- +goose Up

-- An event is pending from the transaction that writes it, when a webhook listens
-- there, until it has been lined up for every webhook. It is a mark on the row and
-- no position in the log: transactions do not commit in the order of ids.
ALTER TABLE events ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX events_pending ON events (realm_id, id) WHERE pending;

-- sealed is the URL and the secrets; the text of url is for people.
CREATE TABLE webhooks (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  name TEXT NOT NULL,
  url TEXT NOT NULL,
  types TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  disabled_at BIGINT NOT NULL,
  keys TEXT NOT NULL,
  sealed BLOB NOT NULL,
  failing_since BIGINT NOT NULL DEFAULT 0,
  succeeded_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhooks_listening ON webhooks (realm_id, organization_id, state);
CREATE INDEX webhooks_organization ON webhooks (organization_id, id);

CREATE TABLE webhook_deliveries (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  organization_id BIGINT NOT NULL,
  webhook_id BIGINT NOT NULL,
  event_id BIGINT NOT NULL,
  type TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  code BIGINT NOT NULL,
  error TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  tries TEXT NOT NULL
);
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (webhook_id, event_id);
CREATE INDEX webhook_deliveries_line ON webhook_deliveries (webhook_id, event_id, due_at) WHERE state = 'waiting';
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_organization ON webhook_deliveries (organization_id, id);
CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE ended_at <> 0;

-- The last event of an organization for a webhook of its own, which does not exist
-- any more when it is delivered. It belongs to nobody and is gone once it was
-- delivered or given up.
CREATE TABLE webhook_farewells (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  event_id BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  sealed BLOB NOT NULL
);

CREATE INDEX jobs_kind ON jobs (kind, run_at, id);
