-- References of messages may be as long as programs written for GOV.UK Notify make them, as far as an index takes them
-- (2,704 bytes of an entry, PostgreSQL 16); and what was sent singly is found without passing what batches sent.
-- Locks: notifications.request, for as long as its rows take to check and to read. Old code: writes only references that
-- both rules allow. Time: a second for every five million messages.
ALTER TABLE notifications.request
    DROP CONSTRAINT request_reference_check,
    ADD CONSTRAINT request_reference_check CHECK (octet_length(reference) BETWEEN 1 AND 1000);
CREATE INDEX request_single ON notifications.request (service_id, kind, message_id) WHERE batch_id IS NULL;
