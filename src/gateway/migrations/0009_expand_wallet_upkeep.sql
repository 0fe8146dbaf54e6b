-- What operators and residents could not see: since when another city is not read as it should be, and how often a
-- printed proof was checked; and the way to finished loads by age, so that they are not kept for ever.
-- Locks: wallet.trusted_city and wallet.proof_printed for an instant, wallet.issuing_load while it is indexed. Old code:
-- leaves the columns at their defaults; checks that it records are not counted. Time: instant, but for the index, a
-- second for every million loads.
ALTER TABLE wallet.trusted_city
    ADD COLUMN failure       text,
    ADD COLUMN failing_since timestamptz,
    ADD CONSTRAINT what_fails_has_begun CHECK ((failure IS NULL) = (failing_since IS NULL));

ALTER TABLE wallet.proof_printed
    ADD COLUMN checks     integer NOT NULL DEFAULT 0 CHECK (checks >= 0),
    ADD COLUMN checked_at timestamptz,
    ADD CONSTRAINT what_was_checked_was_checked_once CHECK ((checks = 0) = (checked_at IS NULL));

CREATE INDEX issuing_load_finished ON wallet.issuing_load (touched_at) WHERE state = 'finished';
