-- +goose Up

-- What waited for a webhook when its organization ended, and goes before the last
-- event; line is the webhook's, on which an attempt may still be under way.
ALTER TABLE webhook_farewells ADD COLUMN line BIGINT NOT NULL DEFAULT 0;
ALTER TABLE webhook_farewells ADD COLUMN words TEXT NOT NULL DEFAULT '';

-- When deliveries that had been held back went on: they are tried for three days from then.
ALTER TABLE webhooks ADD COLUMN resumed_at BIGINT NOT NULL DEFAULT 0;
