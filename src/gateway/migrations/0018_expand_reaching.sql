-- How people are reached beside the inbox and SMS: an e-mail address they confirmed, an order of channels for each sort of
-- notice, consents that are written down and never changed, and the grants of subscribe messages (订阅消息).
-- Locks: notifications.contact, for an instant; the defaults are constants. Old code: reads and writes what it knows; its
-- sms_… columns go on deciding whether a sort comes by SMS, so that what it writes is obeyed. Time: instant.
ALTER TABLE notifications.contact
    ADD COLUMN email              bytea,
    ADD COLUMN email_confirmed_at timestamptz,
    ADD COLUMN results_by         text[]  NOT NULL DEFAULT '{sms}'
        CONSTRAINT results_by_known CHECK (results_by <@ ARRAY['sms', 'email', 'subscribe']),
    ADD COLUMN reminders_by       text[]  NOT NULL DEFAULT '{sms}'
        CONSTRAINT reminders_by_known CHECK (reminders_by <@ ARRAY['sms', 'email', 'subscribe']),
    ADD COLUMN notices_by         text[]  NOT NULL DEFAULT '{sms}'
        CONSTRAINT notices_by_known CHECK (notices_by <@ ARRAY['sms', 'email', 'subscribe']),
    ADD COLUMN shown_by           text[]  NOT NULL DEFAULT '{}'
        CONSTRAINT shown_by_known CHECK (shown_by <@ ARRAY['sms', 'email', 'subscribe']),
    ADD COLUMN has_quiet_hours    boolean NOT NULL DEFAULT TRUE,
    ADD CONSTRAINT confirmed_if_filed CHECK ((email IS NULL) = (email_confirmed_at IS NULL));

-- One address waits to be confirmed at a time; the code is kept as a keyed digest.
CREATE TABLE notifications.email_challenge (
    person_id    uuid        NOT NULL PRIMARY KEY,
    challenge_id uuid        NOT NULL,
    email        bytea       NOT NULL,
    code_digest  bytea       NOT NULL CHECK (length(code_digest) = 32),
    attempts     integer     NOT NULL CHECK (attempts >= 0),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX email_challenge_expiry ON notifications.email_challenge (expires_at);
COMMENT ON TABLE notifications.email_challenge IS 'An e-mail address that is to be confirmed by a code sent to it, sealed. distribution: person';

CREATE TABLE notifications.consent (
    person_id  uuid        NOT NULL,
    consent_id uuid        NOT NULL,
    sort       text        NOT NULL CHECK (sort IN ('results', 'reminders', 'notices', 'shown')),
    channel    text        NOT NULL CHECK (channel IN ('sms', 'email', 'subscribe')),
    is_given   boolean     NOT NULL,
    wording    integer     CHECK (wording >= 1),
    told_by    text        NOT NULL CHECK (told_by IN ('choice', 'unsubscribe', 'removal', 'closing')),
    at         timestamptz NOT NULL,
    PRIMARY KEY (person_id, consent_id),
    -- To take back needs no words; to give does, and says which ones were read.
    CONSTRAINT given_to_words CHECK (NOT is_given OR wording IS NOT NULL)
);
COMMENT ON TABLE notifications.consent IS 'What a person agreed to and took back, one row for each, append-only. distribution: person';

-- A tap of "allow" in the mini-program: good for one message, or (is_long_term) until it is taken back.
CREATE TABLE notifications.subscribe_grant (
    person_id         uuid        NOT NULL,
    tap_id            uuid        NOT NULL,
    provider_template text        NOT NULL CHECK (length(provider_template) BETWEEN 1 AND 128),
    openid            bytea       NOT NULL,
    is_long_term      boolean     NOT NULL,
    granted_at        timestamptz NOT NULL,
    used_by           uuid,
    used_at           timestamptz,
    voided_at         timestamptz,
    PRIMARY KEY (person_id, tap_id, provider_template),
    CONSTRAINT used_at_an_hour CHECK ((used_by IS NULL) = (used_at IS NULL)),
    CONSTRAINT long_term_is_not_used_up CHECK (NOT is_long_term OR used_by IS NULL)
);
CREATE INDEX subscribe_grant_left ON notifications.subscribe_grant (person_id, provider_template, granted_at)
    WHERE used_by IS NULL AND voided_at IS NULL;
COMMENT ON TABLE notifications.subscribe_grant IS 'Grants of subscribe messages and which message used each, the openid sealed to the row. distribution: person';
CREATE INDEX subscribe_grant_used ON notifications.subscribe_grant (used_at) WHERE used_at IS NOT NULL;
CREATE INDEX subscribe_grant_voided ON notifications.subscribe_grant (voided_at) WHERE voided_at IS NOT NULL;
