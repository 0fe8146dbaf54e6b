-- The floor: people, signing keys, first answers of retried writes, the record of acts.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE SCHEMA IF NOT EXISTS kernel;

CREATE TABLE kernel.person_digest (
    id_digest bytea NOT NULL PRIMARY KEY CHECK (length(id_digest) = 32),
    person_id uuid  NOT NULL
);
COMMENT ON TABLE kernel.person_digest IS 'Whose ID number has this keyed digest. distribution: id_digest';

CREATE TABLE kernel.person (
    person_id  uuid        NOT NULL PRIMARY KEY,
    identity   bytea       NOT NULL,
    created_at timestamptz NOT NULL
);
COMMENT ON TABLE kernel.person IS 'A person and their sealed identity. distribution: person';

CREATE TABLE kernel.signing_key (
    key_id       text        NOT NULL PRIMARY KEY,
    purpose      text        NOT NULL,
    algorithm    text        NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA')),
    public_jwk   text        NOT NULL,
    private_key  bytea       NOT NULL,
    announced_at timestamptz NOT NULL,
    signs_from   timestamptz NOT NULL,
    signs_until  timestamptz NOT NULL,
    trusted_until timestamptz NOT NULL,
    revoked_at   timestamptz,
    CONSTRAINT announced_before_use CHECK (announced_at <= signs_from),
    CONSTRAINT trusted_beyond_use CHECK (signs_from < signs_until AND signs_until <= trusted_until)
);
COMMENT ON TABLE kernel.signing_key IS 'Signing keys, private half sealed. distribution: reference';

CREATE TABLE kernel.idempotency (
    bucket      integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    caller      text        NOT NULL,
    key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 128),
    body_digest bytea       NOT NULL,
    answer      bytea,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (bucket, caller, key)
);
CREATE INDEX idempotency_expiry ON kernel.idempotency (bucket, expires_at);
COMMENT ON TABLE kernel.idempotency IS 'First answers of retried writes, sealed, kept for a day. distribution: bucket';

CREATE TABLE kernel.audit (
    bucket   integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    entry_id uuid        NOT NULL,
    at       timestamptz NOT NULL,
    actor    text        NOT NULL,
    act      text        NOT NULL,
    subject  text        NOT NULL,
    detail   jsonb       NOT NULL,
    PRIMARY KEY (bucket, entry_id)
);
CREATE INDEX audit_by_time ON kernel.audit (at DESC, entry_id DESC);
COMMENT ON TABLE kernel.audit IS 'Who did what to what, append-only. distribution: bucket';

-- Exclusion constraints over people and hours need equality in a GiST index.
CREATE EXTENSION IF NOT EXISTS btree_gist;
