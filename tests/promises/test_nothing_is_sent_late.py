"""Each lane has its hour after which nothing of it leaves: a code above all is never sent late."""

import random
from datetime import datetime, timedelta

import pytest

from kernel.clock import StoppedClock
from kernel.ids import BUCKETS
from notifications import queries, templates
from notifications.channels.provider import Accepted, Refused, Sms
from notifications.model import Lane
from notifications.outbox import GOOD_FOR, ToPhone
from notifications.parts import Notifications
from notifications.template import Template
from tests.builders_notifications import Carrier, Ends, a_promise, notifications_over, owe, stages
from tests.builders_sending import BULK_TEXT, OneText

OF_LANE = {
    Lane.OTP: templates.SIGN_IN_CODE,
    Lane.CHANGE: templates.BOOKING_CANCELLED,
    Lane.RESULT: templates.CERTIFICATE_ISSUED,
    Lane.REMINDER: templates.BOOKING_REMINDER,
    Lane.BULK: BULK_TEXT,
}
assert {template.lane for template in OF_LANE.values()} == set(Lane)
PAUSES = [timedelta(seconds=seconds) for seconds in (0, 1, 20, 80, 200)]
"""How long the machine may sleep with codes in its hands; with others, a tenth of it."""
OF_EACH = 12
CODES = 40


def one_of(lane: Lane, clock: StoppedClock, phone: str = "+8613800138000", words: str = "通知"):
    template: Template = OF_LANE[lane]
    values = {"words": words} if template is BULK_TEXT else {}
    return a_promise(template, to=ToPhone(phone), due_at=clock.now(), **values)


class Fickle(Carrier):
    """Takes it, refuses it for now or for good, or falls silent, as it likes; it notes when it was handed what."""

    def __init__(self, name: str, clock: StoppedClock, draw: random.Random) -> None:
        super().__init__(name, self._as_it_likes)
        self._clock = clock
        self._draw = draw
        self.handed: list[tuple[datetime, Sms]] = []

    def _as_it_likes(self, sms: Sms) -> Accepted | Refused | BaseException:
        self.handed.append((self._clock.now(), sms))
        ref = f"{self.name}-{len(self.handed)}"
        return self._draw.choices(
            [Accepted((ref,)), Refused("busy", "throttled"), Refused("provider", "500"), ConnectionResetError()],
            [1, 6, 2, 1],
        )[0]


async def play(notifications: Notifications, clock: StoppedClock, draw: random.Random) -> int:
    """Send what is due; between its being claimed and its being handed over the machine may sleep."""
    async with notifications.db.connection() as conn:
        found = await queries.select_due(conn, range(BUCKETS), now=clock.now())
    for due in found:
        batch = await notifications.sending.claim(due.bucket, due.lane)
        clock.advance(draw.choice(PAUSES) / (1 if due.lane is Lane.OTP else 10))
        await notifications.sending.carry(batch)
    await notifications.closing.close_everywhere()
    return len(found)


@pytest.mark.parametrize("seed", range(3))
async def test_an_otp_is_never_sent_late_nor_is_anything_else(db, clock, keys, seed) -> None:
    """However providers behave and however long the machine sleeps in between."""
    draw = random.Random(seed)
    first, second = Fickle("first", clock, draw), Fickle("second", clock, draw)
    notifications = notifications_over(db, clock, keys, first, second)
    notifications.wordings.texts = OneText()
    for nth in range(OF_EACH):
        await owe(notifications, *(one_of(lane, clock, f"+86138{nth:08d}", str(nth)) for lane in Lane))
    for nth in range(CODES):
        await owe(notifications, one_of(Lane.OTP, clock, f"+86139{nth:08d}"))
        if nth % 4 == 3:
            await play(notifications, clock, draw)
    for _ in range(16):
        await play(notifications, clock, draw)
        clock.advance(timedelta(hours=draw.randrange(1, 8)))
    clock.advance(timedelta(days=7))
    await notifications.settle()
    handed = first.handed + second.handed
    late = [at - sms.valid_until for at, sms in handed if at >= sms.valid_until]
    assert late == []
    assert len(handed) > len(Lane) * OF_EACH + CODES // 2, "some were tried again"
    found = await stages(db)
    assert found["sms expired"] > 0, "or it was no trial"
    assert {stage.split()[1] for stage in found} <= {"delivered", "expired", "undeliverable", "unknown"}


@pytest.mark.parametrize("lane", Lane)
async def test_each_lane_gives_up_at_its_own_hour_and_not_before(db, clock, keys, lane) -> None:
    carrier = Carrier()
    notifications = notifications_over(db, clock, keys, carrier)
    notifications.rules.has_quiet_hours = False
    notifications.wordings.texts = OneText()
    ends = Ends()
    notifications.endings.listeners.append(ends)
    await owe(notifications, one_of(lane, clock, words="甲"))
    clock.advance(GOOD_FOR[lane] - timedelta(seconds=1))
    await notifications.settle()
    assert (len(carrier.carried), ends.said) == (1, [])
    await owe(notifications, one_of(lane, clock, words="乙"))
    clock.advance(GOOD_FOR[lane])
    await notifications.settle()
    assert len(carrier.carried) == 1
    assert ("sms", "expired", None) in ends.said


async def test_a_code_is_given_up_before_every_other_lane(db, clock, keys) -> None:
    assert sorted(GOOD_FOR, key=lambda lane: GOOD_FOR[lane])[0] is Lane.OTP
    assert GOOD_FOR[Lane.OTP] == timedelta(minutes=5)
    assert templates.SIGN_IN_CODE.placeholders.keys() >= {"minutes"}, "it says itself how long it is good"


async def test_a_code_that_one_provider_refuses_for_certain_leaves_by_the_other_within_the_same_beat(
    db, clock, keys
) -> None:
    first, second = Carrier("first", lambda _: Refused("provider", "route closed")), Carrier("second")
    notifications = notifications_over(db, clock, keys, first, second)
    await owe(notifications, one_of(Lane.OTP, clock))
    await notifications.settle()
    assert (len(first.carried), len(second.carried)) == (1, 1)
    assert await stages(db) == {"sms accepted": 1}
