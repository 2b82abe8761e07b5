-- +goose Up

-- Secrets of the installation are wrapped by the master key that is named; one from
-- before that has none, and is wrapped when it is asked for.
ALTER TABLE secrets ADD COLUMN master TEXT NOT NULL DEFAULT '';
