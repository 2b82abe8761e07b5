-- +goose Up

-- What slows down those who guess; see package guard. Keys are keyed hashes and
-- name nobody, and rows go when they have been of no use for a while.
CREATE TABLE tallies (
  realm_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  count BIGINT NOT NULL,
  began_at BIGINT NOT NULL,
  blocked_until BIGINT NOT NULL,
  known_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (realm_id, key)
);
CREATE INDEX tallies_seen ON tallies (seen_at);

-- Budgets by the generic cell rate algorithm, and what may be given once.
CREATE TABLE budgets (
  key TEXT NOT NULL,
  next_at BIGINT NOT NULL,
  PRIMARY KEY (key)
);
CREATE INDEX budgets_next ON budgets (next_at);
