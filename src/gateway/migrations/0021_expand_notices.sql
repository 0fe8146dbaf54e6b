-- What departments tell people of their cases, told once and whole; and two beats of the wallet: certificates that are
-- about to end, and certificates that were shown.
-- Locks: wallet.certificate and wallet.use while they are indexed; the second index is a summary of blocks and costs who
-- writes next to nothing. Old code: does not know the tables. Time: a minute for every thirty million certificates or uses.
CREATE TABLE notifications.told_case (
    case_digest   bytea       NOT NULL PRIMARY KEY CHECK (length(case_digest) = 32),
    holder_digest bytea       NOT NULL CHECK (length(holder_digest) = 32),
    told_at       timestamptz NOT NULL
);
CREATE INDEX told_case_by_time ON notifications.told_case (told_at);
COMMENT ON TABLE notifications.told_case IS
    'Cases that departments told people of: department and reference as a keyed digest, and whose case it is. distribution: case_digest';

CREATE TABLE notifications.case_notice (
    case_digest    bytea       NOT NULL REFERENCES notifications.told_case (case_digest),
    kind           text        NOT NULL CHECK (kind IN
        ('supplement', 'approval', 'progress', 'inspection_overdue', 'violation')),
    number         smallint    NOT NULL CHECK (number BETWEEN 1 AND 50),
    revision       integer     NOT NULL CHECK (revision >= 1),
    content_digest bytea       NOT NULL CHECK (length(content_digest) = 32),
    message_id     uuid        NOT NULL,
    sealed_content bytea       NOT NULL,
    told_number    smallint    CHECK (told_number < number),
    is_current     boolean     NOT NULL,
    told_at        timestamptz NOT NULL,
    PRIMARY KEY (case_digest, kind, number),
    -- Nothing is said twice.
    CONSTRAINT said_once UNIQUE (case_digest, kind, content_digest)
);
-- One notice of each kind stands.
CREATE UNIQUE INDEX one_current_notice_of_a_kind ON notifications.case_notice (case_digest, kind) WHERE is_current;
CREATE INDEX case_notice_remembered ON notifications.case_notice (message_id) WHERE sealed_content <> '\x';
COMMENT ON TABLE notifications.case_notice IS
    'What was told of a case, sealed; told_number is what the person had been told when it was written. distribution: case_digest';

CREATE INDEX certificate_by_end ON wallet.certificate (valid_until, person_id, certificate_id)
    WHERE state = 'issued' AND valid_until IS NOT NULL;

-- One row for each last day of certificates and each distance at which people are told of it.
CREATE TABLE wallet.expiry_round (
    valid_until    date     NOT NULL,
    days           smallint NOT NULL CHECK (days BETWEEN 1 AND 365),
    person_id      uuid     NOT NULL,
    certificate_id uuid     NOT NULL,
    is_done        boolean  NOT NULL,
    PRIMARY KEY (valid_until, days)
);
COMMENT ON TABLE wallet.expiry_round IS
    'Up to which certificate the holders of those that end on a day have been told. distribution: local';

CREATE INDEX use_by_recording ON wallet.use USING brin (recorded_at) WITH (autosummarize = on);

CREATE TABLE wallet.shown_round (
    round        smallint    NOT NULL PRIMARY KEY CHECK (round = 1),
    window_start timestamptz NOT NULL,
    person_id    uuid        NOT NULL,
    venue_id     uuid        NOT NULL
);
COMMENT ON TABLE wallet.shown_round IS
    'Up to which minute, and within it up to which person and venue, people have been told of what was shown. distribution: local';
