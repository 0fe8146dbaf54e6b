-- Appointments: offices and what is served there; slots and their places; bookings; what falls due by the clock.
-- Locks: new tables only. Old code: does not know them. Time: instant.
CREATE SCHEMA IF NOT EXISTS appointments;
CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE appointments.office (
    office_id uuid NOT NULL PRIMARY KEY,
    slug      text NOT NULL UNIQUE CHECK (length(slug) BETWEEN 1 AND 64),
    name_zh   text NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 80),
    name_en   text NOT NULL CHECK (length(name_en) BETWEEN 1 AND 160),
    district  text NOT NULL CHECK (district ~ '^[0-9]{6}$'),
    address   text NOT NULL,
    phone     text NOT NULL
);
COMMENT ON TABLE appointments.office IS 'Where people come to. distribution: reference';

CREATE TABLE appointments.service (
    service_id uuid NOT NULL PRIMARY KEY,
    slug       text NOT NULL UNIQUE CHECK (length(slug) BETWEEN 1 AND 64),
    department text NOT NULL,
    name_zh    text NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 80),
    name_en    text NOT NULL CHECK (length(name_en) BETWEEN 1 AND 160),
    bring_zh   text NOT NULL CHECK (length(bring_zh) <= 200),
    bring_en   text NOT NULL CHECK (length(bring_en) <= 400)
);
COMMENT ON TABLE appointments.service IS 'What people come for, and what they must bring. distribution: reference';

-- What messages say of an office and a service fits their templates: names to 80 characters, what to bring to 200.
-- A desk is a service at an office. `openings` is a list of {weekday, opens, closes}, Monday 0, Shanghai time.
CREATE TABLE appointments.office_service (
    office_id     uuid    NOT NULL REFERENCES appointments.office,
    service_id    uuid    NOT NULL REFERENCES appointments.service,
    slot_minutes  integer NOT NULL CHECK (slot_minutes BETWEEN 5 AND 480),
    places        integer NOT NULL CHECK (places BETWEEN 1 AND 10000),
    openings      jsonb   NOT NULL CHECK (jsonb_typeof(openings) = 'array'),
    offered_until date,
    PRIMARY KEY (office_id, service_id)
);
COMMENT ON TABLE appointments.office_service IS 'Weekly hours of a desk, and the day until which its slots exist. distribution: reference';

-- `slot_id` is a pure function of office, service and start, so that offering the same hour twice is offering it once.
CREATE TABLE appointments.slot (
    slot_id    uuid        NOT NULL PRIMARY KEY,
    office_id  uuid        NOT NULL REFERENCES appointments.office,
    service_id uuid        NOT NULL REFERENCES appointments.service,
    district   text        NOT NULL,
    starts_at  timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    places     integer     NOT NULL CHECK (places BETWEEN 1 AND 10000),
    CONSTRAINT ends_after_it_starts CHECK (starts_at < ends_at)
);
CREATE INDEX slot_by_service ON appointments.slot (service_id, starts_at, slot_id);
CREATE INDEX slot_by_service_and_district ON appointments.slot (service_id, district, starts_at, slot_id);
COMMENT ON TABLE appointments.slot IS 'An hour at a desk that can be booked. distribution: slot';

-- The places of a slot: one row each, so that people book side by side and nobody can be the 301st of 300.
CREATE TABLE appointments.place (
    slot_id    uuid        NOT NULL REFERENCES appointments.slot,
    seq        integer     NOT NULL CHECK (seq >= 1),
    person_id  uuid,
    booking_id uuid,
    hold_until timestamptz,
    PRIMARY KEY (slot_id, seq),
    -- Kept by the database even when the code is wrong: a booking holds one place of a slot, and a taken place has a person.
    CONSTRAINT one_place_of_a_slot UNIQUE (slot_id, person_id, booking_id),
    CONSTRAINT taken_by_somebody CHECK ((booking_id IS NULL) = (person_id IS NULL))
);
CREATE INDEX place_not_taken ON appointments.place (slot_id, seq) WHERE booking_id IS NULL;
COMMENT ON TABLE appointments.place IS 'The capacity of a slot, one row a place. distribution: slot';

-- `booking_id` is chosen by the phone, so it is unique for its person. `asked_slot_id` is what the first try asked for:
-- it tells a retry from another booking under the same id, also after the booking was moved.
CREATE TABLE appointments.booking (
    person_id         uuid        NOT NULL,
    booking_id        uuid        NOT NULL,
    asked_slot_id     uuid        NOT NULL,
    slot_id           uuid        NOT NULL,
    seq               integer     NOT NULL CHECK (seq >= 1),
    service_id        uuid        NOT NULL,
    office_id         uuid        NOT NULL,
    starts_at         timestamptz NOT NULL,
    ends_at           timestamptz NOT NULL,
    stage             text        NOT NULL CHECK (stage IN ('booked', 'cancelled', 'checked_in', 'missed')),
    version           integer     NOT NULL CHECK (version >= 1),
    cancellable_until timestamptz NOT NULL,
    remind_at         timestamptz,
    reminded_version  integer     NOT NULL DEFAULT 0,
    booked_at         timestamptz NOT NULL,
    changed_at        timestamptz NOT NULL,
    checked_in_at     timestamptz,
    PRIMARY KEY (person_id, booking_id),
    CONSTRAINT ends_after_it_starts CHECK (starts_at < ends_at),
    CONSTRAINT reminded_of_a_version_there_was CHECK (reminded_version BETWEEN 0 AND version),
    CONSTRAINT checked_in_at_an_hour CHECK ((stage = 'checked_in') = (checked_in_at IS NOT NULL)),
    CONSTRAINT nobody_in_two_places EXCLUDE USING gist (person_id WITH =, tstzrange(starts_at, ends_at) WITH &&)
        WHERE (stage IN ('booked', 'checked_in'))
);
CREATE UNIQUE INDEX one_booking_of_a_service ON appointments.booking (person_id, service_id) WHERE stage = 'booked';
CREATE INDEX booking_at_an_office ON appointments.booking (office_id, starts_at, seq);
COMMENT ON TABLE appointments.booking IS 'Who comes where and when. distribution: person';

-- Written with the booking, never touched by those who change it: whoever claims a row asks the booking what is still true.
CREATE TABLE appointments.due (
    bucket     integer     NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    person_id  uuid        NOT NULL,
    booking_id uuid        NOT NULL,
    version    integer     NOT NULL,
    what       text        NOT NULL CHECK (what IN ('remind', 'close')),
    at         timestamptz NOT NULL,
    PRIMARY KEY (bucket, person_id, booking_id, version)
);
CREATE INDEX due_by_hour ON appointments.due (bucket, what, at);
COMMENT ON TABLE appointments.due IS 'What a version of a booking still has before it, and when. distribution: bucket';
