"""The demo's carrier: shows SMS instead of sending them, behind the same Protocol as a real one, receipts included."""

import asyncio
import contextlib
import hmac
from collections.abc import Sequence
from datetime import datetime

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database, DatabaseAway, OutcomeUnknown
from kernel.grouping import Group
from kernel.ids import uuid7
from kernel.log import get_logger
from kernel.sealing import NotSealedHere
from notifications.channels import queries
from notifications.channels.email.addresses import masked_email
from notifications.channels.provider import Accepted, RawReceipt, Refused, Sms, TakeReceipts, TakeTexts
from notifications.model import Channel, Reading
from notifications.seals import Seals, Shown

KEPT_MAX = 2_000
"""How many shown SMS are kept; the oldest go first."""
LISTED_MAX = 50
RECEIPTED_TOGETHER_MAX = 200
RECEIPT_POLL_SECONDS = 1.0
TOGETHER_MAX = 256
TRIES_MAX = 100
AWAY_PAUSE_SECONDS = 0.1

log = get_logger(__name__)


class ShownSms(msgspec.Struct, frozen=True):
    """An SMS as the demo shows it, or an e-mail: then its address stands for the phone, its subject before its text."""

    phone: str
    text: str
    shown_at: datetime


class DemoOutbox:
    """A provider nobody's phone hears of."""

    name = "demo"
    channel: Channel = "sms"
    receipts_come = True

    def __init__(self, db: Database, clock: Clock, seals: Seals) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals
        self._showing: Group[queries.NewShown, None] = Group(
            db, _show, size_max=TOGETHER_MAX, sort_key=lambda row: (row.phone_digest, row.reference), retry_safe=True
        )
        self._shown = asyncio.Event()

    def announce(self) -> None:
        log.warning("SMS are shown in the demo outbox: no phone will hear of them")

    async def send(self, sms: Sms) -> Accepted | Refused:
        """Show an SMS, once for each reference.

        A real carrier is not away because our database is: this one tries on for as long as it is waited for.
        """
        now = self._clock.now()
        digest, sms_id = self._seals.phone_digest(sms.phone), uuid7(now)
        sealed = self._seals.shown(digest, sms_id, Shown(sms.phone, sms.text))
        await self._show_patiently(queries.NewShown(digest, sms_id, sms.reference, sealed, now))
        self._shown.set()
        return Accepted((_reference(sms.reference),))

    async def _show_patiently(self, row: queries.NewShown) -> None:
        for tries_left in reversed(range(TRIES_MAX)):
            try:
                await self._showing.submit(row)
                return
            except (DatabaseAway, OutcomeUnknown):
                if not tries_left:
                    raise
            await asyncio.sleep(AWAY_PAUSE_SECONDS)

    async def receipts(self, take: TakeReceipts, hear: TakeTexts) -> None:
        """Say of everything shown that it was delivered, also of what was shown before this process started."""
        while True:
            self._shown.clear()
            if await self.receipt_some(take):
                async with self._db.transaction() as conn:
                    await queries.forget_shown(conn, keep=KEPT_MAX)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RECEIPT_POLL_SECONDS):
                    await self._shown.wait()

    async def receipt_some(self, take: TakeReceipts) -> int:
        """Say of the oldest that were shown that they were delivered; return how many."""
        async with self._db.connection() as conn:
            shown = await queries.select_unreceipted(conn, limit=RECEIPTED_TOGETHER_MAX)
        if shown:
            await take([RawReceipt(_reference(one.reference), Reading.DELIVERED, b"shown") for one in shown])
            async with self._db.transaction() as conn:
                await queries.mark_receipted(conn, shown, now=self._clock.now())
        return len(shown)

    async def shown_to(self, conn: Connection, phone: str) -> list[ShownSms]:
        """What was shown to a number (E.164) or an e-mail address, newest first."""
        digests = self._seals.every_phone_digest(phone)
        rows = await queries.select_shown_to(conn, digests, limit=LISTED_MAX)
        return [sms for sms in self._opened(rows) if hmac.compare_digest(sms.phone.encode(), phone.encode())]

    async def newest(self, conn: Connection) -> list[ShownSms]:
        """What was shown to anybody, newest first, the numbers masked."""
        rows = await queries.select_shown(conn, limit=LISTED_MAX)
        return [ShownSms(masked(sms.phone), sms.text, sms.shown_at) for sms in self._opened(rows)]

    def _opened(self, rows: Sequence[queries.Shown]) -> list[ShownSms]:
        """The rows that open; one that does not is left out, and said so."""
        found = []
        for row in rows:
            try:
                shown = self._seals.open_shown(row.phone_digest, row.sms_id, row.shown)
            except (NotSealedHere, msgspec.DecodeError) as fault:
                log.warning("shown SMS cannot be read", sms_id=str(row.sms_id), error=type(fault).__name__)
            else:
                found.append(ShownSms(shown.phone, shown.text, row.shown_at))
        return found


def masked(phone: str) -> str:
    """A number with its middle struck out: `+86138****1234`; an e-mail address with nearly all of it."""
    if "@" in phone:
        return masked_email(phone)
    return f"{phone[:-8]}****{phone[-4:]}" if len(phone) > 8 else "****"


def _reference(ours: str) -> str:
    return f"demo-{ours}"


async def _show(conn: Connection, rows: Sequence[queries.NewShown]) -> list[None]:
    await queries.insert_shown(conn, rows)
    return [None] * len(rows)
