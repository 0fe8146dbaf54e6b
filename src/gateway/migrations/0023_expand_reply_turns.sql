-- A text that says "no more" means whoever sent a reminder or something to many last, so that is noted beside what may be
-- answered; and a text whose handling failed waits for a while, so that it holds up nobody else.
-- Locks: notifications.last_told and notifications.received_text, for an instant; the default is a constant. Old code: goes
-- on noting what may be answered, and tries what failed as often as it likes. Time: instant.
ALTER TABLE notifications.last_told
    ADD COLUMN optional_at timestamptz;
ALTER TABLE notifications.received_text
    ADD COLUMN failures        smallint    NOT NULL DEFAULT 0 CHECK (failures >= 0),
    ADD COLUMN put_aside_until timestamptz;
