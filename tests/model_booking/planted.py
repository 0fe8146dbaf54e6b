"""Faults planted on purpose: for each, the model must find that something is untrue."""

from typing import Final

from tests.model_booking.faulty import Fault, Rewrite

_FORGETS: Final = """
    SELECT TRUE FROM appointments.place WHERE slot_id = $1 AND seq = $2 AND person_id = $3 AND booking_id = $4
"""
_NOBODY_WAITS: Final = "SELECT FALSE WHERE $1::uuid IS NOT NULL"
_FREE: Final = "(booking_id IS NULL OR hold_until < $2)"
_ONLY_NEVER_HELD: Final = "(booking_id IS NULL OR hold_until < $2::timestamptz - interval '100 years')"
_ALSO_HELD: Final = "(booking_id IS NULL OR hold_until < $2::timestamptz + interval '100 years')"
_NOT_OWED: Final = """
    CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.template = 'booking_confirmed' THEN RETURN NULL; END IF; RETURN NEW; END $$;
    CREATE TRIGGER lose BEFORE INSERT ON notifications.message FOR EACH ROW EXECUTE FUNCTION lose();
"""
_OWED_TWICE: Final = """
    CREATE FUNCTION repeat() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.template = 'booking_confirmed' AND NEW.key NOT LIKE '%/again' THEN
            NEW.key := NEW.key || '/again';
            NEW.message_id := ('00000000-0000-8000-8000-' || right(NEW.message_id::text, 12))::uuid;
            INSERT INTO notifications.message SELECT (NEW).*;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER repeat AFTER INSERT ON notifications.message FOR EACH ROW EXECUTE FUNCTION repeat();
"""


def _without(words: str) -> Rewrite:
    def rewrite(sql: str) -> str:
        assert words in sql, f"the statement has no {words!r} any more: {sql}"
        return sql.replace(words, "")

    return rewrite


def _instead(was: str, words: str) -> Rewrite:
    def rewrite(sql: str) -> str:
        assert was in sql, f"the statement has no {was!r} any more: {sql}"
        return sql.replace(was, words)

    return rewrite


FAULTS: Final = (
    Fault(
        name="people may be in two places",
        schema="ALTER TABLE appointments.booking DROP CONSTRAINT nobody_in_two_places",
    ),
    Fault(name="people may book a service twice", schema="DROP INDEX appointments.one_booking_of_a_service"),
    Fault(
        name="free places are claimed without a lock",
        rewrites={"appointments.claim_places": _without("FOR UPDATE SKIP LOCKED")},
    ),
    Fault(
        name="free places are claimed without a lock and taken from whoever has them",
        rewrites={
            "appointments.claim_places": _without("FOR UPDATE SKIP LOCKED"),
            "appointments.take_places": _without("AND (place.booking_id IS NULL OR place.hold_until IS NOT NULL)"),
        },
    ),
    Fault(
        name="sold out is said without a second look",
        rewrites={"appointments.recheck_places": _instead("FOR UPDATE", "FOR UPDATE SKIP LOCKED")},
    ),
    Fault(name="a place given back is forgotten", rewrites={"appointments.free_place": lambda _: _FORGETS}),
    Fault(
        name="a place is given back after its booking moved, by itself",
        after_commit=frozenset({"appointments.free_place"}),
    ),
    Fault(name="bookings are not locked", rewrites={"appointments.lock_bookings": _without("FOR UPDATE")}),
    Fault(
        name="expired holds never come free",
        rewrites={
            "appointments.claim_places": _instead(_FREE, _ONLY_NEVER_HELD),
            "appointments.recheck_places": _instead(_FREE, _ONLY_NEVER_HELD),
        },
    ),
    Fault(
        name="held places are given to others",
        rewrites={
            "appointments.claim_places": _instead(_FREE, _ALSO_HELD),
            "appointments.recheck_places": _instead(_FREE, _ALSO_HELD),
        },
    ),
    Fault(
        name="a place given back is offered to nobody",
        rewrites={"appointments.is_anybody_waiting": lambda _: _NOBODY_WAITS},
    ),
    Fault(name="a confirmation is not owed", schema=_NOT_OWED),
    Fault(name="a confirmation is owed twice", schema=_OWED_TWICE),
    Fault(
        name="a slot that shrinks loses a booked place",
        rewrites={
            "appointments.lock_places": _instead("hold_until FROM", "timestamptz '2000-01-01' AS hold_until FROM")
        },
    ),
)
