-- One text to very many: batches and their rows, kept sealed until they are fed to the lanes; what became of messages,
-- counted; and what is forgotten when its time is over.
-- Locks: notifications.message and notifications.delivery while they are indexed. Old code: does not know the tables, and
-- writes rows whose new columns are null. Time: a second for every million messages.

CREATE TABLE notifications.batch (
    batch_id      uuid        NOT NULL PRIMARY KEY,
    department_id uuid        NOT NULL,
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    text_id       uuid        NOT NULL,
    version       smallint    NOT NULL CHECK (version >= 1),
    lane          smallint    NOT NULL CHECK (lane BETWEEN 0 AND 4),
    kind          text        NOT NULL CHECK (kind IN ('live', 'team', 'test')),
    language      text        NOT NULL CHECK (language IN ('zh', 'en')),
    rows          bigint      CHECK (rows >= 1),
    send_at       timestamptz,
    state         text        NOT NULL CHECK (state IN ('open', 'started', 'paused', 'cancelled', 'finished')),
    is_settled    boolean     NOT NULL,
    opened_at     timestamptz NOT NULL,
    touched_at    timestamptz NOT NULL,
    starts_at     timestamptz,
    resumed_at    timestamptz,
    ended_at      timestamptz,
    spans         bigint[]    NOT NULL CHECK (cardinality(spans) % 2 = 0),
    received      bigint      NOT NULL CHECK (received >= 0),
    refused       bigint      NOT NULL CHECK (refused BETWEEN 0 AND received),
    fed           bigint      NOT NULL CHECK (fed >= 0),
    fed_before    bigint      NOT NULL CHECK (fed_before >= 0),
    withdrawn     bigint      NOT NULL CHECK (withdrawn >= 0),
    -- What is fed was taken: nothing leaves twice, and nothing that nobody sent.
    CONSTRAINT fed_was_taken CHECK (fed <= received - refused),
    CONSTRAINT finished_when_fed CHECK (state <> 'finished' OR fed = received - refused),
    CONSTRAINT started_at_an_hour CHECK ((starts_at IS NULL) OR state <> 'open'),
    CONSTRAINT ended_at_an_hour CHECK ((ended_at IS NOT NULL) = (state IN ('cancelled', 'finished')))
);
CREATE INDEX batch_of_department ON notifications.batch (department_id, opened_at DESC, batch_id DESC);
CREATE INDEX batch_started ON notifications.batch (starts_at) WHERE state = 'started';
CREATE INDEX batch_unsettled ON notifications.batch (touched_at) WHERE NOT is_settled;
CREATE INDEX batch_left ON notifications.batch (touched_at) WHERE state IN ('open', 'paused');
COMMENT ON TABLE notifications.batch IS
    'One text to many: what a department said of it, which rows have come (spans: first, last, first, last …), how many were fed. is_settled: its state is carried out in every bucket. distribution: batch_id';

CREATE TABLE notifications.batch_refusal (
    batch_id  uuid   NOT NULL,
    number    bigint NOT NULL CHECK (number >= 1),
    code      text   NOT NULL,
    detail    text   NOT NULL CHECK (length(detail) <= 200),
    field     text   CHECK (length(field) <= 60),
    reference text   CHECK (length(reference) <= 200),
    PRIMARY KEY (batch_id, number)
);
COMMENT ON TABLE notifications.batch_refusal IS
    'Rows of a batch that were refused, and why. distribution: batch_id';

CREATE TABLE notifications.batch_tally (
    batch_id  uuid   NOT NULL PRIMARY KEY,
    delivered bigint NOT NULL,
    failed    bigint NOT NULL,
    unknown   bigint NOT NULL,
    withdrawn bigint NOT NULL
);
COMMENT ON TABLE notifications.batch_tally IS
    'What became of the messages of a batch, as counted up to now; of those alone whom its sender named by number or address. distribution: batch_id';

CREATE TABLE notifications.batch_row (
    bucket        integer NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    batch_id      uuid    NOT NULL,
    number        bigint  NOT NULL CHECK (number >= 1),
    message_id    uuid    NOT NULL,
    person_id     uuid,
    address       bytea,
    sealed_values bytea   NOT NULL,
    reference     text    CHECK (length(reference) BETWEEN 1 AND 200),
    ending        text    CHECK (ending IN ('delivered', 'expired', 'undeliverable')),
    PRIMARY KEY (bucket, batch_id, number),
    -- It will be the id of its message, which is found by it alone.
    CONSTRAINT bucket_in_id CHECK (get_byte(uuid_send(message_id), 15) & 63 = bucket),
    CONSTRAINT to_one_recipient CHECK (person_id IS NULL OR address IS NULL)
);
COMMENT ON TABLE notifications.batch_row IS
    'A row of a batch until it is fed, sealed to its message; the bucket is of batch and number. distribution: bucket';

ALTER TABLE notifications.message
    ADD COLUMN batch_id     uuid,
    ADD COLUMN forgotten_at timestamptz;
CREATE INDEX message_owed_of_batch ON notifications.message (batch_id, bucket) WHERE stage = 'owed' AND batch_id IS NOT NULL;

-- ---------------------------------------------------------------------------------------------------- what is counted
ALTER TABLE notifications.delivery ADD COLUMN counted text CHECK (length(counted) <= 20);
CREATE INDEX delivery_uncounted ON notifications.delivery (bucket)
    WHERE ended_at IS NOT NULL AND counted IS DISTINCT FROM stage;

CREATE TABLE notifications.taken_tally (
    caller    text        NOT NULL CHECK (length(caller) BETWEEN 1 AND 128),
    tally_id  uuid        NOT NULL,
    taken_at  timestamptz NOT NULL,
    day       date        NOT NULL,
    template  text        NOT NULL,
    version   smallint    NOT NULL,
    channel   text        NOT NULL CHECK (length(channel) <= 20),
    is_direct boolean     NOT NULL,
    count     integer     NOT NULL CHECK (count >= 1),
    PRIMARY KEY (caller, tally_id)
);
CREATE INDEX taken_tally_oldest ON notifications.taken_tally (taken_at);
COMMENT ON TABLE notifications.taken_tally IS
    'Messages taken together, until they are added to those of their day: written where no row may be hot. distribution: caller';

CREATE TABLE notifications.sent_count (
    caller    text     NOT NULL CHECK (length(caller) BETWEEN 1 AND 128),
    day       date     NOT NULL,
    template  text     NOT NULL,
    version   smallint NOT NULL,
    channel   text     NOT NULL CHECK (length(channel) <= 20),
    is_direct boolean  NOT NULL,
    accepted  bigint   NOT NULL,
    delivered bigint   NOT NULL,
    failed    bigint   NOT NULL,
    unknown   bigint   NOT NULL,
    withdrawn bigint   NOT NULL,
    segments  bigint   NOT NULL,
    PRIMARY KEY (caller, day, template, version, channel, is_direct)
);
CREATE INDEX sent_count_of_days ON notifications.sent_count (day);
COMMENT ON TABLE notifications.sent_count IS
    'How many messages of a day were taken, and what became of them, by who sent them, text and channel. is_direct: the sender named a number or an address, and may be told. distribution: caller';

-- -------------------------------------------------------------------------------------------------- what is forgotten
CREATE TABLE notifications.keeping (
    caller     text        NOT NULL PRIMARY KEY CHECK (length(caller) BETWEEN 1 AND 128),
    days       smallint    NOT NULL CHECK (days BETWEEN 1 AND 3650),
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE notifications.keeping IS
    'For how many days after it was due what a message says, and to whom, is kept, where its sender chose. distribution: caller';

CREATE TABLE notifications.forgetting (
    bucket     integer  NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    days       smallint NOT NULL,
    reached    uuid     NOT NULL,
    PRIMARY KEY (bucket, days)
);
COMMENT ON TABLE notifications.forgetting IS
    'Up to which message of a bucket those kept for so many days were looked at. distribution: bucket';

CREATE TABLE notifications.not_forgotten (
    bucket     integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    message_id uuid        NOT NULL,
    look_at    timestamptz NOT NULL,
    PRIMARY KEY (bucket, message_id)
);
CREATE INDEX not_forgotten_due ON notifications.not_forgotten (bucket, look_at);
COMMENT ON TABLE notifications.not_forgotten IS
    'Messages that had not ended when they were looked at, and when to look again. distribution: bucket';

-- By block and not by row: what is carried is written in the order of time, and looked for by it when it is old.
CREATE INDEX carried_by_time ON notifications.carried USING brin (accepted_at);
