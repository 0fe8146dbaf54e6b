-- Signing keys of a purpose are counted, so that of two processes that make the next one at the same moment one does.
-- Locks: kernel.signing_key alone, which holds some dozens of rows. Old code: files keys without a count, which stay
-- uncounted and still count as keys. Time: instant.
ALTER TABLE kernel.signing_key ADD COLUMN generation integer CHECK (generation >= 1);
CREATE UNIQUE INDEX one_key_of_a_generation ON kernel.signing_key (purpose, generation);
