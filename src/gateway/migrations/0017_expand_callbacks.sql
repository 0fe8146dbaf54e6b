-- Departments are called back: at which addresses, signed by which secrets, and what each is to be told, until it is heard.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE TABLE notifications.callback_endpoint (
    endpoint_id   uuid        NOT NULL PRIMARY KEY,
    service_id    uuid        NOT NULL,
    number        integer     NOT NULL CHECK (number BETWEEN 1 AND 5),
    events        text[]      NOT NULL CHECK (cardinality(events) > 0 AND events <@ ARRAY[
        'message.delivered', 'message.failed', 'message.unknown', 'text.received', 'batch.finished']),
    sealed_target bytea       NOT NULL,
    made_at       timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    failing_since timestamptz,
    disabled_at   timestamptz,
    disabled_for  text        CHECK (disabled_for IN ('failing', 'gone', 'operator')),
    removed_at    timestamptz,
    CONSTRAINT disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_for IS NULL))
);
-- Each endpoint of a department has a number of its own, and numbers end.
CREATE UNIQUE INDEX five_endpoints_of_a_department ON notifications.callback_endpoint (service_id, number)
    WHERE removed_at IS NULL;
COMMENT ON TABLE notifications.callback_endpoint IS
    'Where departments are called back; address and secrets sealed. Never deleted, so that no id is used twice. distribution: reference';

CREATE TABLE notifications.callback_event (
    endpoint_id uuid        NOT NULL,
    event_id    uuid        NOT NULL,
    type        text        NOT NULL CHECK (length(type) <= 40),
    sealed_body bytea       NOT NULL,
    made_at     timestamptz NOT NULL,
    stage       text        NOT NULL CHECK (stage IN ('waiting', 'sending', 'told', 'dead')),
    tries       integer     NOT NULL CHECK (tries >= 0),
    fence       integer     NOT NULL CHECK (fence >= 0),
    next_at     timestamptz,
    give_up_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    reason      text        CHECK (length(reason) <= 200),
    -- One thing that happened is one event, however often we hear of it.
    PRIMARY KEY (endpoint_id, event_id),
    CONSTRAINT open_event_is_looked_at CHECK ((stage IN ('waiting', 'sending')) = (next_at IS NOT NULL)),
    CONSTRAINT event_ended_when_not_open CHECK ((stage IN ('told', 'dead')) = (ended_at IS NOT NULL))
);
CREATE INDEX callback_event_open ON notifications.callback_event (endpoint_id, next_at) WHERE next_at IS NOT NULL;
CREATE INDEX callback_event_given_up ON notifications.callback_event (endpoint_id, give_up_at) WHERE next_at IS NOT NULL;
CREATE INDEX callback_event_newest ON notifications.callback_event (endpoint_id, made_at DESC, event_id DESC);
CREATE INDEX callback_event_dead ON notifications.callback_event (endpoint_id, made_at) WHERE stage = 'dead';
COMMENT ON TABLE notifications.callback_event IS
    'What an endpoint is told, sealed; next_at: waiting, when to try; sending, when the lease ends. distribution: endpoint_id';
