-- +goose Up

-- The archive that a deletion had made first: its hash and size, and in parts what it
-- is, encrypted for others. The parts belong to nobody and are gone once their time is up.
ALTER TABLE deletions ADD COLUMN export TEXT NOT NULL DEFAULT '';

CREATE TABLE export_parts (
  id BIGINT PRIMARY KEY,
  realm_id BIGINT NOT NULL,
  archive BIGINT NOT NULL,
  until_at BIGINT NOT NULL,
  content BLOB NOT NULL
);
CREATE INDEX export_parts_export ON export_parts (archive, id);
CREATE INDEX export_parts_until ON export_parts (until_at);
