-- +goose Up

ALTER TABLE realms ADD COLUMN protected BOOLEAN NOT NULL DEFAULT FALSE;

-- A hold on a whole realm is kept in the first realm of the server, where it outlives
-- what it is on.
ALTER TABLE holds ADD COLUMN held_realm BIGINT NOT NULL DEFAULT 0;
CREATE INDEX holds_on_realm ON holds (held_realm, id) WHERE held_realm <> 0;
CREATE INDEX holds_realm ON holds (realm_id, id);
CREATE INDEX organizations_protected ON organizations (realm_id, id) WHERE protected;
