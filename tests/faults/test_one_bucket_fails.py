"""Something is wrong with what lies in one bucket: the others go on, and it goes on too once that is mended."""

from datetime import timedelta

from kernel.ids import BUCKETS, bucket_of
from notifications.channels.provider import Accepted, RawReceipt
from notifications.model import MAY_REPEAT, Lane, Reading
from tests.builders_notifications import Carrier, a_promise, notifications_over, owe, stages
from tests.faults.test_providers_apart import carrying, until

BROKEN = 7


def a_key_of(bucket: int, owner: str = "tests") -> str:
    return next(key for n in range(100_000) if bucket_of(owner, key := f"k{n}") == bucket)


async def forbid(db, table: str) -> None:
    """From now on nothing of one bucket can be written there."""
    async with db.transaction() as conn:
        await conn.execute(
            f"ALTER TABLE notifications.{table} ADD CONSTRAINT never CHECK (bucket <> {BROKEN}) NOT VALID"
        )


async def allow_again(db, table: str) -> None:
    async with db.transaction() as conn:
        await conn.execute(f"ALTER TABLE notifications.{table} DROP CONSTRAINT never")


async def owe_in_every_bucket(notifications, clock) -> None:
    await owe(notifications, *(a_promise(key=a_key_of(bucket), due_at=clock.now()) for bucket in range(BUCKETS)))


async def test_a_bucket_that_cannot_be_claimed_stops_no_lane(db, clock, keys) -> None:
    carrier = Carrier()
    notifications = notifications_over(db, clock, keys, carrier)
    await forbid(db, "attempt")
    await owe_in_every_bucket(notifications, clock)
    async with carrying(notifications, *MAY_REPEAT, Lane.RESULT) as tasks:
        await until(lambda: len(carrier.carried) == BUCKETS - 1)
        assert not any(task.done() for task in tasks), "no lane fell"
        await allow_again(db, "attempt")
        await until(lambda: len(carrier.carried) == BUCKETS)
    assert await stages(db) == {"sms accepted": BUCKETS}


async def test_receipts_of_a_bucket_that_cannot_be_joined_keep_no_others_waiting(db, clock, keys) -> None:
    references = [a_key_of(bucket, "carrier") for bucket in range(BUCKETS)]
    left = iter(references)
    notifications = notifications_over(db, clock, keys, Carrier(answer=lambda _: Accepted((next(left),))))
    await owe_in_every_bucket(notifications, clock)
    await notifications.settle()
    said = [RawReceipt(one, Reading.DELIVERED, b"stat:DELIVRD") for one in references]
    await notifications.receiving.take("carrier", said)
    await forbid(db, "receipt")
    assert await notifications.receiving.join_arrived() == BUCKETS - 1
    assert await stages(db) == {"sms delivered": BUCKETS - 1, "sms accepted": 1}
    await allow_again(db, "receipt")
    assert await notifications.receiving.join_arrived() == 1


async def test_what_expired_in_a_bucket_that_cannot_be_closed_keeps_no_others_open(db, clock, keys) -> None:
    carrier = Carrier()
    notifications = notifications_over(db, clock, keys, carrier)
    await owe_in_every_bucket(notifications, clock)
    await notifications.settle()
    await forbid(db, "delivery")
    clock.advance(timedelta(hours=73))
    await notifications.closing.close_everywhere()
    assert await stages(db) == {"sms unknown": BUCKETS - 1, "sms accepted": 1}
