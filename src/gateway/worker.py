"""The second process: sending, reminding, closing, forgetting; each on a beat of its own.

A beat that fails is tried again, ever more slowly, while the others go on; the database or Redis being away ends
nothing. Any number of workers may run: what each does is claimed row by row.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial

import msgspec

from appointments.rush.model import ADMIT_EVERY
from gateway.parts import HEARTBEAT_KEY, CityParts
from kernel import db as database
from kernel import idempotency, snapshots
from kernel.clock import in_shanghai
from kernel.db import DatabaseAway, OutcomeUnknown
from kernel.grouping import PASSING, TooManyWaiting
from kernel.ids import BUCKETS
from kernel.log import get_logger
from kernel.redis import RedisAway
from kernel.settings import Settings
from notifications.batches.feeding.feeding import FED_EVERY
from notifications.batches.steering import SETTLED_EVERY
from notifications.callbacks.keeping import FORGOTTEN_EVERY as CALLBACKS_FORGOTTEN_EVERY
from notifications.callbacks.keeping import GIVEN_UP_EVERY
from notifications.cases.forgetting import FORGOTTEN_EVERY as CASES_FORGOTTEN_EVERY
from notifications.model import Lane
from notifications.outbox import HINT_CHANNEL
from notifications.retention.forgetting import FORGOTTEN_EVERY as MESSAGES_FORGOTTEN_EVERY
from notifications.standing.telling import TOLD_EVERY
from notifications.statistics.counting import COUNTED_EVERY
from wallet.ledger.adopting.old_uses import adopt_old_uses
from wallet.loading.forgetting import FORGOTTEN_EVERY as LOADS_FORGOTTEN_EVERY
from wallet.noticing.forewarning import WARNED_EVERY
from wallet.noticing.summing_up import SUMMED_EVERY
from wallet.onboarding.forgetting import FORGOTTEN_EVERY
from wallet.status.building import BUILT_EVERY
from wallet.trust.listing import PUBLISHED_EVERY
from wallet.trust.pulling import LOOKED_EVERY

BACKOFF_SECONDS = 0.2
BACKOFF_MAX_SECONDS = 5.0
STEADY_AFTER_SECONDS = 30.0
"""A beat that ran on this long before it failed has not been failing."""
FINISH_WITHIN_SECONDS = 4.0
"""What is being sent when we are asked to stop may take this long; then it is left to its lease."""
BATCHES_MAX = 100
"""Batches of one bucket in one beat, so that a full bucket does not hold up the others for long."""
PASSING_BY = (DatabaseAway, OutcomeUnknown, RedisAway, TooManyWaiting, TimeoutError, OSError, *PASSING)

HEARTBEAT_KEPT_SECONDS = 15
HEARTBEAT_EVERY = timedelta(seconds=5)

log = get_logger(__name__)


class Beat(msgspec.Struct, frozen=True):
    """One kind of job. Played `every` so often, sooner when `wake` is set; with no `every` it plays on by itself."""

    name: str
    play: Callable[[], Awaitable[object]]
    every: timedelta | None = None
    wake: asyncio.Event | None = None


def beats(parts: CityParts) -> list[Beat]:
    """Every kind of job of the city."""
    sends, appointments, replies = parts.notifications, parts.appointments, parts.replies
    delivering, receiving = sends.delivering, sends.receiving
    return [
        Beat("find what is due", delivering.keep_looking),
        *(Beat(f"carry {lane.name.lower()}", partial(delivering.keep_carrying, lane)) for lane in Lane),
        *(Beat(f"hear receipts of {one.name}", partial(receiving.listen, one)) for one in sends.carriers.providers),
        Beat("feed batches", parts.batches.feeding.feed_due, FED_EVERY),
        Beat("settle batches", parts.batches.steering.settle_due, SETTLED_EVERY),
        Beat("end rehearsals", parts.services.rehearsing.end_due, timedelta(seconds=1)),
        Beat("join receipts", receiving.join_arrived, timedelta(seconds=1), receiving.arrived),
        Beat("find what receipts of lost answers mean", sends.finding.find_stale, timedelta(seconds=10)),
        Beat("forget what was said a while ago", sends.forget_said, timedelta(minutes=1)),
        Beat("close what nobody answered for", sends.closing.close_everywhere, timedelta(seconds=2)),
        Beat("call departments back", parts.callbacks.telling.keep_telling),
        Beat("give up callbacks that nobody takes", parts.callbacks.keeping.give_up_overdue, GIVEN_UP_EVERY),
        Beat("forget old callbacks", parts.callbacks.keeping.forget_ended, CALLBACKS_FORGOTTEN_EVERY),
        Beat("forget old cases", parts.cases.forgetting.forget_cases, CASES_FORGOTTEN_EVERY),
        Beat("hear what people wrote", replies.handling.handle_arrived, timedelta(seconds=2), replies.hearing.arrived),
        Beat("forget what people wrote", replies.reading.forget_expired, timedelta(hours=1)),
        Beat("count what was sent", parts.statistics.counting.count_due, COUNTED_EVERY),
        Beat("forget what messages said", parts.retention.forgetting.forget_due, MESSAGES_FORGOTTEN_EVERY),
        Beat("remind", partial(_in_every_bucket, appointments.remind_due), timedelta(seconds=5)),
        Beat("close missed bookings", partial(_in_every_bucket, appointments.close_due), timedelta(minutes=1)),
        Beat("end days at the counters", appointments.desks.end_days, timedelta(minutes=1)),
        Beat("let people through the gate", appointments.gate.admitting.admit_due, ADMIT_EVERY),
        Beat("forget holds", appointments.forget_holds, timedelta(seconds=5)),
        Beat("offer what came free to who waits", appointments.offer_freed, timedelta(seconds=5)),
        Beat("ask how visits were", partial(_in_every_bucket, appointments.ask_due), timedelta(minutes=1)),
        Beat("offer slots ahead", appointments.offer_ahead, timedelta(hours=1)),
        Beat("warn of certificates that end", parts.noticing.forewarning.warn_due, WARNED_EVERY),
        Beat("tell what venues were shown", parts.noticing.summing_up.tell_due, SUMMED_EVERY),
        Beat("build status lists", partial(_build_status_lists, parts), BUILT_EVERY),
        Beat("publish the trust list", parts.wallet.trust.listing.publish_due, PUBLISHED_EVERY),
        Beat("fetch from other cities", parts.wallet.trust.puller.pull_due, LOOKED_EVERY),
        Beat("forget codes of other cities", parts.wallet.trust.judge.forget_ended, timedelta(minutes=5)),
        Beat("append to the ledger's log", parts.ledger_log.sequencer.append_waiting, timedelta(seconds=2)),
        Beat("take old uses into the log", partial(adopt_old_uses, parts.db), timedelta(hours=1)),
        Beat("forget old applications", parts.wallet.onboarding.forget_old, FORGOTTEN_EVERY),
        Beat("forget finished loads", parts.wallet.loading.forget_finished, LOADS_FORGOTTEN_EVERY),
        Beat("forget first answers", partial(_forget_answers, parts), timedelta(minutes=5)),
        Beat("forget old ways to reach people", parts.reaching.forget_old, timedelta(minutes=5)),
        Beat("forget sign-ins", parts.residents.forget_expired, timedelta(minutes=5)),
        Beat("forget used assertions", parts.clients.forget_expired, timedelta(minutes=5)),
        Beat("keep catalogues fresh", parts.snapshots.keep_fresh),
        Beat("renew signing keys", parts.signing_keys.ensure, timedelta(hours=1)),
        Beat("tell that the worker lives", partial(_tell_alive, parts), HEARTBEAT_EVERY),
        Beat("tell how sending does", parts.standing.telling.tell, TOLD_EVERY),
    ]


async def _in_every_bucket(play: Callable[[int], Awaitable[int]]) -> None:
    """Play a beat in every bucket until it finds nothing; a bucket that fails does not hold up the others."""
    failures = []
    for bucket in range(BUCKETS):
        try:
            for _ in range(BATCHES_MAX):
                if not await play(bucket):
                    break
        except Exception as failure:  # noqa: BLE001 -- raised below, when the others were played
            failures.append(failure)
            if isinstance(failure, DatabaseAway):
                break
    if failures:
        raise failures[0]


async def _build_status_lists(parts: CityParts) -> None:
    await parts.wallet.statuses.open_ahead(parts.db, now=parts.clock.now())
    await parts.wallet.builder.build_due()


async def _forget_answers(parts: CityParts) -> None:
    for bucket in range(BUCKETS):
        async with parts.db.transaction() as conn:
            await idempotency.forget_expired(conn, bucket, now=parts.clock.now())


async def _tell_alive(parts: CityParts) -> None:
    moment = in_shanghai(parts.clock.now()).isoformat(timespec="seconds")
    await parts.redis.set(HEARTBEAT_KEY, moment.encode(), lifetime_seconds=HEARTBEAT_KEPT_SECONDS)


async def run(settings: Settings) -> None:
    """Work until cancelled; then finish what is being sent, within a bound."""
    parts = await CityParts.open(settings, process="worker")
    url = settings.database_url.reveal()
    ears = [
        Beat("hear what is owed", partial(database.listen, url, HINT_CHANNEL, parts.notifications.delivering.hint)),
        Beat("hear what changed", partial(snapshots.listen, url, parts.snapshots)),
    ]
    for provider in parts.notifications.carriers.providers:
        provider.announce()
    try:
        await work([*ears, *beats(parts)])
    finally:
        await asyncio.gather(
            parts.notifications.delivering.finish(within_seconds=FINISH_WITHIN_SECONDS),
            parts.callbacks.telling.finish(within_seconds=FINISH_WITHIN_SECONDS),
        )
        await parts.close()


async def work(every: Sequence[Beat]) -> None:
    """Keep every beat until cancelled."""
    tasks = [asyncio.create_task(keep(beat), name=beat.name) for beat in every]
    log.info("worker started", beats=len(tasks))
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("worker stopped")


async def keep(beat: Beat) -> None:
    """Play one beat for ever. A failure is logged when it is another than the last, and its end when it is over."""
    loop = asyncio.get_running_loop()
    failing: str | None = None
    pause = BACKOFF_SECONDS
    while True:
        began = loop.time()
        try:
            await beat.play()
        except Exception as failure:  # noqa: BLE001 -- whatever it is, the beat is kept
            if loop.time() - began > STEADY_AFTER_SECONDS:
                failing, pause = None, BACKOFF_SECONDS
            if failing != type(failure).__name__:
                failing = type(failure).__name__
                _say(beat, failure)
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACKOFF_MAX_SECONDS)
            continue
        if failing is not None:
            log.info("beat plays again", beat=beat.name)
        failing, pause = None, BACKOFF_SECONDS
        await _until_next(beat)


def _say(beat: Beat, failure: Exception) -> None:
    if isinstance(failure, PASSING_BY):
        log.warning("beat held up", beat=beat.name, error=type(failure).__name__)
    else:
        log.error("beat failed", beat=beat.name, exc_info=failure)


async def _until_next(beat: Beat) -> None:
    """Wait until a beat is to be played again; one without rhythm that returned is played at once."""
    seconds = BACKOFF_SECONDS if beat.every is None else beat.every.total_seconds()
    if beat.wake is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await beat.wake.wait()
