-- A batch is paused, cancelled and finished with those of its deliveries too that wait for another try, so they say whose
-- they are; a paused one says why, where its sender did not pause it; and of what a department has under way there is so
-- much at most.
-- Locks: notifications.delivery and notifications.batch while they are indexed; the first index is of waiting deliveries of
-- batches alone, of which there are none yet. Old code: writes deliveries that do not say whose they are, which end by
-- themselves. Time: a second for every ten million deliveries.
ALTER TABLE notifications.delivery
    ADD COLUMN batch_id uuid;
CREATE INDEX delivery_waiting_of_batch ON notifications.delivery (batch_id, bucket)
    WHERE stage = 'waiting' AND batch_id IS NOT NULL;
COMMENT ON COLUMN notifications.delivery.batch_id IS 'The batch that its message is of.';

ALTER TABLE notifications.batch
    ADD COLUMN paused_for text CHECK (paused_for IN ('text', 'operator'));
COMMENT ON COLUMN notifications.batch.paused_for IS
    'Why it is paused, where not by its sender: its text is not approved any more, or an operator paused it.';
COMMENT ON COLUMN notifications.batch.received IS
    'Rows that came. spans count blank lines too, which are neither taken nor refused.';
CREATE INDEX batch_unended ON notifications.batch (department_id) WHERE state IN ('open', 'started', 'paused');
CREATE INDEX batch_newest ON notifications.batch (opened_at DESC, batch_id DESC);
