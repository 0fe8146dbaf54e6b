"""What a sender is told of a message, from what the pipeline knows of it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from kernel.ids import MessageId
from notifications.model import DeliveryStage, MessageStage
from notifications.notify_v2.bodies import STATES_OF, STATUS_OF
from notifications.services.model import FINAL, Rehearsal, Seen, State, state_of

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OWED = Seen(MessageId(uuid4()), MessageStage.OWED, is_direct=True)
ROUTED = msgspec.structs.replace(OWED, stage=MessageStage.ROUTED)


def told(seen: Seen, send_at: datetime = NOW) -> State:
    return state_of(seen, send_at=send_at, now=NOW)


def test_a_message_waits_for_its_hour_and_then_for_its_turn() -> None:
    assert told(OWED, LATER) is State.SCHEDULED
    assert told(OWED) is State.CREATED
    assert told(ROUTED) is State.SENDING


@pytest.mark.parametrize(
    ("stage", "state"),
    [
        (DeliveryStage.WAITING, State.SENDING),
        (DeliveryStage.ACCEPTED, State.SENDING),
        (DeliveryStage.DELIVERED, State.DELIVERED),
        (DeliveryStage.EXPIRED, State.TEMPORARY_FAILURE),
        (DeliveryStage.UNDELIVERABLE, State.PERMANENT_FAILURE),
        (DeliveryStage.UNKNOWN, State.TECHNICAL_FAILURE),
        (DeliveryStage.WITHDRAWN, State.WITHDRAWN),
    ],
)
def test_how_a_delivery_ended_is_told(stage: DeliveryStage, state: State) -> None:
    assert told(msgspec.structs.replace(ROUTED, delivery=stage)) is state


@pytest.mark.parametrize("stage", DeliveryStage)
def test_of_a_person_it_is_never_told_how_they_were_reached(stage: DeliveryStage) -> None:
    to_a_person = msgspec.structs.replace(ROUTED, is_direct=False, delivery=stage)
    assert told(to_a_person) is told(msgspec.structs.replace(to_a_person, delivery=None)) is State.HANDLED


def test_a_rehearsal_ends_as_it_was_to_end_and_may_be_taken_back_before() -> None:
    for ending, state in [
        (DeliveryStage.DELIVERED, State.DELIVERED),
        (DeliveryStage.EXPIRED, State.TEMPORARY_FAILURE),
        (DeliveryStage.UNDELIVERABLE, State.PERMANENT_FAILURE),
    ]:
        waits = msgspec.structs.replace(ROUTED, rehearsal=Rehearsal(ending, None, is_withdrawn=False))
        assert told(waits, LATER) is State.SCHEDULED
        assert told(waits) is State.CREATED
        assert told(msgspec.structs.replace(ROUTED, rehearsal=Rehearsal(ending, NOW, is_withdrawn=False))) is state
        taken_back = msgspec.structs.replace(ROUTED, rehearsal=Rehearsal(ending, NOW, is_withdrawn=True))
        assert told(taken_back, LATER) is State.WITHDRAWN


def test_every_state_has_a_status_that_can_be_asked_for() -> None:
    assert {state for state in State if state not in STATES_OF[STATUS_OF[state]]} == set()
    assert STATES_OF["failed"] == {state for state in FINAL if STATUS_OF[state].endswith("-failure")}
