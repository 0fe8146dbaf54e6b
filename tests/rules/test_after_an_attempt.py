"""What follows from the outcome of an attempt: the rules by which nothing is lost and nothing doubled."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifications.channels.provider import Accepted, Provider, Sms
from notifications.model import (
    ALERTED,
    BUSY_PAUSE_MAX,
    MAY_REPEAT,
    STAND_IN_AFTER,
    TRIES_MAX,
    DeliveryStage,
    Lane,
    Outcome,
    RefusalKind,
    Step,
    next_step,
)
from tests.builders_notifications import Carrier

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
refusals = st.sampled_from(["busy", "provider", "recipient"])
situations = st.fixed_dictionaries(
    {
        "lane": st.sampled_from(Lane),
        "tries": st.integers(1, TRIES_MAX + 1),
        "is_another_left": st.booleans(),
        "expires_at": st.timedeltas(timedelta(minutes=-5), timedelta(days=3)).map(lambda ahead: NOW + ahead),
    }
)


@given(situations, st.sampled_from(Outcome), refusals)
def test_an_open_delivery_has_its_hour_and_a_closed_one_has_none(
    situation, outcome: Outcome, kind: RefusalKind
) -> None:
    step = next_step(outcome, kind if outcome is Outcome.REJECTED else None, now=NOW, **situation)
    assert (step.next_at is not None) == (step.stage in (DeliveryStage.WAITING, DeliveryStage.ACCEPTED))
    if step.stage is DeliveryStage.WAITING:
        assert step.next_at is not None
        assert step.next_at < situation["expires_at"]


@given(situations)
def test_what_may_have_left_is_tried_again_on_critical_lanes_alone_and_elsewhere_alone(situation) -> None:
    step = next_step(Outcome.UNKNOWN, None, now=NOW, **situation)
    if step.stage is DeliveryStage.WAITING:
        assert situation["lane"] in MAY_REPEAT
        assert situation["is_another_left"]
    else:
        assert step.stage is DeliveryStage.UNKNOWN
        assert step.stage in ALERTED


@given(situations, refusals)
def test_a_certain_no_ends_by_expiry_or_is_alerted_or_is_tried_again(situation, kind: RefusalKind) -> None:
    step = next_step(Outcome.REJECTED, kind, now=NOW, **situation)
    assert step.stage in (DeliveryStage.WAITING, DeliveryStage.EXPIRED, DeliveryStage.UNDELIVERABLE)
    if kind == "recipient":
        assert step == Step(DeliveryStage.UNDELIVERABLE)


def after_busy(tries: int, *, good_for: timedelta, **others) -> Step:
    return next_step(
        Outcome.REJECTED, "busy", lane=Lane.BULK, tries=tries, is_another_left=False, now=NOW,
        expires_at=NOW + good_for, **others,
    )  # fmt: skip


def test_a_busy_provider_is_asked_ever_less_often() -> None:
    steps = [after_busy(tries, good_for=timedelta(days=30)) for tries in range(1, 3 * TRIES_MAX)]
    pauses = [step.next_at - NOW for step in steps if step.next_at is not None]
    assert pauses == sorted(pauses)
    assert pauses[0] == timedelta(seconds=1)
    assert pauses[-1] == BUSY_PAUSE_MAX


@given(st.integers(1, 10_000), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_busy_provider_is_asked_for_as_long_as_the_message_is_good(tries: int, good_for: timedelta) -> None:
    step = after_busy(tries, good_for=good_for)
    assert step.stage is (DeliveryStage.WAITING if step.next_at is not None else DeliveryStage.EXPIRED)
    assert step.next_at is not None or good_for <= BUSY_PAUSE_MAX


def test_what_stands_in_takes_over_from_a_busy_provider_after_a_few_tries() -> None:
    far = timedelta(days=30)
    stages = [after_busy(tries, good_for=far, has_stand_in=True).stage for tries in range(1, STAND_IN_AFTER + 3)]
    assert stages == [DeliveryStage.WAITING] * (STAND_IN_AFTER - 1) + [DeliveryStage.UNDELIVERABLE] * 3


async def test_a_carrier_of_the_outside_world_speaks_our_protocol() -> None:
    carrier = Carrier()
    assert isinstance(carrier, Provider)
    assert await carrier.send(Sms("r", "+8613800138000", "t", NOW)) == Accepted(("carrier-r",))
