-- Every life of a certificate: loads and registers, mandates, status lists, printed proofs, scans made without network,
-- venues that apply, cities that are trusted, and the ledger that nobody can quietly change.
-- Locks: new tables; new columns with constant defaults on the wallet's tables and on kernel.person, for an instant. Old
-- code: leaves them at their defaults. Time: instant, but for the check of the existing uses, a second for every ten million.

-- The catalogue.
ALTER TABLE wallet.kind
    ADD COLUMN organ_zh     text    NOT NULL DEFAULT '',
    ADD COLUMN organ_en     text    NOT NULL DEFAULT '',
    ADD COLUMN face         text[]  NOT NULL DEFAULT '{}',
    ADD COLUMN predicates   jsonb   NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(predicates) = 'array'),
    ADD COLUMN is_offline   boolean NOT NULL DEFAULT true,
    ADD COLUMN is_printable boolean NOT NULL DEFAULT false,
    ADD COLUMN proves_guardianship boolean NOT NULL DEFAULT false;
ALTER TABLE wallet.issuer
    ADD COLUMN sort             text NOT NULL DEFAULT 'department'
        CHECK (sort IN ('department', 'association', 'assessor', 'school')),
    ADD COLUMN accredited_until date;

-- Venues: what each may do under a scenario, and those who apply.
ALTER TABLE wallet.venue_scenario
    ADD COLUMN grants        jsonb CHECK (jsonb_typeof(grants) = 'object'),
    ADD COLUMN days          smallint NOT NULL DEFAULT 127 CHECK (days BETWEEN 1 AND 127),
    ADD COLUMN opens_minute  smallint CHECK (opens_minute BETWEEN 0 AND 1439),
    ADD COLUMN closes_minute smallint CHECK (closes_minute BETWEEN 1 AND 1440),
    ADD COLUMN quota_per_day integer CHECK (quota_per_day >= 1),
    ADD COLUMN granted_until date,
    ADD CONSTRAINT hours_have_two_ends CHECK ((opens_minute IS NULL) = (closes_minute IS NULL));

CREATE TABLE wallet.venue_quota (
    venue_id      uuid    NOT NULL,
    scenario_code text    NOT NULL,
    day           date    NOT NULL,
    taken         integer NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (venue_id, scenario_code, day)
);
COMMENT ON TABLE wallet.venue_quota IS
    'How many looks a venue with a quota has taken on a day. distribution: venue_id';

CREATE TABLE wallet.venue_application (
    application_id uuid        NOT NULL PRIMARY KEY,
    secret_digest  bytea       NOT NULL CHECK (length(secret_digest) = 32),
    body_digest    bytea       NOT NULL CHECK (length(body_digest) = 32),
    organisation   jsonb       NOT NULL,
    contact        bytea       NOT NULL,
    wanted         jsonb       NOT NULL,
    device         jsonb       NOT NULL,
    state          text        NOT NULL CHECK (state IN ('filed', 'approved', 'rejected', 'withdrawn')),
    filed_at       timestamptz NOT NULL,
    decided_at     timestamptz,
    decided_by     text,
    reason         text,
    venue_id       uuid,
    device_id      uuid,
    CONSTRAINT decided_when_not_filed CHECK ((state = 'filed') = (decided_at IS NULL)),
    CONSTRAINT approved_is_a_venue CHECK ((state = 'approved') = (venue_id IS NOT NULL AND device_id IS NOT NULL))
);
CREATE INDEX venue_application_by_state ON wallet.venue_application (state, filed_at);
COMMENT ON TABLE wallet.venue_application IS
    'Organisations that ask to verify; the contact sealed. distribution: application_id';

CREATE TABLE wallet.finding (
    venue_id      uuid        NOT NULL,
    finding_id    uuid        NOT NULL,
    sort          text        NOT NULL CHECK (sort IN ('double_use', 'late_revocation', 'late_suspension', 'mandate_ended')),
    device_id     uuid        NOT NULL,
    use_id        uuid        NOT NULL,
    scenario_code text        NOT NULL,
    scanned_at    timestamptz NOT NULL,
    found_at      timestamptz NOT NULL,
    PRIMARY KEY (venue_id, finding_id)
);
COMMENT ON TABLE wallet.finding IS
    'What was found out later about a scan made without network. distribution: venue_id';

-- Other cities.
CREATE TABLE wallet.trusted_city (
    region_code   text        NOT NULL PRIMARY KEY CHECK (region_code ~ '^[0-9]{6}$'),
    issuer        text        NOT NULL UNIQUE CHECK (length(issuer) BETWEEN 1 AND 200),
    name_zh       text        NOT NULL,
    name_en       text        NOT NULL,
    -- The keys that an operator was told; and those that the last list it accepted names for the next.
    roots         jsonb       NOT NULL CHECK (jsonb_typeof(roots) = 'array'),
    learned_roots jsonb       CHECK (jsonb_typeof(learned_roots) = 'array'),
    kinds         jsonb       NOT NULL CHECK (jsonb_typeof(kinds) = 'object'),
    list_url      text,
    trust_list    text,
    seq           bigint      CHECK (seq >= 0),
    read_at       timestamptz,
    pulled_at     timestamptz,
    withdrawn_at  timestamptz,
    CONSTRAINT a_list_has_a_number CHECK (
        (trust_list IS NULL) = (seq IS NULL) AND (trust_list IS NULL) = (learned_roots IS NULL)
        AND (trust_list IS NULL) = (read_at IS NULL))
);
COMMENT ON TABLE wallet.trusted_city IS
    'Cities whose certificates are recognised here (互认), and their trust lists as they were signed. distribution: reference';

CREATE TABLE wallet.trusted_status (
    region_code text        NOT NULL REFERENCES wallet.trusted_city,
    uri         text        NOT NULL CHECK (length(uri) BETWEEN 1 AND 400),
    token       text        NOT NULL,
    issued_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (region_code, uri)
);
COMMENT ON TABLE wallet.trusted_status IS 'Status lists of trusted cities, as they were signed. distribution: reference';

CREATE TABLE wallet.foreign_use (
    code_hash  bytea       NOT NULL PRIMARY KEY CHECK (length(code_hash) = 32),
    device_id  uuid        NOT NULL,
    use_id     uuid        NOT NULL,
    used_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX foreign_use_by_end ON wallet.foreign_use (expires_at);
COMMENT ON TABLE wallet.foreign_use IS
    'Codes of other cities that were accepted here, kept until nobody accepts them any more. distribution: code_hash';

CREATE TABLE wallet.trust_publication (
    publication_id smallint    NOT NULL PRIMARY KEY CHECK (publication_id = 1),
    seq            bigint      NOT NULL CHECK (seq >= 1),
    content        bytea       NOT NULL CHECK (length(content) = 32),
    key_id         text        NOT NULL,
    issued_at      timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    token          text        NOT NULL
);
COMMENT ON TABLE wallet.trust_publication IS
    'The trust list as it is published, and the digest of what it says. distribution: local';

-- Status lists.
CREATE TABLE wallet.status_list (
    list_id   integer     NOT NULL PRIMARY KEY CHECK (list_id >= 0),
    taken     integer     NOT NULL CHECK (taken BETWEEN 0 AND 1048576),
    seed      bytea       NOT NULL,
    opened_at timestamptz NOT NULL
);
COMMENT ON TABLE wallet.status_list IS
    'How many indexes of a status list are taken, and the sealed seed of their order. distribution: list_id';

CREATE TABLE wallet.status_entry (
    list_id        integer  NOT NULL,
    idx            integer  NOT NULL CHECK (idx BETWEEN 0 AND 1048575),
    certificate_id uuid     NOT NULL,
    value          smallint NOT NULL CHECK (value BETWEEN 0 AND 2),
    PRIMARY KEY (list_id, idx)
);
CREATE INDEX status_entry_not_valid ON wallet.status_entry (list_id, idx) WHERE value <> 0;
COMMENT ON TABLE wallet.status_entry IS
    'Whose index it is and what stands there: 0 valid, 1 invalid, 2 suspended. distribution: list_id';

CREATE TABLE wallet.status_change (
    list_id   integer NOT NULL,
    change_id uuid    NOT NULL,
    PRIMARY KEY (list_id, change_id)
);
COMMENT ON TABLE wallet.status_change IS 'Changes that no published list shows yet. distribution: list_id';

CREATE TABLE wallet.status_publication (
    list_id    integer     NOT NULL PRIMARY KEY,
    edition    bigint      NOT NULL CHECK (edition >= 1),
    built_at   timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    key_id     text        NOT NULL,
    jwt        text        NOT NULL,
    cwt        bytea       NOT NULL
);
COMMENT ON TABLE wallet.status_publication IS 'The status list as it is published, in both forms. distribution: list_id';

ALTER TABLE wallet.certificate
    ADD COLUMN status_list  integer,
    ADD COLUMN status_index integer,
    ADD CONSTRAINT a_place_has_two_parts CHECK ((status_list IS NULL) = (status_index IS NULL));

-- Loads of many certificates, and registers that keep us up to date.
CREATE TABLE wallet.issuing_load (
    load_id       uuid        NOT NULL PRIMARY KEY,
    department_id uuid        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('open', 'finished')),
    opened_at     timestamptz NOT NULL,
    touched_at    timestamptz NOT NULL,
    lines_read    bigint      NOT NULL CHECK (lines_read >= 0),
    issued        bigint      NOT NULL CHECK (issued >= 0),
    known         bigint      NOT NULL CHECK (known >= 0),
    refused       bigint      NOT NULL CHECK (refused >= 0),
    CONSTRAINT every_line_is_counted CHECK (lines_read = issued + known + refused)
);
COMMENT ON TABLE wallet.issuing_load IS 'How far a load of certificates has come. distribution: load_id';

CREATE TABLE wallet.issuing_refusal (
    load_id   uuid   NOT NULL,
    line      bigint NOT NULL CHECK (line >= 1),
    reference bytea,
    code      text   NOT NULL,
    detail    text   NOT NULL,
    field     text,
    PRIMARY KEY (load_id, line)
);
COMMENT ON TABLE wallet.issuing_refusal IS
    'Lines of a load that were refused, and why; the issuer''s reference sealed. distribution: load_id';

CREATE TABLE wallet.register_entry (
    entry_digest   bytea       NOT NULL PRIMARY KEY CHECK (length(entry_digest) = 32),
    body_digest    bytea       NOT NULL CHECK (length(body_digest) = 32),
    issuer_code    text        NOT NULL,
    person_id      uuid,
    certificate_id uuid,
    revision       bigint      NOT NULL CHECK (revision >= 0),
    changed_at     timestamptz NOT NULL,
    CONSTRAINT a_certificate_has_a_person CHECK ((certificate_id IS NULL) = (person_id IS NULL))
);
COMMENT ON TABLE wallet.register_entry IS
    'Which certificate stands for an entry of an issuer''s own register now, if any. distribution: entry_digest';

-- People whom only somebody else told of: their number is known, and not yet what they are called.
ALTER TABLE kernel.person ADD COLUMN is_named boolean NOT NULL DEFAULT true;

-- Mandates (授权): who may show whose certificates.
CREATE TABLE wallet.mandate (
    person_id       uuid        NOT NULL,
    mandate_id      uuid        NOT NULL,
    agent_person_id uuid        NOT NULL,
    -- The name by which the agent was told of, sealed: nobody of another name acts on it, and the holder sees no other.
    agent_name      bytea       NOT NULL,
    basis           text        NOT NULL CHECK (basis IN ('granted', 'guardian')),
    kind_codes      text[]      CHECK (cardinality(kind_codes) >= 1),
    scenario_codes  text[]      CHECK (cardinality(scenario_codes) >= 1),
    starts_at       timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    made_at         timestamptz NOT NULL,
    made_by         text        NOT NULL,
    revoked_at      timestamptz,
    revoked_by      text,
    PRIMARY KEY (person_id, mandate_id),
    CONSTRAINT nobody_is_their_own_agent CHECK (person_id <> agent_person_id),
    CONSTRAINT a_mandate_ends CHECK (starts_at < expires_at),
    CONSTRAINT revoked_by_somebody CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
COMMENT ON TABLE wallet.mandate IS 'Who may show this person''s certificates, which and until when. distribution: person';

CREATE TABLE wallet.mandate_held (
    person_id        uuid        NOT NULL,
    mandate_id       uuid        NOT NULL,
    holder_person_id uuid        NOT NULL,
    made_at          timestamptz NOT NULL,
    PRIMARY KEY (person_id, mandate_id)
);
COMMENT ON TABLE wallet.mandate_held IS 'Which mandates this person holds for others. distribution: person';

CREATE TABLE wallet.mandate_reference (
    reference_digest bytea NOT NULL PRIMARY KEY CHECK (length(reference_digest) = 32),
    body_digest      bytea NOT NULL CHECK (length(body_digest) = 32),
    person_id        uuid  NOT NULL,
    mandate_id       uuid  NOT NULL
);
COMMENT ON TABLE wallet.mandate_reference IS
    'Guardianships that a department told us under its own reference. distribution: reference_digest';

-- Printed proofs (可打印证明).
CREATE TABLE wallet.proof (
    proof_hash     bytea       NOT NULL PRIMARY KEY CHECK (length(proof_hash) = 32),
    person_id      uuid        NOT NULL,
    certificate_id uuid        NOT NULL,
    printed_at     timestamptz NOT NULL
);
COMMENT ON TABLE wallet.proof IS 'Which certificate a printed proof stands for, by its code. distribution: proof_hash';

CREATE TABLE wallet.proof_printed (
    person_id      uuid        NOT NULL,
    proof_hash     bytea       NOT NULL CHECK (length(proof_hash) = 32),
    certificate_id uuid        NOT NULL,
    printed_at     timestamptz NOT NULL,
    PRIMARY KEY (person_id, proof_hash)
);
COMMENT ON TABLE wallet.proof_printed IS 'Which proofs this person has printed, and of what. distribution: person';

-- The ledger of uses: who acted for whom, what was found later, and the salt under which the record is committed to the log.
ALTER TABLE wallet.use
    ADD COLUMN mandate_id      uuid,
    ADD COLUMN agent_person_id uuid,
    ADD COLUMN flags           text[] NOT NULL DEFAULT '{}',
    ADD COLUMN recorded_at     timestamptz,
    ADD COLUMN salt            bytea CHECK (length(salt) = 32),
    ADD CONSTRAINT use_route_known CHECK (route IN ('code', 'ask', 'offline', 'paper')),
    ADD CONSTRAINT use_outcome_known CHECK (outcome IN (
        'valid', 'revoked', 'suspended', 'superseded', 'not_yet_valid', 'certificate_expired', 'mandate_ended')),
    ADD CONSTRAINT an_agent_has_a_mandate CHECK ((mandate_id IS NULL) = (agent_person_id IS NULL));
CREATE INDEX use_by_agent ON wallet.use (person_id, agent_person_id, used_at DESC, code_hash DESC)
    WHERE agent_person_id IS NOT NULL;

CREATE INDEX use_by_venue ON wallet.use (venue_id, used_at);
CREATE INDEX use_before_the_log ON wallet.use (person_id, code_hash) WHERE salt IS NULL;

CREATE TABLE wallet.ledger_pending (
    bucket     integer NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    entry_id   uuid    NOT NULL,
    commitment bytea   NOT NULL CHECK (length(commitment) = 32),
    PRIMARY KEY (bucket, entry_id)
);
COMMENT ON TABLE wallet.ledger_pending IS 'Records that the log does not hold yet. distribution: bucket';

CREATE TABLE wallet.ledger_head (
    head_id  smallint NOT NULL PRIMARY KEY CHECK (head_id = 1),
    size     bigint   NOT NULL CHECK (size >= 0),
    frontier bytea    NOT NULL
);
COMMENT ON TABLE wallet.ledger_head IS 'The right edge of the log; whoever appends holds its row. distribution: local';

CREATE TABLE wallet.ledger_leaf (
    log_index  bigint NOT NULL PRIMARY KEY CHECK (log_index >= 0),
    commitment bytea  NOT NULL CHECK (length(commitment) = 32)
);
COMMENT ON TABLE wallet.ledger_leaf IS 'The log: a salted commitment to each record, in order. distribution: log_index';

CREATE TABLE wallet.ledger_position (
    commitment bytea  NOT NULL PRIMARY KEY CHECK (length(commitment) = 32),
    log_index  bigint NOT NULL
);
COMMENT ON TABLE wallet.ledger_position IS 'Where in the log a commitment stands. distribution: commitment';

CREATE TABLE wallet.ledger_tile (
    level  smallint NOT NULL CHECK (level >= 0),
    tile   bigint   NOT NULL CHECK (tile >= 0),
    hashes bytea    NOT NULL CHECK (length(hashes) BETWEEN 32 AND 8192 AND length(hashes) % 32 = 0),
    PRIMARY KEY (level, tile)
);
ALTER TABLE wallet.ledger_tile ALTER hashes SET STORAGE EXTERNAL; -- hashes do not shrink
COMMENT ON TABLE wallet.ledger_tile IS 'Hashes of whole subtrees of the log, 256 to a tile. distribution: local';

CREATE TABLE wallet.ledger_checkpoint (
    size      bigint      NOT NULL PRIMARY KEY CHECK (size >= 0),
    root      bytea       NOT NULL CHECK (length(root) = 32),
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL
);
COMMENT ON TABLE wallet.ledger_checkpoint IS 'Signed sizes and roots of the log (C2SP tlog-checkpoint). distribution: local';

CREATE TABLE wallet.ledger_erasure (
    commitment bytea       NOT NULL PRIMARY KEY CHECK (length(commitment) = 32),
    tombstone  bytea       NOT NULL CHECK (length(tombstone) = 32),
    salt       bytea       NOT NULL CHECK (length(salt) = 32),
    reason     text        NOT NULL,
    erased_at  timestamptz NOT NULL
);
COMMENT ON TABLE wallet.ledger_erasure IS
    'Records whose bodies were erased, and the leaf of the log that says so. distribution: commitment';
