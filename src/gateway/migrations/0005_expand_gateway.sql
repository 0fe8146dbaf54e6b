-- The roof: accounts and how people, staff and machines prove themselves; the departments' apps behind the entrance.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE SCHEMA IF NOT EXISTS gateway;

-- Accounts of residents. What is personal is sealed; closing an account deletes its rows.
CREATE TABLE gateway.phone_account (
    phone_digest bytea NOT NULL PRIMARY KEY CHECK (length(phone_digest) = 32),
    account_id   uuid  NOT NULL
);
COMMENT ON TABLE gateway.phone_account IS 'Which account signs in with the phone of this keyed digest. distribution: phone_digest';

CREATE TABLE gateway.account (
    account_id           uuid        NOT NULL PRIMARY KEY,
    phone                bytea       NOT NULL,
    phone_digest         bytea       NOT NULL CHECK (length(phone_digest) = 32),
    language             text        NOT NULL CHECK (language IN ('zh', 'en')),
    person_id            uuid,
    real_name_checked_at timestamptz,
    real_name_serial     text CHECK (length(real_name_serial) <= 128),
    created_at           timestamptz NOT NULL,
    CONSTRAINT a_person_was_checked CHECK ((person_id IS NULL) = (real_name_checked_at IS NULL))
);
COMMENT ON TABLE gateway.account IS 'An account, its sealed phone, and its person once the real name was checked. distribution: account_id';

-- Kept by the database even when the code is wrong: a person has at most one open account.
CREATE TABLE gateway.person_account (
    person_id  uuid NOT NULL PRIMARY KEY,
    account_id uuid NOT NULL
);
COMMENT ON TABLE gateway.person_account IS 'Which account is this person''s. distribution: person';

CREATE TABLE gateway.chat_account (
    openid_digest bytea NOT NULL PRIMARY KEY CHECK (length(openid_digest) = 32),
    account_id    uuid  NOT NULL
);
COMMENT ON TABLE gateway.chat_account IS 'Which account the chat platform''s user of this keyed digest is linked to. distribution: openid_digest';

CREATE TABLE gateway.account_chat (
    account_id    uuid        NOT NULL REFERENCES gateway.account (account_id),
    openid_digest bytea       NOT NULL CHECK (length(openid_digest) = 32),
    openid        bytea       NOT NULL,
    linked_at     timestamptz NOT NULL,
    PRIMARY KEY (account_id, openid_digest)
);
COMMENT ON TABLE gateway.account_chat IS 'The chat platform''s users linked to an account, sealed. distribution: account_id';

-- Signing in.
CREATE TABLE gateway.challenge (
    challenge_id uuid        NOT NULL PRIMARY KEY,
    audience     text        NOT NULL CHECK (audience IN ('resident', 'department', 'operator')),
    phone_digest bytea       NOT NULL CHECK (length(phone_digest) = 32),
    code_digest  bytea       NOT NULL CHECK (length(code_digest) = 32),
    language     text        NOT NULL CHECK (language IN ('zh', 'en')),
    attempts     integer     NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    used_at      timestamptz,
    -- Kept by the database even when the code is wrong: nobody guesses at a six-digit code more often than this.
    CONSTRAINT five_attempts CHECK (attempts BETWEEN 0 AND 5)
);
CREATE INDEX challenge_expiry ON gateway.challenge (expires_at);
COMMENT ON TABLE gateway.challenge IS 'A one-time code that was sent to a phone, as keyed digests. distribution: challenge_id';

CREATE TABLE gateway.session (
    subject_id      uuid        NOT NULL,
    session_id      uuid        NOT NULL,
    audience        text        NOT NULL CHECK (audience IN ('resident', 'mini', 'department', 'operator')),
    device          bytea       NOT NULL,
    family_digest   bytea       NOT NULL CHECK (length(family_digest) = 32),
    refresh_digest  bytea       NOT NULL CHECK (length(refresh_digest) = 32),
    previous_digest bytea       CHECK (length(previous_digest) = 32),
    refreshed_at    timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    ended_at        timestamptz,
    PRIMARY KEY (subject_id, session_id)
);
CREATE INDEX session_expiry ON gateway.session (expires_at);
COMMENT ON TABLE gateway.session IS 'A signed-in device of an account or of a member of staff. distribution: subject_id';

CREATE TABLE gateway.ended_session (
    session_id uuid        NOT NULL PRIMARY KEY,
    until      timestamptz NOT NULL
);
CREATE INDEX ended_session_until ON gateway.ended_session (until);
COMMENT ON TABLE gateway.ended_session IS 'Sessions and machine grants that ended before their last token did. distribution: session_id';

-- Departments, the people who work for the city, machines.
CREATE TABLE gateway.department (
    department_id uuid NOT NULL PRIMARY KEY,
    slug          text NOT NULL UNIQUE CHECK (slug ~ '^[a-z][a-z0-9_]{1,39}$'),
    name_zh       text NOT NULL CHECK (name_zh ~ '^[^[:cntrl:]]{1,80}$'),
    name_en       text NOT NULL
);
COMMENT ON TABLE gateway.department IS 'A department of the city. distribution: reference';

CREATE TABLE gateway.staff (
    staff_id      uuid    NOT NULL PRIMARY KEY,
    phone_digest  bytea   NOT NULL UNIQUE CHECK (length(phone_digest) = 32),
    identity      bytea   NOT NULL,
    role          text    NOT NULL CHECK (role IN ('desk', 'issuer', 'operator')),
    department_id uuid    REFERENCES gateway.department (department_id),
    office_id     uuid,
    disabled_at   timestamptz,
    CONSTRAINT operators_stand_above_departments CHECK ((role = 'operator') = (department_id IS NULL)),
    CONSTRAINT a_desk_is_in_an_office CHECK ((role = 'desk') = (office_id IS NOT NULL))
);
COMMENT ON TABLE gateway.staff IS 'Who works at a desk, issues for a department or operates the city; name and phone sealed. distribution: reference';

CREATE TABLE gateway.client (
    client_id   text        NOT NULL PRIMARY KEY CHECK (length(client_id) BETWEEN 1 AND 64),
    audience    text        NOT NULL CHECK (audience IN ('venue', 'department')),
    subject_id  uuid        NOT NULL,
    venue_id    uuid,
    public_keys text        NOT NULL,
    grant_id    uuid        NOT NULL,
    disabled_at timestamptz,
    CONSTRAINT a_device_is_of_a_venue CHECK ((audience = 'venue') = (venue_id IS NOT NULL))
);
COMMENT ON TABLE gateway.client IS 'A machine that proves itself by its own key: a venue''s device or a department''s system. distribution: reference';

CREATE TABLE gateway.assertion (
    client_id  text        NOT NULL,
    jti_digest bytea       NOT NULL CHECK (length(jti_digest) = 32),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, jti_digest)
);
CREATE INDEX assertion_expiry ON gateway.assertion (expires_at);
COMMENT ON TABLE gateway.assertion IS 'Assertions that machines have used, so that none is used twice. distribution: client_id';

CREATE TABLE gateway.department_app (
    slug          text        NOT NULL PRIMARY KEY CHECK (slug ~ '^[a-z][a-z0-9-]{1,39}$'),
    department_id uuid        NOT NULL REFERENCES gateway.department (department_id),
    manifest      jsonb       NOT NULL,
    state         text        NOT NULL CHECK (state IN ('registered', 'live', 'suspended')),
    version       integer     NOT NULL CHECK (version >= 1),
    registered_at timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);
COMMENT ON TABLE gateway.department_app IS 'A department''s own app behind the entrance, as its manifest told. distribution: reference';
