-- Messages: what is owed to people, how each goes out, what every attempt came to, and what providers say of it.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE SCHEMA notifications;

CREATE TABLE notifications.contact (
    person_id     uuid        NOT NULL PRIMARY KEY,
    phone         bytea,
    language      text        NOT NULL CHECK (language IN ('zh', 'en')),
    sms_results   boolean     NOT NULL,
    sms_reminders boolean     NOT NULL,
    sms_notices   boolean     NOT NULL,
    updated_at    timestamptz NOT NULL
);
COMMENT ON TABLE notifications.contact IS 'How a person wants to be reached; the phone sealed. distribution: person';

CREATE TABLE notifications.message (
    bucket        integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    message_id    uuid        NOT NULL,
    caller        text        NOT NULL CHECK (length(caller) BETWEEN 1 AND 128),
    key           text        NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    person_id     uuid,
    address       bytea,
    template      text        NOT NULL,
    version       smallint    NOT NULL,
    lane          smallint    NOT NULL CHECK (lane BETWEEN 0 AND 4),
    sealed_values bytea       NOT NULL,
    owed_at       timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    stage         text        NOT NULL CHECK (stage IN ('owed', 'routed', 'withdrawn', 'unsendable')),
    PRIMARY KEY (bucket, message_id),
    -- One promise, one message: whoever owes it again with the same name owes nothing more.
    CONSTRAINT one_message_of_a_promise UNIQUE (bucket, caller, key),
    -- The bucket is read from the id's last byte, so that a message is found by its id alone.
    CONSTRAINT bucket_in_id CHECK (get_byte(uuid_send(message_id), 15) & 63 = bucket),
    CONSTRAINT to_one_recipient CHECK (person_id IS NULL OR address IS NULL)
);
CREATE INDEX message_due ON notifications.message (bucket, lane, due_at) WHERE stage = 'owed';
CREATE INDEX message_unsendable ON notifications.message (owed_at) WHERE stage = 'unsendable';
COMMENT ON TABLE notifications.message IS 'What is owed to somebody, values sealed to the row. distribution: bucket';

CREATE TABLE notifications.delivery (
    bucket     integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    message_id uuid        NOT NULL,
    channel    text        NOT NULL CHECK (channel IN ('inbox', 'sms')),
    lane       smallint    NOT NULL CHECK (lane BETWEEN 0 AND 4),
    stage      text        NOT NULL CHECK (stage IN
        ('waiting', 'sending', 'accepted', 'delivered', 'expired', 'withdrawn', 'undeliverable', 'unknown')),
    fence      integer     NOT NULL CHECK (fence >= 0),
    next_at    timestamptz,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    reason     text        CHECK (length(reason) <= 200),
    PRIMARY KEY (bucket, message_id, channel),
    FOREIGN KEY (bucket, message_id) REFERENCES notifications.message (bucket, message_id),
    -- An open delivery has an hour at which it is looked at again: nothing can be forgotten half-way.
    CONSTRAINT open_is_looked_at CHECK ((stage IN ('waiting', 'sending', 'accepted')) = (next_at IS NOT NULL)),
    CONSTRAINT ended_when_not_open CHECK ((stage IN ('waiting', 'sending', 'accepted')) = (ended_at IS NULL))
);
CREATE INDEX delivery_open ON notifications.delivery (bucket, stage, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_alerted ON notifications.delivery (stage, ended_at) WHERE stage IN ('undeliverable', 'unknown');
COMMENT ON TABLE notifications.delivery IS
    'A message on one channel. next_at: waiting, when to try; sending, when the lease ends; accepted, until when a receipt is awaited. distribution: bucket';

CREATE TABLE notifications.attempt (
    bucket       integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    message_id   uuid        NOT NULL,
    channel      text        NOT NULL CHECK (channel IN ('sms')),
    fence        integer     NOT NULL CHECK (fence >= 1),
    provider     text        NOT NULL CHECK (length(provider) <= 60),
    may_repeat   boolean     NOT NULL,
    intended_at  timestamptz NOT NULL,
    outcome      text        CHECK (outcome IN ('accepted', 'rejected', 'unknown')),
    ended_at     timestamptz,
    provider_ref text        CHECK (length(provider_ref) <= 200),
    reason       text        CHECK (length(reason) <= 200),
    PRIMARY KEY (bucket, message_id, channel, fence),
    FOREIGN KEY (bucket, message_id, channel) REFERENCES notifications.delivery (bucket, message_id, channel),
    CONSTRAINT ended_with_an_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
-- Kept by the database even when the code is wrong: on ordinary lanes a text that may have left is never sent again.
CREATE UNIQUE INDEX never_twice_on_ordinary_lanes ON notifications.attempt (bucket, message_id, channel)
    WHERE NOT may_repeat AND outcome IS DISTINCT FROM 'rejected';
COMMENT ON TABLE notifications.attempt IS
    'Every try at a delivery, written before anything is sent; without outcome: nobody knows yet. distribution: bucket';

CREATE TABLE notifications.carried (
    bucket          integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    provider        text        NOT NULL,
    provider_ref    text        NOT NULL CHECK (length(provider_ref) BETWEEN 1 AND 200),
    message_bucket  integer     NOT NULL CHECK (message_bucket BETWEEN 0 AND 63),
    message_id      uuid        NOT NULL,
    fence           integer     NOT NULL,
    lane            smallint    NOT NULL CHECK (lane BETWEEN 0 AND 4),
    accepted_at     timestamptz NOT NULL,
    PRIMARY KEY (bucket, provider, provider_ref)
);
COMMENT ON TABLE notifications.carried IS
    'Which attempt a provider means by its reference; the bucket is of provider and reference. distribution: bucket';

CREATE TABLE notifications.receipt (
    bucket       integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    receipt_id   uuid        NOT NULL,
    provider     text        NOT NULL CHECK (length(provider) <= 60),
    provider_ref text        NOT NULL CHECK (length(provider_ref) BETWEEN 1 AND 200),
    reading      text        NOT NULL CHECK (reading IN ('delivered', 'undelivered', 'underway')),
    raw          bytea       NOT NULL,
    received_at  timestamptz NOT NULL,
    joined_at    timestamptz,
    PRIMARY KEY (bucket, receipt_id)
);
CREATE INDEX receipt_unjoined ON notifications.receipt (bucket, received_at) WHERE joined_at IS NULL;
COMMENT ON TABLE notifications.receipt IS
    'What providers say, sealed as it came, joined to its attempt later; the bucket is of provider and reference. distribution: bucket';

CREATE TABLE notifications.inbox_item (
    person_id     uuid        NOT NULL,
    message_id    uuid        NOT NULL,
    template      text        NOT NULL,
    version       smallint    NOT NULL,
    sealed_values bytea       NOT NULL,
    arrived_at    timestamptz NOT NULL,
    read_at       timestamptz,
    -- A message is in an inbox once, however often its delivery is tried.
    PRIMARY KEY (person_id, message_id)
);
CREATE INDEX inbox_newest_first ON notifications.inbox_item (person_id, arrived_at DESC, message_id DESC);
CREATE INDEX inbox_unread ON notifications.inbox_item (person_id) WHERE read_at IS NULL;
COMMENT ON TABLE notifications.inbox_item IS 'What a person finds in their inbox, values sealed to the row. distribution: person';

CREATE TABLE notifications.demo_sms (
    phone_digest bytea       NOT NULL CHECK (length(phone_digest) = 32),
    sms_id       uuid        NOT NULL,
    reference    text        NOT NULL,
    shown        bytea       NOT NULL,
    shown_at     timestamptz NOT NULL,
    receipted_at timestamptz,
    PRIMARY KEY (phone_digest, sms_id),
    -- The demo carrier takes our reference as its idempotency key, as a good carrier does.
    CONSTRAINT shown_once UNIQUE (phone_digest, reference)
);
CREATE INDEX demo_sms_newest ON notifications.demo_sms (shown_at DESC, sms_id DESC);
CREATE INDEX demo_sms_unreceipted ON notifications.demo_sms (shown_at) WHERE receipted_at IS NULL;
COMMENT ON TABLE notifications.demo_sms IS 'SMS the demo carrier shows instead of sending, sealed. distribution: phone_digest';
