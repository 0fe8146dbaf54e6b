"""Receipts whose submission was never answered find their message by what the provider repeats of our own reference.

Killed or cut off between a submission and its answer, we do not know what the provider calls the message, and its
receipts speak of nothing. Where they repeat our reference, whole or its 16 bits with the number it went to, they say
which of the attempts without answer they mean; then it is known after all, and they are joined like any other.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import BUCKETS, MessageId
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from notifications.carrying import queries as carrying
from notifications.channels import queries
from notifications.channels.provider import PARTS_MAX, user_reference, with_part
from notifications.composing import SealedContacts, opened
from notifications.contacts import Contacts
from notifications.model import RECEIPT_PATIENCE, TRIES_MAX, Outcome
from notifications.outbox import bucket_in
from notifications.seals import Seals
from notifications.wordings import Wordings

FOUND_AFTER: Final = timedelta(seconds=5)
"""A receipt that is younger may only be quicker than the answer, or than our record of it."""
FOUND_WITHIN: Final = RECEIPT_PATIENCE
LOOKED_AT_MAX: Final = 500
"""Receipts without attempt looked at together in one bucket, and attempts without answer that 16 bits may mean."""
_FIRST: Final = UUID(int=0)

log = get_logger(__name__)


def message_named(reference: str | None) -> MessageId | None:
    """The message that a repeated reference names; None for what is none of ours."""
    if reference is None:
        return None
    try:
        return MessageId(UUID(reference))
    except ValueError:
        return None


class _Meant(msgspec.Struct, frozen=True):
    """The attempt a receipt speaks of, and of which part; without parts, of the whole text."""

    attempt: queries.Unanswered
    part: int = 0
    parts: int = 1


class Finding:
    """Looks for what receipts mean that no answer named."""

    def __init__(
        self, db: Database, clock: Clock, seals: Seals, contacts: Contacts, wordings: Wordings, arrived: asyncio.Event
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._contacts = contacts
        self._wordings = wordings
        self._arrived = arrived
        self._reached: dict[int, tuple[datetime, UUID]] = {}
        """The last receipt looked at in a bucket that holds more than are looked at together."""

    async def find_stale(self) -> int:
        """File what receipts say of attempts whose answer was lost; how many receipts that was.

        Receipts that mean nothing of ours hold nobody up: a bucket that is full of them is looked through in turn.
        """
        now = self._clock.now()
        since = now - FOUND_WITHIN
        async with self._db.connection() as conn:
            receipts = await self._unmatched(conn, since, now - FOUND_AFTER)
            attempts = await self._attempts(conn, receipts, since)
            meant = await self._meant(conn, attempts, receipts) if attempts else []
        for receipt, one in sorted(meant, key=lambda pair: -pair[1].parts):  # the name of all its parts comes last
            await self._file(receipt, one, now)
        if meant:
            log.info("receipts named attempts whose answer was lost", count=len(meant))
            self._arrived.set()
        return len(meant)

    async def _unmatched(self, conn: Connection, since: datetime, until: datetime) -> list[queries.Unmatched]:
        """Receipts under references we were never told, each thing said once."""
        first = (since, _FIRST)
        after = [(bucket, *max(first, self._reached.get(bucket, first))) for bucket in range(BUCKETS)]
        found = await queries.select_unmatched(conn, after, until=until, limit=LOOKED_AT_MAX)
        looked_at = Counter(one.bucket for one in found)
        self._reached = {
            one.bucket: (one.received_at, one.receipt_id) for one in found if looked_at[one.bucket] == LOOKED_AT_MAX
        }
        return list({(one.bucket, one.provider, one.provider_ref, *_said(one)): one for one in found}.values())

    async def _attempts(
        self, conn: Connection, receipts: Sequence[queries.Unmatched], since: datetime
    ) -> list[queries.Unanswered]:
        """Attempts that these may mean: of the messages they name, and the newest where they repeat 16 bits alone."""
        named: dict[int, list[MessageId]] = defaultdict(list)
        for message_id in {one.message_id for one in receipts if one.message_id is not None}:
            named[bucket_in(message_id)].append(message_id)
        found: list[queries.Unanswered] = []
        if named:
            most = max(map(len, named.values())) * TRIES_MAX
            found += await queries.select_unanswered(conn, named, since=since, limit=most)
        if any(one.message_id is None for one in receipts):
            newest = dict.fromkeys(range(BUCKETS))
            found += await queries.select_unanswered(conn, newest, since=since, limit=LOOKED_AT_MAX)
        return list({(one.message.message_id, one.channel, one.fence): one for one in found}.values())

    async def _meant(
        self, conn: Connection, attempts: Sequence[queries.Unanswered], receipts: Sequence[queries.Unmatched]
    ) -> list[tuple[queries.Unmatched, _Meant]]:
        """Which receipt means which attempt; one that could mean several means none."""
        by_message = {(one.provider, one.message.message_id): one for one in attempts}
        by_bits: dict[tuple[str, int], list[queries.Unanswered]] = defaultdict(list)
        for one in attempts:
            by_bits[one.provider, user_reference(str(one.message.message_id))].append(one)
        person_ids = sorted({one.message.person_id for one in attempts if one.message.person_id is not None})
        contacts = await self._contacts.find_sealed(conn, person_ids)
        found = []
        for receipt in receipts:
            if receipt.message_id is not None:
                whole = by_message.get((receipt.provider, receipt.message_id))
                fitting = [] if whole is None else _named(whole, receipt.user_reference)
            elif receipt.user_reference is not None:
                near = [
                    (one, part)
                    for part in range(PARTS_MAX)
                    for one in by_bits.get((receipt.provider, with_part(receipt.user_reference, part)), ())
                ]
                said = (self._if_fitting(attempt, part, receipt, contacts) for attempt, part in near)
                fitting = [one for one in said if one is not None]
            else:
                fitting = []
            if len(fitting) == 1:
                found.append((receipt, fitting[0]))
        return found

    def _if_fitting(
        self, attempt: queries.Unanswered, part: int, receipt: queries.Unmatched, contacts: SealedContacts
    ) -> _Meant | None:
        """The attempt, if it went to the number a receipt speaks of and has that part."""
        message = attempt.message
        if part >= attempt.parts:
            return None
        template = self._wordings.find(message.template, message.version)
        if template is None:
            return None
        try:
            draft = opened(message, template, contacts, self._seals, self._contacts)
        except (NotSealedHere, msgspec.DecodeError, LookupError, ValueError):
            return None  # it is alerted already, as unknown
        if draft.phone is None:
            return None
        is_to_it = receipt.number_digest in self._seals.every_phone_digest(draft.phone)
        return _Meant(attempt, part, attempt.parts) if is_to_it else None

    async def _file(self, receipt: queries.Unmatched, meant: _Meant, now: datetime) -> None:
        attempt = meant.attempt
        message_id, channel = attempt.message.message_id, attempt.channel
        bucket = bucket_in(message_id)
        together = (receipt.provider, bucket, attempt.message.lane, now, channel)
        row = (receipt.bucket, receipt.provider_ref, message_id, attempt.fence, meant.part, meant.parts)
        known = carrying.Try(message_id, channel, attempt.fence, Outcome.ACCEPTED, receipt.provider_ref, "by receipt")
        async with self._db.transaction() as conn:
            if meant.parts == 1:  # one part of several says nothing of the others; when all are told, that is known
                await carrying.record_outcomes(conn, bucket, [known], now=now)
                await carrying.accept(
                    conn,
                    bucket,
                    channel,
                    [message_id],
                    [attempt.fence],
                    [receipt.provider_ref],
                    now=now,
                    next_at=now + RECEIPT_PATIENCE,
                )  # fmt: skip -- nobody else is asked any more, unless somebody was already
            await queries.insert_carried(conn, together, [row])


def _named(attempt: queries.Unanswered, bits: int | None) -> list[_Meant]:
    """What a receipt means that repeats our whole reference: the part its bits say, or with none the whole text."""
    if bits is None:
        return [_Meant(attempt)]
    ours = user_reference(str(attempt.message.message_id))
    return [_Meant(attempt, part, attempt.parts) for part in range(attempt.parts) if with_part(bits, part) == ours]


def _said(receipt: queries.Unmatched) -> tuple[MessageId | None, int | None, bytes | None]:
    return receipt.message_id, receipt.user_reference, receipt.number_digest
