-- What was taken back while an attempt at it was in the air is remembered, so that nothing tries it again; and of what was
-- said to a number a moment ago it is known in which message, so that one which reached nobody does not silence the next.
-- Locks: notifications.message and notifications.said, for an instant each. Old code: does not know the columns, and leaves
-- them empty, which means what it means. Time: instant.
ALTER TABLE notifications.message
    ADD COLUMN withdrawn_at timestamptz;
COMMENT ON COLUMN notifications.message.withdrawn_at IS
    'When it was taken back, of one that had become deliveries: no further try is made at any of them.';
ALTER TABLE notifications.said
    ADD COLUMN message_id uuid;
COMMENT ON COLUMN notifications.said.message_id IS 'The message it was said in.';
