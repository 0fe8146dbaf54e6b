-- People write back: what a number was told last, what it wrote, and what it wants no more of. A text may say of a booking
-- that it stands.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE TABLE notifications.last_told (
    phone_digest   bytea       NOT NULL CHECK (length(phone_digest) = 32),
    caller         text        NOT NULL CHECK (length(caller) BETWEEN 1 AND 128),
    message_bucket integer     NOT NULL CHECK (message_bucket BETWEEN 0 AND 63),
    message_id     uuid        NOT NULL,
    template       text        NOT NULL,
    told_at        timestamptz NOT NULL,
    PRIMARY KEY (phone_digest, caller)
);
CREATE INDEX last_told_by_time ON notifications.last_told (told_at);
COMMENT ON TABLE notifications.last_told IS
    'The newest message of each caller to a number that may be answered by a text. distribution: phone_digest';

CREATE TABLE notifications.received_text (
    phone_digest bytea       NOT NULL CHECK (length(phone_digest) = 32),
    text_id      uuid        NOT NULL,
    provider     text        NOT NULL CHECK (length(provider) <= 60),
    provider_ref text        NOT NULL CHECK (length(provider_ref) BETWEEN 1 AND 200),
    sealed_text  bytea,
    received_at  timestamptz NOT NULL,
    stage        text        NOT NULL CHECK (stage IN ('waiting', 'handled')),
    meaning      text        CHECK (meaning IN ('opt_out', 'opt_out_of_all', 'opt_in', 'confirm', 'other')),
    outcome      text        CHECK (outcome IN
        ('opted_out', 'opted_in', 'confirmed', 'not_possible', 'passed_on', 'kept', 'failed')),
    service_id   uuid,
    handled_at   timestamptz,
    PRIMARY KEY (phone_digest, text_id),
    -- Words that were passed on are kept where they went, and nowhere else.
    CONSTRAINT kept_or_passed_on CHECK ((sealed_text IS NULL) = (outcome IS NOT DISTINCT FROM 'passed_on')),
    -- A provider that says a text again says the same text.
    CONSTRAINT received_once UNIQUE (phone_digest, provider, provider_ref),
    CONSTRAINT handled_as_something CHECK ((stage = 'handled') = (handled_at IS NOT NULL)
        AND (stage = 'handled') = (meaning IS NOT NULL) AND (stage = 'handled') = (outcome IS NOT NULL))
);
CREATE INDEX received_text_waiting ON notifications.received_text (received_at) WHERE stage = 'waiting';
CREATE INDEX received_text_by_time ON notifications.received_text (received_at);
COMMENT ON TABLE notifications.received_text IS
    'What people wrote to our numbers, sealed as it came, handled later. distribution: phone_digest';

CREATE TABLE notifications.service_text (
    service_id  uuid        NOT NULL,
    text_id     uuid        NOT NULL,
    sealed_text bytea       NOT NULL,
    received_at timestamptz NOT NULL,
    -- Ids begin with the millisecond they were made in, so that this is also the order of time.
    PRIMARY KEY (service_id, text_id)
);
CREATE INDEX service_text_by_time ON notifications.service_text (received_at);
COMMENT ON TABLE notifications.service_text IS
    'What people wrote in answer to a department''s messages, sealed. distribution: service_id';

CREATE TABLE notifications.opt_out (
    place_digest bytea       NOT NULL CHECK (length(place_digest) = 32),
    caller       text        NOT NULL CHECK (length(caller) BETWEEN 1 AND 128),
    since        timestamptz NOT NULL,
    PRIMARY KEY (place_digest, caller)
);
COMMENT ON TABLE notifications.opt_out IS
    'Of whom a number or an address wants no reminders and bulk messages; the caller * is everybody. distribution: place_digest';

CREATE TABLE notifications.opt_out_change (
    place_digest bytea       NOT NULL CHECK (length(place_digest) = 32),
    change_id    uuid        NOT NULL,
    caller       text        NOT NULL CHECK (length(caller) BETWEEN 1 AND 128),
    is_out       boolean     NOT NULL,
    source       text        NOT NULL CHECK (source IN ('text', 'app', 'link', 'operator')),
    at           timestamptz NOT NULL,
    PRIMARY KEY (place_digest, change_id)
);
COMMENT ON TABLE notifications.opt_out_change IS
    'Every change of what a number or an address wants, and how it was said, append-only. distribution: place_digest';

CREATE TABLE appointments.acknowledgement (
    person_id       uuid        NOT NULL,
    booking_id      uuid        NOT NULL,
    version         integer     NOT NULL CHECK (version >= 1),
    acknowledged_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, booking_id, version)
);
COMMENT ON TABLE appointments.acknowledgement IS
    'A person answered a reminder of a booking: they will come. One for each hour that the booking had. distribution: person';
