-- What departments send by themselves: their API keys and teams, how much they may send, and which messages they asked
-- for. Locks: new tables only. Old code: does not know them. Time: instant.
CREATE TABLE notifications.service (
    service_id uuid        NOT NULL PRIMARY KEY,
    per_minute integer     NOT NULL CHECK (per_minute BETWEEN 1 AND 1000000),
    per_day    integer     NOT NULL CHECK (per_day BETWEEN 0 AND 100000000),
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE notifications.service IS
    'How much a department may send, a minute with each kind of key and a day altogether; its id is the department''s. distribution: reference';

CREATE TABLE notifications.api_key (
    key_id     uuid        NOT NULL PRIMARY KEY,
    service_id uuid        NOT NULL REFERENCES notifications.service (service_id),
    number     integer     NOT NULL CHECK (number BETWEEN 1 AND 10),
    name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 60),
    kind       text        NOT NULL CHECK (kind IN ('live', 'team', 'test')),
    secret     bytea       NOT NULL,
    made_at    timestamptz NOT NULL,
    revoked_at timestamptz
);
-- Each key that is good has a number of its own, and numbers end.
CREATE UNIQUE INDEX ten_keys_of_a_service ON notifications.api_key (service_id, number) WHERE revoked_at IS NULL;
CREATE UNIQUE INDEX one_key_of_a_name ON notifications.api_key (service_id, name) WHERE revoked_at IS NULL;
COMMENT ON TABLE notifications.api_key IS
    'What a department''s programs prove themselves by; the secret sealed, for it is a key of an HMAC. distribution: reference';

CREATE TABLE notifications.team_member (
    service_id       uuid        NOT NULL,
    recipient_digest bytea       NOT NULL CHECK (length(recipient_digest) = 32),
    recipient        bytea       NOT NULL,
    added_at         timestamptz NOT NULL,
    PRIMARY KEY (service_id, recipient_digest)
);
COMMENT ON TABLE notifications.team_member IS
    'Whom a team key may send to: numbers and addresses of the department''s own people, sealed. distribution: service_id';

CREATE TABLE notifications.service_day (
    service_id uuid    NOT NULL,
    day        date    NOT NULL,
    process_id uuid    NOT NULL,
    accepted   integer NOT NULL CHECK (accepted >= 0),
    PRIMARY KEY (service_id, day, process_id)
);
CREATE INDEX service_day_by_day ON notifications.service_day (day);
COMMENT ON TABLE notifications.service_day IS
    'How many messages of a service each process accepted on a day of the city, written every few seconds. distribution: service_id';

CREATE TABLE notifications.request (
    service_id uuid        NOT NULL,
    message_id uuid        NOT NULL,
    channel    text        NOT NULL CHECK (channel IN ('inbox', 'sms', 'email')),
    template   text        NOT NULL,
    version    smallint    NOT NULL,
    reference  text        CHECK (length(reference) BETWEEN 1 AND 200),
    kind       text        NOT NULL CHECK (kind IN ('live', 'team', 'test')),
    created_at timestamptz NOT NULL,
    send_at    timestamptz NOT NULL,
    batch_id   uuid,
    asked      bytea       CHECK (length(asked) = 32),
    -- Ids begin with the millisecond they were made in, so that this is also the order of time.
    PRIMARY KEY (service_id, message_id)
);
CREATE INDEX request_by_reference ON notifications.request (service_id, reference, message_id) WHERE reference IS NOT NULL;
COMMENT ON TABLE notifications.request IS
    'Which messages a service asked for; asked is the keyed digest of the body, where it came under a key to be retried with. distribution: service_id';

CREATE TABLE notifications.rehearsal (
    bucket     integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    message_id uuid        NOT NULL,
    caller     text        NOT NULL,
    channel    text        NOT NULL CHECK (channel IN ('inbox', 'sms', 'email')),
    ending     text        NOT NULL CHECK (ending IN ('delivered', 'expired', 'undeliverable')),
    due_at     timestamptz NOT NULL,
    ended_at   timestamptz,
    withdrawn  boolean     NOT NULL DEFAULT FALSE CHECK (ended_at IS NOT NULL OR NOT withdrawn),
    PRIMARY KEY (bucket, message_id),
    FOREIGN KEY (bucket, message_id) REFERENCES notifications.message (bucket, message_id)
);
CREATE INDEX rehearsal_due ON notifications.rehearsal (bucket, due_at) WHERE ended_at IS NULL;
COMMENT ON TABLE notifications.rehearsal IS
    'Messages that no carrier is given, and how each is to end: those of test keys, and those to simulated recipients. distribution: bucket';
