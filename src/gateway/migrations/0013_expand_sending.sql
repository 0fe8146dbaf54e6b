-- Four channels go one way: the parts of a long text are told apart, a channel that fails names the one that stands in
-- for it, a receipt whose submission was never answered is found by what the provider repeats of our own reference, and
-- what a department said to a number a moment ago is known.
-- Locks: notifications.delivery, attempt, carried and receipt, for an instant each; delivery and attempt against writing for
-- as long as their new indexes take. Old code: does not know the new columns, whose defaults are what it means. Time: a second for
-- every five million attempts.
ALTER TABLE notifications.delivery
    ADD COLUMN fallback text[] CHECK (fallback <@ ARRAY['sms', 'email']);
COMMENT ON COLUMN notifications.delivery.fallback IS 'The channels that take over when this one certainly fails.';
-- So that a code finds its turn among a million that wait for the morning.
CREATE INDEX delivery_waiting ON notifications.delivery (bucket, lane, next_at) WHERE stage = 'waiting';
ALTER TABLE notifications.attempt
    ADD COLUMN parts smallint NOT NULL DEFAULT 1 CHECK (parts BETWEEN 1 AND 31),
    ADD COLUMN told  integer  NOT NULL DEFAULT 0,
    ADD COLUMN missed boolean NOT NULL DEFAULT FALSE;
COMMENT ON COLUMN notifications.attempt.parts IS 'How many SMS its text came to; 1 for whatever is no SMS.';
COMMENT ON COLUMN notifications.attempt.told IS 'Which parts of a long text arrived, a bit for each, counted from 0.';
COMMENT ON COLUMN notifications.attempt.missed IS 'A receipt said that it did not arrive.';
CREATE INDEX attempt_unknown ON notifications.attempt (bucket, intended_at) WHERE outcome = 'unknown';
ALTER TABLE notifications.carried
    ADD COLUMN channel text     NOT NULL DEFAULT 'sms' CHECK (channel IN ('sms', 'email', 'subscribe')),
    ADD COLUMN part    smallint NOT NULL DEFAULT 0,
    ADD COLUMN parts   smallint NOT NULL DEFAULT 1,
    ADD CONSTRAINT part_of_parts CHECK (part >= 0 AND part < parts AND parts <= 31);
ALTER TABLE notifications.receipt
    ADD COLUMN message_id     uuid,
    ADD COLUMN user_reference integer CHECK (user_reference BETWEEN 0 AND 65535),
    ADD COLUMN number_digest  bytea   CHECK (length(number_digest) = 32);
COMMENT ON COLUMN notifications.receipt.message_id IS 'Our own reference, where the provider repeats it whole.';
COMMENT ON COLUMN notifications.receipt.user_reference IS 'Its 16 bits, where that is all a provider repeats.';

CREATE TABLE notifications.said (
    digest  bytea       NOT NULL PRIMARY KEY CHECK (length(digest) = 16),
    said_at timestamptz NOT NULL
);
CREATE INDEX said_by_time ON notifications.said (said_at);
COMMENT ON TABLE notifications.said IS
    'What a department said to a number in the last minutes, by a keyed digest of who, to whom and what. distribution: digest';
