-- What is said of callbacks that a department removed is true again: they are deleted a day later.
-- Locks: notifications.callback_endpoint, for an instant. Old code: goes on. Time: instant.
COMMENT ON TABLE notifications.callback_endpoint IS
    'Where departments are called back; address and secrets sealed. Removed ones are deleted a day later. distribution: reference';
