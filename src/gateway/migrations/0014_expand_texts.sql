-- Texts that departments write: every version of each, and who approved it.
-- Locks: new tables only. Old code: does not know them, and leaves what is owed in one of these texts to new code. Time: instant.
CREATE TABLE notifications.department_text (
    text_id       uuid        NOT NULL PRIMARY KEY,
    department_id uuid        NOT NULL,
    sort          text        NOT NULL CHECK (sort IN ('sms', 'email', 'notice')),
    created_at    timestamptz NOT NULL,
    archived_at   timestamptz
);
CREATE INDEX text_of_department ON notifications.department_text (department_id, text_id);
COMMENT ON TABLE notifications.department_text IS 'Texts that departments write; their words are in versions. distribution: reference';

CREATE TABLE notifications.department_text_version (
    text_id      uuid        NOT NULL REFERENCES notifications.department_text (text_id),
    version      smallint    NOT NULL CHECK (version BETWEEN 1 AND 200),
    revision     integer     NOT NULL CHECK (revision >= 1),
    content      json        NOT NULL,
    -- json and not jsonb: a provider's parameters are given in the order in which they stand.
    provider_ids json        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('draft', 'submitted', 'approved', 'rejected', 'withdrawn')),
    written_at   timestamptz NOT NULL,
    submitted_at timestamptz,
    approved_at  timestamptz,
    ended_at     timestamptz,
    decided_by   text        CHECK (length(decided_by) <= 128),
    reason       text        CHECK (length(reason) <= 400),
    PRIMARY KEY (text_id, version),
    CONSTRAINT seen_before_it_is_decided CHECK (state IN ('draft', 'withdrawn') OR submitted_at IS NOT NULL),
    CONSTRAINT approved_at_an_hour CHECK (approved_at IS NOT NULL OR state <> 'approved'),
    CONSTRAINT never_approved_when_rejected CHECK (approved_at IS NULL OR state IN ('approved', 'withdrawn')),
    CONSTRAINT rejected_for_a_reason CHECK (reason IS NOT NULL OR state <> 'rejected'),
    CONSTRAINT ended_at_an_hour CHECK ((ended_at IS NOT NULL) = (state IN ('rejected', 'withdrawn')))
);
-- Somebody writes or reviews one version of a text at a time.
CREATE UNIQUE INDEX one_open_version_of_a_text ON notifications.department_text_version (text_id)
    WHERE state IN ('draft', 'submitted');
CREATE INDEX text_version_in_state ON notifications.department_text_version (state, text_id, version);
COMMENT ON TABLE notifications.department_text_version IS
    'What a text says, version by version; what was approved once is never written again. distribution: reference';
