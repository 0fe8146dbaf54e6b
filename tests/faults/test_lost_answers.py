"""Cut off between a submission and its answer: the receipt still finds the message it speaks of."""

from datetime import timedelta
from itertools import count, islice

import pytest

from kernel.ids import bucket_of
from notifications import templates
from notifications.channels.provider import Accepted, RawReceipt, Sms, user_reference
from notifications.finding import FOUND_AFTER, LOOKED_AT_MAX
from notifications.model import RECEIPT_PATIENCE, UNKNOWN_PAUSE, Lane, Reading
from notifications.outbox import ToPhone
from notifications.segmenting import segments
from tests.builders_notifications import (
    LEASES_ARE_OVER,
    PHONE,
    Carrier,
    Ends,
    Killed,
    a_promise,
    notifications_over,
    outcomes,
    owe,
    stages,
)
from tests.builders_sending import BULK_TEXT, OneText

LONG = "很长的通知。" * 30


@pytest.fixture
def cut() -> Carrier:
    """A carrier whose answers never come."""
    return Carrier("cut", lambda _: ConnectionResetError())


@pytest.fixture
def notifications(db, clock, keys, cut):
    made = notifications_over(db, clock, keys, cut)
    made.wordings.texts = OneText()
    return made


def repeating(sms: Sms, *, part: int = 0, phone: str | None = None, ref: str = "never-told") -> RawReceipt:
    """A receipt under a reference we were never told, that repeats 16 bits of ours."""
    bits = user_reference(sms.reference, part)
    return RawReceipt(f"{ref}-{part}", Reading.DELIVERED, b"", user_reference=bits, phone=phone or sms.phone)


async def find(notifications, clock) -> int:
    clock.advance(FOUND_AFTER)
    found = await notifications.finding.find_stale()
    await notifications.receiving.join_arrived()
    return found


async def test_a_receipt_that_repeats_sixteen_bits_of_ours_ends_what_was_unknown(notifications, db, clock, cut) -> None:
    ends = Ends()
    notifications.endings.listeners.append(ends)
    await owe(notifications, *(a_promise(key=str(n), due_at=clock.now()) for n in range(20)))
    await notifications.settle()
    assert await stages(db) == {"sms unknown": 20}
    ours = [repeating(sms, ref=f"ref-{n}") for n, sms in enumerate(cut.carried[:15])]
    await notifications.receiving.take("cut", ours + ours)
    assert await notifications.finding.find_stale() == 0, "the answer may be here in a moment"
    assert await find(notifications, clock) == 15
    assert await stages(db) == {"sms delivered": 15, "sms unknown": 5}
    assert sorted(await outcomes(db)) == [("cut", "accepted")] * 15 + [("cut", "unknown")] * 5
    assert ends.said[20:] == [("sms", "delivered", None)] * 15
    assert await find(notifications, clock) == 0


async def test_a_receipt_that_repeats_our_whole_reference_needs_no_number(notifications, db, clock, cut) -> None:
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    [sms] = cut.carried
    strange = [RawReceipt("x", Reading.DELIVERED, b"", reference=said) for said in ("", "no id", "\x00")]
    told = RawReceipt("biz-1", Reading.DELIVERED, b"", reference=sms.reference)
    await notifications.receiving.take("cut", [*strange, told])
    assert await find(notifications, clock) == 1
    assert await stages(db) == {"sms delivered": 1}


async def test_every_part_of_a_long_text_is_found(notifications, db, clock, cut) -> None:
    await owe(notifications, a_promise(BULK_TEXT, due_at=clock.now(), words=LONG))
    await notifications.settle()
    [sms] = cut.carried
    await notifications.receiving.take("cut", [repeating(sms, part=0), repeating(sms, part=2)])
    assert await find(notifications, clock) == 2
    assert await stages(db) == {"sms unknown": 1}
    await notifications.receiving.take("cut", [repeating(sms, part=1)])
    assert await find(notifications, clock) == 1
    assert await stages(db) == {"sms delivered": 1}
    assert await outcomes(db) == [("cut", "accepted")]


async def test_answers_that_come_too_late_name_the_parts_of_a_long_text(notifications, db, clock, cut) -> None:
    """As the SMPP driver tells them: our whole reference, and the bits of each part."""
    await owe(notifications, a_promise(BULK_TEXT, due_at=clock.now(), words=LONG))
    await notifications.settle()
    [sms] = cut.carried
    assert await db.fetchval("SELECT parts FROM notifications.attempt") == segments(sms.text) == 3
    late = [
        RawReceipt(
            f"part-{part}", Reading.UNDERWAY, b"answered late",
            reference=sms.reference, user_reference=user_reference(sms.reference, part),
        )
        for part in range(3)
    ]  # fmt: skip
    await notifications.receiving.take("cut", late)
    assert await find(notifications, clock) == 3
    for part, stage in ((0, "unknown"), (2, "unknown"), (1, "delivered")):
        await notifications.receiving.take("cut", [RawReceipt(f"part-{part}", Reading.DELIVERED, b"")])
        await notifications.receiving.join_arrived()
        assert await stages(db) == {f"sms {stage}": 1}
    assert await outcomes(db) == [("cut", "accepted")]


async def test_a_receipt_of_another_number_or_of_another_provider_is_of_nothing_of_ours(
    notifications, db, clock, cut
) -> None:
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    [sms] = cut.carried
    await notifications.receiving.take("cut", [repeating(sms, phone="+8613900139000"), repeating(sms, part=7)])
    await notifications.receiving.take("another", [repeating(sms)])
    assert await find(notifications, clock) == 0
    assert await stages(db) == {"sms unknown": 1}


async def test_receipts_that_mean_nothing_of_ours_hold_nobody_up_however_many_they_are(
    notifications, db, clock, cut
) -> None:
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    [sms] = cut.carried
    ours = repeating(sms)
    bucket = bucket_of("cut", ours.provider_ref)
    strange = (f"strange-{n}" for n in count())
    beside = islice((ref for ref in strange if bucket_of("cut", ref) == bucket), LOOKED_AT_MAX + 1)
    strangers = [
        RawReceipt(ref, Reading.DELIVERED, b"", user_reference=n % 2**16, phone="+8613900139000")
        for n, ref in enumerate(beside)
    ]
    await notifications.receiving.take("cut", strangers)
    clock.advance(timedelta(seconds=1))
    await notifications.receiving.take("cut", [ours])
    assert await find(notifications, clock) == 0
    assert await find(notifications, clock) == 1
    assert await stages(db) == {"sms delivered": 1}


async def test_an_answer_that_comes_too_late_is_found_however_many_others_are_unknown(
    notifications, db, clock, cut
) -> None:
    keys_of_one_bucket = (str(n) for n in count() if bucket_of("tests", str(n)) == 0)
    first, *others = islice(keys_of_one_bucket, LOOKED_AT_MAX + 1)
    await owe(notifications, a_promise(key=first, due_at=clock.now()))
    await notifications.settle()
    [sms] = cut.carried
    clock.advance(timedelta(seconds=1))
    await owe(notifications, *(a_promise(key=key, due_at=clock.now()) for key in others))
    await notifications.settle()
    assert await stages(db) == {"sms unknown": LOOKED_AT_MAX + 1}
    bits = user_reference(sms.reference)
    late = RawReceipt("late", Reading.UNDERWAY, b"", reference=sms.reference, user_reference=bits)
    await notifications.receiving.take("cut", [late, RawReceipt("late", Reading.DELIVERED, b"")])
    assert await find(notifications, clock) == 1
    assert await stages(db) == {"sms unknown": LOOKED_AT_MAX, "sms delivered": 1}


async def test_what_a_killed_worker_had_submitted_is_found_when_its_lease_is_over(db, clock, keys) -> None:
    submitted: list[Sms] = []

    def die(sms: Sms) -> Killed:
        submitted.append(sms)
        return Killed()

    dying = notifications_over(db, clock, keys, Carrier("cut", die))
    await owe(dying, a_promise(due_at=clock.now(), to=ToPhone(PHONE)))
    with pytest.raises(Killed):
        await dying.delivering.send_everything_due()
    heir = notifications_over(db, clock, keys, Carrier("cut"))
    await heir.receiving.take("cut", [repeating(submitted[0])])
    assert await find(heir, clock) == 0
    clock.advance(LEASES_ARE_OVER)
    await heir.settle()
    assert await find(heir, clock) == 1
    assert await stages(db) == {"sms delivered": 1}


async def test_a_code_that_arrived_after_all_does_not_go_out_once_more(db, clock, keys) -> None:
    first, second = Carrier("cut", lambda _: ConnectionResetError()), Carrier("b", lambda _: Accepted(("r",)))
    notifications = notifications_over(db, clock, keys, first, second)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    await notifications.settle()
    await notifications.receiving.take("cut", [repeating(first.carried[0])])
    assert await find(notifications, clock) == 1
    clock.advance(UNKNOWN_PAUSE[Lane.OTP] + timedelta(seconds=1))
    await notifications.settle()
    assert (second.carried, await stages(db)) == ([], {"sms delivered": 1})


async def test_a_change_its_carrier_is_known_to_have_taken_does_not_go_out_once_more(db, clock, keys) -> None:
    """As the SMPP driver tells of an answer that came seconds too late: it is on its way."""
    first, second = Carrier("cut", lambda _: TimeoutError()), Carrier("b")
    notifications = notifications_over(db, clock, keys, first, second)
    await owe(notifications, a_promise(templates.BOOKING_CANCELLED, due_at=clock.now()))
    await notifications.settle()
    late = RawReceipt("late", Reading.UNDERWAY, b"answered late", reference=first.carried[0].reference)
    await notifications.receiving.take("cut", [late])
    assert await find(notifications, clock) == 1
    assert (await outcomes(db), await stages(db)) == ([("cut", "accepted")], {"sms accepted": 1})
    clock.advance(UNKNOWN_PAUSE[Lane.CHANGE] + timedelta(seconds=1))
    await notifications.settle()
    assert second.carried == []
    await notifications.receiving.take("cut", [RawReceipt("late", Reading.UNDELIVERED, b"")])
    await notifications.receiving.join_arrived()
    await notifications.settle()
    assert (len(second.carried), await stages(db)) == (1, {"sms accepted": 1})


async def test_what_is_known_to_be_accepted_is_not_alerted_any_more(notifications, db, clock, cut) -> None:
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"sms unknown": 1}
    late = RawReceipt("late", Reading.UNDERWAY, b"", reference=cut.carried[0].reference)
    await notifications.receiving.take("cut", [late])
    assert await find(notifications, clock) == 1
    assert await stages(db) == {"sms accepted": 1}
    assert await db.fetchval("SELECT reason FROM notifications.attempt") == "by receipt"
    clock.advance(RECEIPT_PATIENCE)
    await notifications.settle()
    assert await db.fetch("SELECT stage, reason FROM notifications.delivery") == [("unknown", "no receipt")]


async def test_what_another_carrier_has_by_now_stays_with_it(db, clock, keys) -> None:
    first, second = Carrier("cut", lambda _: TimeoutError()), Carrier("b", lambda _: TimeoutError())
    notifications = notifications_over(db, clock, keys, first, second)
    await owe(notifications, a_promise(templates.SIGN_IN_CODE, due_at=clock.now()))
    for _ in range(2):
        await notifications.settle()
        clock.advance(UNKNOWN_PAUSE[Lane.OTP])
    late = RawReceipt("late", Reading.UNDERWAY, b"", reference=first.carried[0].reference)
    await notifications.receiving.take("cut", [late])
    assert await find(notifications, clock) == 1
    assert await outcomes(db) == [("cut", "accepted"), ("b", "unknown")]
    assert await stages(db) == {"sms unknown": 1}
