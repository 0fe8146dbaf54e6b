-- The wallet: what is issued, in which state, to whom it may be shown, who saw which fields.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE SCHEMA IF NOT EXISTS wallet;

CREATE TABLE wallet.issuer (
    issuer_code   text NOT NULL PRIMARY KEY CHECK (issuer_code ~ '^([0-9A-Z]{18}|[0-9]{12}|[0-9]{9}|[0-9]{6})$'),
    department_id uuid NOT NULL,
    name_zh       text NOT NULL,
    name_en       text NOT NULL
);
COMMENT ON TABLE wallet.issuer IS 'Who may issue, by credit code or region code (GB/T 36904). distribution: reference';

CREATE TABLE wallet.kind (
    kind_code   text    NOT NULL PRIMARY KEY CHECK (kind_code ~ '^[0-9A-Z]{18}[0-9]{3}$'),
    name_zh     text    NOT NULL,
    name_en     text    NOT NULL,
    fields      jsonb   NOT NULL CHECK (jsonb_typeof(fields) = 'array'),
    valid_days  integer CHECK (valid_days >= 1),
    face_colour text    NOT NULL,
    layout      text    NOT NULL CHECK (layout IN ('card', 'booklet', 'sheet'))
);
COMMENT ON TABLE wallet.kind IS 'Kinds of certificates and the attributes each carries. distribution: reference';

CREATE TABLE wallet.issuer_kind (
    issuer_code  text NOT NULL REFERENCES wallet.issuer,
    kind_code    text NOT NULL REFERENCES wallet.kind,
    withdrawn_at timestamptz,
    PRIMARY KEY (issuer_code, kind_code)
);
COMMENT ON TABLE wallet.issuer_kind IS 'Which issuer is entitled to which kind. distribution: reference';

CREATE TABLE wallet.scenario_edition (
    scenario_code text     NOT NULL,
    edition       smallint NOT NULL CHECK (edition >= 1),
    purpose_zh    text     NOT NULL,
    purpose_en    text     NOT NULL,
    PRIMARY KEY (scenario_code, edition)
);
COMMENT ON TABLE wallet.scenario_edition IS
    'What people were told a scenario is for; never rewritten, so that the ledger says what was said. distribution: reference';

CREATE TABLE wallet.scenario (
    scenario_code text     NOT NULL PRIMARY KEY CHECK (scenario_code ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$'),
    edition       smallint NOT NULL,
    name_zh       text     NOT NULL,
    name_en       text     NOT NULL,
    FOREIGN KEY (scenario_code, edition) REFERENCES wallet.scenario_edition
);
COMMENT ON TABLE wallet.scenario IS 'For what a venue may look at certificates. distribution: reference';

CREATE TABLE wallet.scenario_field (
    scenario_code text   NOT NULL REFERENCES wallet.scenario,
    kind_code     text   NOT NULL REFERENCES wallet.kind,
    fields        text[] NOT NULL CHECK (cardinality(fields) >= 1),
    PRIMARY KEY (scenario_code, kind_code)
);
COMMENT ON TABLE wallet.scenario_field IS 'Which fields of which kind a scenario may see. distribution: reference';

CREATE TABLE wallet.venue (
    venue_id    uuid NOT NULL PRIMARY KEY,
    sort        text NOT NULL CHECK (sort IN ('hospital', 'school', 'station', 'museum', 'scenic_spot', 'amusement_park')),
    credit_code text NOT NULL,
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    district    text NOT NULL,
    address     text NOT NULL
);
COMMENT ON TABLE wallet.venue IS 'Organisations that verify certificates. distribution: reference';

CREATE TABLE wallet.venue_scenario (
    venue_id      uuid NOT NULL REFERENCES wallet.venue,
    scenario_code text NOT NULL REFERENCES wallet.scenario,
    PRIMARY KEY (venue_id, scenario_code)
);
COMMENT ON TABLE wallet.venue_scenario IS 'Which scenarios an operator granted a venue. distribution: reference';

CREATE TABLE wallet.device (
    device_id    uuid NOT NULL PRIMARY KEY,
    venue_id     uuid NOT NULL REFERENCES wallet.venue,
    name_zh      text NOT NULL,
    name_en      text NOT NULL,
    withdrawn_at timestamptz
);
COMMENT ON TABLE wallet.device IS 'Scanners and counters of a venue. distribution: reference';

-- A certificate's life is a chain of changes, one row each, and the certificate names its last one. The database keeps
-- the state machine by itself: a change continues exactly the state it says it comes from (change_continues), only an
-- allowed step can be written (change_is_allowed), a change that has a successor is not the last one any more
-- (had_successor through change_continues), and a certificate's state is that of its last change (state_is_of_last_change).
-- So a step is one statement over both tables, or it is refused.
CREATE TABLE wallet.certificate_change (
    person_id      uuid        NOT NULL,
    certificate_id uuid        NOT NULL,
    seq            smallint    NOT NULL CHECK (seq >= 1),
    to_state       text        NOT NULL CHECK (to_state IN ('issued', 'suspended', 'revoked', 'superseded')),
    is_last        boolean     NOT NULL,
    from_seq       smallint,
    from_state     text,
    had_successor  boolean     CHECK (NOT had_successor),
    at             timestamptz NOT NULL,
    actor          text        NOT NULL,
    reason         text        NOT NULL,
    PRIMARY KEY (person_id, certificate_id, seq),
    CONSTRAINT change_as_it_stands UNIQUE (person_id, certificate_id, seq, to_state, is_last),
    CONSTRAINT change_is_allowed CHECK (
        CASE WHEN seq = 1
             THEN from_seq IS NULL AND from_state IS NULL AND had_successor IS NULL AND to_state = 'issued'
             ELSE from_seq IS NOT NULL AND from_seq = seq - 1 AND from_state IS NOT NULL AND had_successor IS NOT NULL
                  AND (from_state, to_state) IN (('issued', 'suspended'), ('suspended', 'issued'),
                                                 ('issued', 'revoked'), ('suspended', 'revoked'),
                                                 ('issued', 'superseded'), ('suspended', 'superseded'))
        END),
    CONSTRAINT change_continues FOREIGN KEY (person_id, certificate_id, from_seq, from_state, had_successor)
        REFERENCES wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last)
);
COMMENT ON TABLE wallet.certificate_change IS 'Every step of a certificate''s life, who took it and why. distribution: person';
-- Constraints know what is, not what was: a statement that rewrites a step and its certificate together leaves nothing they
-- could refuse. So nobody may rewrite or delete a step, not even the owner; that it is no longer the last is all that changes.
REVOKE ALL ON wallet.certificate_change FROM CURRENT_USER;
GRANT SELECT, INSERT, UPDATE (is_last), REFERENCES ON wallet.certificate_change TO CURRENT_USER;

CREATE TABLE wallet.certificate (
    person_id      uuid        NOT NULL,
    certificate_id uuid        NOT NULL,
    issuer_code    text        NOT NULL,
    kind_code      text        NOT NULL,
    version        smallint    NOT NULL CHECK (version BETWEEN 1 AND 999),
    state          text        NOT NULL,
    last_change    smallint    NOT NULL,
    is_of_last     boolean     NOT NULL DEFAULT true CHECK (is_of_last),
    valid_from     date        NOT NULL,
    valid_until    date,
    issued_at      timestamptz NOT NULL,
    attributes     bytea       NOT NULL,
    PRIMARY KEY (person_id, certificate_id),
    FOREIGN KEY (issuer_code, kind_code) REFERENCES wallet.issuer_kind,
    CONSTRAINT state_is_of_last_change FOREIGN KEY (person_id, certificate_id, last_change, state, is_of_last)
        REFERENCES wallet.certificate_change (person_id, certificate_id, seq, to_state, is_last),
    CONSTRAINT valid_from_before_until CHECK (valid_until IS NULL OR valid_from <= valid_until)
);
COMMENT ON TABLE wallet.certificate IS
    'One version of a certificate; values and identifier sealed, never updated. distribution: person';

CREATE TABLE wallet.certificate_holder (
    certificate_id uuid NOT NULL PRIMARY KEY,
    issuer_code    text NOT NULL,
    person_id      uuid NOT NULL
);
COMMENT ON TABLE wallet.certificate_holder IS 'Whose certificate this is, for its issuer. distribution: certificate_id';

CREATE TABLE wallet.identifier (
    identifier_digest bytea NOT NULL PRIMARY KEY CHECK (length(identifier_digest) = 32),
    person_id         uuid  NOT NULL,
    certificate_id    uuid  NOT NULL
);
COMMENT ON TABLE wallet.identifier IS
    'Which certificate has the GB/T 36904 identifier with this keyed digest. distribution: identifier_digest';

CREATE TABLE wallet.issuer_reference (
    reference_digest bytea NOT NULL PRIMARY KEY CHECK (length(reference_digest) = 32),
    body_digest      bytea NOT NULL CHECK (length(body_digest) = 32),
    person_id        uuid  NOT NULL,
    certificate_id   uuid  NOT NULL
);
COMMENT ON TABLE wallet.issuer_reference IS
    'What an issuer asked for under its own reference, so that asking again issues nothing new. distribution: reference_digest';

-- No foreign keys here: venue, device and scenario come from the catalogue in memory, and locking their few rows for
-- every scan in the city would make one queue of all of them.
CREATE TABLE wallet.use (
    person_id        uuid        NOT NULL,
    code_hash        bytea       NOT NULL CHECK (length(code_hash) = 32),
    used_at          timestamptz NOT NULL,
    use_id           uuid        NOT NULL,
    device_id        uuid        NOT NULL,
    venue_id         uuid        NOT NULL,
    scenario_code    text        NOT NULL,
    scenario_edition smallint    NOT NULL,
    certificate_id   uuid        NOT NULL,
    kind_code        text        NOT NULL,
    route            text        NOT NULL CHECK (route IN ('code', 'ask')),
    outcome          text        NOT NULL CHECK (outcome IN ('valid', 'revoked', 'suspended', 'superseded', 'not_yet_valid', 'certificate_expired')),
    fields           text[]      NOT NULL,
    -- The single-use guarantee: whatever Redis says, a code is spent once.
    PRIMARY KEY (person_id, code_hash),
    CONSTRAINT only_a_yes_gives_fields CHECK (outcome = 'valid' OR cardinality(fields) = 0)
);
CREATE INDEX use_by_time ON wallet.use (person_id, used_at DESC, code_hash DESC);
COMMENT ON TABLE wallet.use IS 'Who saw which fields of whom, when and for what. distribution: person';

CREATE TABLE wallet.ask (
    ask_id           uuid        NOT NULL PRIMARY KEY,
    code_hash        bytea       NOT NULL CHECK (length(code_hash) = 32),
    venue_id         uuid        NOT NULL,
    device_id        uuid        NOT NULL,
    scenario_code    text        NOT NULL,
    scenario_edition smallint    NOT NULL,
    kind_codes       text[]      NOT NULL CHECK (cardinality(kind_codes) >= 1),
    asked_at         timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    state            text        NOT NULL CHECK (state IN ('waiting', 'answered', 'declined')),
    answered_at      timestamptz,
    person_id        uuid,
    certificate_id   uuid,
    fields           text[],
    CONSTRAINT expires_after_asked CHECK (asked_at < expires_at),
    CONSTRAINT waiting_until_answered CHECK ((state = 'waiting') = (answered_at IS NULL)),
    CONSTRAINT answered_by_somebody CHECK (
        (state = 'answered') = (person_id IS NOT NULL)
        AND (person_id IS NULL) = (certificate_id IS NULL) AND (person_id IS NULL) = (fields IS NULL))
);
COMMENT ON TABLE wallet.ask IS 'A venue''s request that one resident answers by scanning its code. distribution: ask_id';
