-- Appointments in full: how a service is booked, lanes, rules and the calendar; holds, answers, waiting lists, strikes;
-- counters, queue tickets, results and ratings.
-- Locks: short, on tables of the catalogue and of bookings; the checks and indexes are made on small tables. Old code:
-- reads what it knows, and writes rows whose new columns have defaults. Time: instant at the sizes of a first release.

-- ------------------------------------------------------------------------------------------------ what is offered
ALTER TABLE appointments.office
    ADD COLUMN latitude  double precision CHECK (latitude BETWEEN -90 AND 90),
    ADD COLUMN longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    ADD CONSTRAINT a_whole_position CHECK ((latitude IS NULL) = (longitude IS NULL));

-- `questions` is a list of {code, label_zh, label_en, sort, is_required, choices}. `release_minute` is the minute of the day (Shanghai) at
-- which the furthest day of the horizon opens; before it, the last bookable day is the one before.
ALTER TABLE appointments.service
    ADD COLUMN sort           text    NOT NULL DEFAULT 'counter' CHECK (sort IN ('counter', 'trip', 'sitting')),
    ADD COLUMN questions      jsonb   NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(questions) = 'array'),
    ADD COLUMN lead_minutes   integer NOT NULL DEFAULT 0 CHECK (lead_minutes BETWEEN 0 AND 43200),
    ADD COLUMN horizon_days   integer NOT NULL DEFAULT 14 CHECK (horizon_days BETWEEN 0 AND 180),
    ADD COLUMN release_minute integer NOT NULL DEFAULT 0 CHECK (release_minute BETWEEN 0 AND 1439),
    ADD COLUMN cancel_minutes integer NOT NULL DEFAULT 120 CHECK (cancel_minutes BETWEEN 0 AND 43200),
    ADD COLUMN is_gated       boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN is_for_others  boolean NOT NULL DEFAULT TRUE;

-- Places beside the ordinary ones in each slot, by lane: {"urgent": 1, "special": 2}.
ALTER TABLE appointments.office_service
    ADD COLUMN lanes            jsonb   NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(lanes) = 'object'),
    ADD COLUMN open_on_holidays boolean NOT NULL DEFAULT FALSE,
    ADD COLUMN rules_version    integer NOT NULL DEFAULT 1;

-- Seasons, other hours and closed days, for one service of an office or (service_id null) all of them. `openings` is a list
-- of {weekday, opens, closes, lane, places, slot_minutes}; the weekday counts for seasons alone. Withdrawn, never deleted.
CREATE TABLE appointments.rule (
    rule_id      uuid        NOT NULL PRIMARY KEY,
    office_id    uuid        NOT NULL REFERENCES appointments.office,
    service_id   uuid        REFERENCES appointments.service,
    sort         text        NOT NULL CHECK (sort IN ('season', 'hours', 'closed')),
    first_day    date        NOT NULL,
    last_day     date        NOT NULL,
    openings     jsonb       NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(openings) = 'array'),
    reason_zh    text        NOT NULL CHECK (length(reason_zh) <= 200),
    reason_en    text        NOT NULL CHECK (length(reason_en) <= 400),
    made_by      text        NOT NULL,
    made_at      timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT ends_after_it_begins CHECK (first_day <= last_day)
);
CREATE INDEX rule_of_office ON appointments.rule (office_id, first_day) WHERE withdrawn_at IS NULL;
COMMENT ON TABLE appointments.rule IS 'Seasons, other hours and closed days of an office. distribution: reference';

-- Public holidays (节假日) and make-up workdays (调休上班). A make-up workday keeps the hours of `as_weekday`.
CREATE TABLE appointments.calendar_year (
    year      integer     NOT NULL PRIMARY KEY CHECK (year BETWEEN 2000 AND 2200),
    source    text        NOT NULL CHECK (source IN ('library', 'operator')),
    filled_at timestamptz NOT NULL
);
COMMENT ON TABLE appointments.calendar_year IS 'Years whose holidays are known, and from whom. distribution: reference';
CREATE TABLE appointments.calendar_day (
    day        date        NOT NULL PRIMARY KEY,
    sort       text        NOT NULL CHECK (sort IN ('holiday', 'makeup', 'ordinary')),
    as_weekday integer     CHECK (as_weekday BETWEEN 0 AND 6),
    name_zh    text        NOT NULL CHECK (length(name_zh) <= 80),
    name_en    text        NOT NULL CHECK (length(name_en) <= 160),
    source     text        NOT NULL CHECK (source IN ('library', 'operator')),
    changed_by text        NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT a_makeup_day_keeps_some_hours CHECK ((sort = 'makeup') = (as_weekday IS NOT NULL))
);
COMMENT ON TABLE appointments.calendar_day IS 'Days that are not what their weekday says; the operator owns them. distribution: reference';

-- `opens_at` is the release moment, `closes_at` the last moment to book; null: from ever, until it begins. `ref` tells trips that leave at one hour apart.
-- A withdrawn slot takes no more bookings; it stays, for those who were booked in it. `is_planned`: it follows from hours and rules, as all
-- that old code offers do; those given one by one are touched by no change of rules.
ALTER TABLE appointments.slot
    ADD COLUMN lane         text        NOT NULL DEFAULT 'normal' CHECK (lane IN ('normal', 'deferred', 'urgent', 'special')),
    ADD COLUMN day_part     integer     NOT NULL DEFAULT 0 CHECK (day_part BETWEEN 0 AND 2),
    ADD COLUMN opens_at     timestamptz,
    ADD COLUMN closes_at    timestamptz,
    ADD COLUMN is_gated     boolean     NOT NULL DEFAULT FALSE,
    ADD COLUMN ref          text        NOT NULL DEFAULT '' CHECK (length(ref) <= 64),
    ADD COLUMN detail       jsonb,
    ADD COLUMN withdrawn_at timestamptz,
    ADD COLUMN is_planned   boolean     NOT NULL DEFAULT TRUE;
CREATE INDEX slot_at_an_office ON appointments.slot (office_id, service_id, starts_at, slot_id);
CREATE INDEX slot_of_lane ON appointments.slot (service_id, lane, starts_at, slot_id) WHERE lane <> 'normal';
CREATE INDEX slot_by_release ON appointments.slot (starts_at, opens_at, service_id) WHERE is_gated;

-- ------------------------------------------------------------------------------------------------ holds and bookings
-- A place with `hold_until` is held, not booked: free again for everybody from that moment on, without anybody's doing.
CREATE INDEX place_to_claim ON appointments.place (slot_id, seq) WHERE booking_id IS NULL OR hold_until IS NOT NULL;
ALTER TABLE appointments.place ADD CONSTRAINT held_by_somebody CHECK (hold_until IS NULL OR booking_id IS NOT NULL);

-- Who holds what: where a person's hold is found. The place decides whether it still stands.
CREATE TABLE appointments.hold (
    person_id  uuid        NOT NULL,
    service_id uuid        NOT NULL,
    booking_id uuid        NOT NULL,
    slot_id    uuid        NOT NULL,
    seq        integer     NOT NULL,
    hold_until timestamptz NOT NULL,
    waiting_id uuid,
    held_at    timestamptz NOT NULL,
    PRIMARY KEY (person_id, service_id)
);
CREATE INDEX hold_by_end ON appointments.hold (hold_until);
COMMENT ON TABLE appointments.hold IS 'A place kept for a person for some minutes: chosen, or offered from the waiting list. distribution: person';

ALTER TABLE appointments.booking
    ADD COLUMN lane       text NOT NULL DEFAULT 'normal' CHECK (lane IN ('normal', 'deferred', 'urgent', 'special')),
    ADD COLUMN nth        integer CHECK (nth BETWEEN 1 AND 100),
    ADD COLUMN channel    text NOT NULL DEFAULT 'app' CHECK (channel IN ('app', 'mini', 'desk', 'waiting_list', 'moved_by_office')),
    ADD COLUMN agent_id   uuid,
    ADD COLUMN mandate_id uuid,
    ADD COLUMN ended_by   text CHECK (ended_by IN ('person', 'office', 'clock')),
    ADD COLUMN served_at  timestamptz,
    ADD CONSTRAINT served_at_an_hour CHECK ((stage = 'served') = (served_at IS NOT NULL)),
    ADD CONSTRAINT an_agent_has_a_mandate CHECK ((agent_id IS NULL) = (mandate_id IS NULL));
CREATE INDEX booking_in_a_slot ON appointments.booking (slot_id, seq);
CREATE INDEX booking_moved_away ON appointments.booking (asked_slot_id) WHERE asked_slot_id <> slot_id;
-- How many one person may have before them: each has a number of its own, and numbers end. Null: booked by older code.
CREATE UNIQUE INDEX one_booking_of_a_number ON appointments.booking (person_id, nth) WHERE stage = 'booked';
CREATE INDEX booking_by_agent ON appointments.booking (agent_id, starts_at) WHERE agent_id IS NOT NULL;

-- What the person was asked and answered, and why they need the urgent or special lane; sealed.
CREATE TABLE appointments.answers (
    person_id  uuid  NOT NULL,
    booking_id uuid  NOT NULL,
    sealed     bytea NOT NULL,
    PRIMARY KEY (person_id, booking_id)
);
COMMENT ON TABLE appointments.answers IS 'What a person answered when booking, sealed. distribution: person';

-- ------------------------------------------------------------------------------------------------ waiting lists
CREATE TABLE appointments.waiting (
    service_id    uuid        NOT NULL,
    waiting_id    uuid        NOT NULL,
    person_id     uuid        NOT NULL,
    office_id     uuid,
    district      text        CHECK (district ~ '^[0-9]{6}$'),
    lane          text        NOT NULL DEFAULT 'normal' CHECK (lane IN ('normal', 'deferred', 'urgent', 'special')),
    first_day     date        NOT NULL,
    last_day      date        NOT NULL,
    day_part      integer     CHECK (day_part BETWEEN 0 AND 2),
    stage         text        NOT NULL CHECK (stage IN ('waiting', 'offered', 'taken', 'left', 'lapsed')),
    joined_at     timestamptz NOT NULL,
    offers        integer     NOT NULL DEFAULT 0,
    slot_id       uuid,
    seq           integer,
    booking_id    uuid,
    offered_until timestamptz,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (service_id, waiting_id),
    CONSTRAINT ends_after_it_begins CHECK (first_day <= last_day),
    CONSTRAINT offered_a_place CHECK ((stage = 'offered') = (offered_until IS NOT NULL)),
    CONSTRAINT a_place_of_a_slot CHECK ((slot_id IS NULL) = (seq IS NULL) AND (slot_id IS NULL) = (booking_id IS NULL))
);
CREATE UNIQUE INDEX waiting_once_for_a_service ON appointments.waiting (service_id, person_id)
    WHERE stage IN ('waiting', 'offered');
CREATE INDEX waiting_in_turn ON appointments.waiting (service_id, joined_at, waiting_id) WHERE stage = 'waiting';
CREATE INDEX waiting_until ON appointments.waiting (last_day) WHERE stage = 'waiting';
CREATE INDEX waiting_for_an_answer ON appointments.waiting (offered_until) WHERE stage = 'offered';
CREATE INDEX waiting_of_person ON appointments.waiting (person_id, joined_at);
COMMENT ON TABLE appointments.waiting IS 'Who waits for a place of a service, and what they were offered. distribution: service_id';

-- ------------------------------------------------------------------------------------------------ no-shows (爽约)
-- `strike_id` is what an appeal is called by at the office, so that its address names nobody.
CREATE TABLE appointments.strike (
    person_id  uuid        NOT NULL,
    booking_id uuid        NOT NULL,
    strike_id  uuid        NOT NULL,
    service_id uuid        NOT NULL,
    office_id  uuid        NOT NULL,
    struck_at  timestamptz NOT NULL,
    stage      text        NOT NULL CHECK (stage IN ('standing', 'appealed', 'waived', 'upheld')),
    appeal     bytea,
    appealed_at timestamptz,
    decided_at timestamptz,
    decided_by text,
    PRIMARY KEY (person_id, booking_id),
    CONSTRAINT appealed_in_words CHECK ((appeal IS NULL) = (appealed_at IS NULL)
        AND (stage <> 'standing' OR appeal IS NULL) AND (stage NOT IN ('appealed', 'upheld') OR appeal IS NOT NULL)),
    CONSTRAINT decided_by_somebody CHECK ((stage IN ('waived', 'upheld')) = (decided_by IS NOT NULL AND decided_at IS NOT NULL))
);
CREATE INDEX strike_appealed ON appointments.strike (office_id, appealed_at, strike_id) WHERE stage = 'appealed';
CREATE INDEX strike_by_its_id ON appointments.strike (office_id, strike_id);
COMMENT ON TABLE appointments.strike IS 'Bookings nobody came to, and what was said about that. distribution: person';
-- `until` = `since`: never suspended; the row is there to be locked by whoever counts a person's strikes.
CREATE TABLE appointments.suspension (
    person_id uuid        NOT NULL PRIMARY KEY,
    since     timestamptz NOT NULL,
    until     timestamptz NOT NULL,
    lifted_at timestamptz
);
COMMENT ON TABLE appointments.suspension IS 'Who may not book until when, for not coming too often. distribution: person';

-- ------------------------------------------------------------------------------------------------ at the desk
-- `version` counts the calls of a counter, so that a call whose answer was lost is answered again; `ticket_id` is the last it called.
CREATE TABLE appointments.counter (
    office_id   uuid    NOT NULL REFERENCES appointments.office,
    number      integer NOT NULL CHECK (number BETWEEN 1 AND 999),
    service_ids uuid[]  NOT NULL,
    staff_id    uuid,
    opened_at   timestamptz,
    ticket_id   uuid,
    version     integer NOT NULL DEFAULT 1,
    PRIMARY KEY (office_id, number),
    CONSTRAINT open_with_somebody CHECK ((staff_id IS NULL) = (opened_at IS NULL))
);
CREATE UNIQUE INDEX one_counter_for_a_clerk ON appointments.counter (office_id, staff_id) WHERE staff_id IS NOT NULL;
COMMENT ON TABLE appointments.counter IS 'Windows of an office, who sits there and for what. distribution: office_id';

CREATE TABLE appointments.ticket_series (
    office_id uuid    NOT NULL,
    day       date    NOT NULL,
    series    text    NOT NULL CHECK (series ~ '^[A-Z]{1,2}$'),
    last      integer NOT NULL CHECK (last >= 1),
    PRIMARY KEY (office_id, day, series)
);
COMMENT ON TABLE appointments.ticket_series IS 'The last number given out in a lane today. distribution: office_id';

-- A queue number (号). `rank_at` is what orders a lane: when the number was taken, or the booked hour if that is later.
-- `called_at` is the last call, `first_called_at` the first. A walk-in has a person only if they let the desk know who they
-- are. `unfinished`: it waited, or was being served, when its day ended. A counter has one number of a day, so that one
-- that nobody ended keeps no other away on the next.
CREATE TABLE appointments.ticket (
    office_id   uuid        NOT NULL,
    ticket_id   uuid        NOT NULL,
    day         date        NOT NULL,
    series      text        NOT NULL,
    number      integer     NOT NULL CHECK (number >= 1),
    lane        text        NOT NULL CHECK (lane IN ('walk_in', 'booked', 'urgent', 'special')),
    service_id  uuid        NOT NULL,
    person_id   uuid,
    booking_id  uuid,
    stage       text        NOT NULL
        CHECK (stage IN ('waiting', 'called', 'serving', 'done', 'missed', 'left', 'unfinished')),
    taken_at    timestamptz NOT NULL,
    rank_at     timestamptz NOT NULL,
    counter     integer,
    for_counter integer,
    calls       integer     NOT NULL DEFAULT 0,
    called_at   timestamptz,
    first_called_at timestamptz,
    served_from timestamptz,
    ended_at    timestamptz,
    version     integer     NOT NULL DEFAULT 1,
    PRIMARY KEY (office_id, ticket_id),
    CONSTRAINT one_number_a_day UNIQUE (office_id, day, series, number),
    CONSTRAINT at_a_counter CHECK (stage NOT IN ('called', 'serving') OR counter IS NOT NULL),
    CONSTRAINT waits_at_no_counter CHECK (stage NOT IN ('waiting', 'left') OR counter IS NULL),
    CONSTRAINT called_before_served
        CHECK (stage IN ('waiting', 'left', 'unfinished') OR (called_at IS NOT NULL AND calls >= 1)),
    CONSTRAINT served_from_an_hour
        CHECK (stage = 'unfinished' OR (stage IN ('serving', 'done')) = (served_from IS NOT NULL)),
    CONSTRAINT called_from_the_first CHECK ((called_at IS NULL) = (first_called_at IS NULL)),
    CONSTRAINT ended_at_an_hour CHECK ((stage IN ('done', 'missed', 'left', 'unfinished')) = (ended_at IS NOT NULL)),
    CONSTRAINT a_booking_has_a_person CHECK (booking_id IS NULL OR person_id IS NOT NULL)
);
CREATE UNIQUE INDEX one_ticket_for_a_booking ON appointments.ticket (office_id, person_id, booking_id)
    WHERE booking_id IS NOT NULL;
CREATE UNIQUE INDEX one_ticket_at_a_counter ON appointments.ticket (office_id, day, counter)
    WHERE stage IN ('called', 'serving');
CREATE INDEX ticket_not_ended ON appointments.ticket (day, office_id) WHERE stage IN ('waiting', 'called', 'serving');
CREATE INDEX ticket_in_turn ON appointments.ticket (office_id, day, lane, rank_at, taken_at, number) WHERE stage = 'waiting';
CREATE INDEX ticket_of_person ON appointments.ticket (person_id, day) WHERE person_id IS NOT NULL;
COMMENT ON TABLE appointments.ticket IS 'Queue numbers of an office: who waits, who is at which counter. distribution: office_id';

CREATE TABLE appointments.result (
    person_id  uuid        NOT NULL,
    booking_id uuid        NOT NULL,
    outcome    text        NOT NULL CHECK (outcome IN ('done', 'supplement', 'refused')),
    note       bytea,
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (person_id, booking_id)
);
COMMENT ON TABLE appointments.result IS 'What a visit came to; the note sealed. distribution: person';
CREATE TABLE appointments.rating (
    person_id  uuid        NOT NULL,
    booking_id uuid        NOT NULL,
    office_id  uuid        NOT NULL,
    stars      integer     NOT NULL CHECK (stars BETWEEN 1 AND 5),
    comment    bytea,
    rated_at   timestamptz NOT NULL,
    PRIMARY KEY (person_id, booking_id)
);
CREATE INDEX rating_of_office ON appointments.rating (office_id, rated_at);
COMMENT ON TABLE appointments.rating IS 'How a visit was (好差评); the comment sealed. distribution: person';

-- A feed is read by whoever has its address, so only a digest of its secret is kept.
CREATE TABLE appointments.feed (
    feed_digest bytea       NOT NULL PRIMARY KEY,
    person_id   uuid        NOT NULL,
    made_at     timestamptz NOT NULL,
    ended_at    timestamptz
);
CREATE INDEX feed_of_person ON appointments.feed (person_id);
COMMENT ON TABLE appointments.feed IS 'Calendar subscriptions of a person. distribution: feed_digest';

-- How many one person may have at a time: each that stands has a number of its own, and numbers end.
CREATE TABLE appointments.feed_number (
    person_id   uuid    NOT NULL,
    number      integer NOT NULL CHECK (number BETWEEN 1 AND 5),
    feed_digest bytea   NOT NULL,
    PRIMARY KEY (person_id, number)
);
COMMENT ON TABLE appointments.feed_number IS 'Which calendar subscriptions of a person stand. distribution: person';

-- Whether an agent may book for the holder; a guardian may.
ALTER TABLE wallet.mandate ADD COLUMN may_book boolean NOT NULL DEFAULT FALSE;
UPDATE wallet.mandate SET may_book = TRUE WHERE basis = 'guardian';
