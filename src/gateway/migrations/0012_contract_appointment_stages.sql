-- The closed lists of how far a booking has come, and of what falls due to it, give way to longer ones; the index of places
-- that are not taken gives way to one that knows holds. A withdrawn slot whose last booking was moved has no places left.
-- Locks: appointments.booking, appointments.due and appointments.slot, for as long as their rows take to check. Old code: writes only words
-- that both lists have, and cannot read the new ones, so it is to be stopped soon after. Time: a second for every ten million
-- bookings.
ALTER TABLE appointments.booking
    DROP CONSTRAINT booking_stage_check,
    DROP CONSTRAINT checked_in_at_an_hour,
    ADD CONSTRAINT booking_stage_check CHECK (stage IN ('booked', 'cancelled', 'checked_in', 'served', 'missed')),
    ADD CONSTRAINT checked_in_at_an_hour CHECK ((stage IN ('checked_in', 'served')) = (checked_in_at IS NOT NULL));
ALTER TABLE appointments.due
    DROP CONSTRAINT due_what_check,
    ADD CONSTRAINT due_what_check CHECK (what IN ('remind', 'remind_soon', 'close', 'ask'));
ALTER TABLE appointments.slot
    DROP CONSTRAINT slot_places_check,
    ADD CONSTRAINT slot_places_check CHECK (places BETWEEN 0 AND 10000 AND (places > 0 OR withdrawn_at IS NOT NULL));
DROP INDEX appointments.place_not_taken;

-- A supervisor answers for an office: its counters, its rules, appeals against what it wrote down.
-- Locks: gateway.staff, for an instant. Old code: does not know the role, and takes whoever has it for nobody.
ALTER TABLE gateway.staff
    DROP CONSTRAINT staff_role_check,
    DROP CONSTRAINT a_desk_is_in_an_office,
    ADD CONSTRAINT staff_role_check CHECK (role IN ('desk', 'supervisor', 'issuer', 'operator')),
    ADD CONSTRAINT a_desk_is_in_an_office CHECK ((role IN ('desk', 'supervisor')) = (office_id IS NOT NULL));

-- An office is a venue too: it looks at a code to see who has come, and at no field of theirs.
-- Locks: wallet.venue and wallet.scenario_field, for an instant. Old code: asks neither check for anything.
ALTER TABLE wallet.venue
    DROP CONSTRAINT venue_sort_check,
    ADD CONSTRAINT venue_sort_check
        CHECK (sort IN ('hospital', 'school', 'station', 'museum', 'scenic_spot', 'amusement_park', 'office'));
ALTER TABLE wallet.scenario_field DROP CONSTRAINT scenario_field_fields_check;
