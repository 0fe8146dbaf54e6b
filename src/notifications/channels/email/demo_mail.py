"""The demo's relay: shows e-mail beside the SMS in the demo outbox instead of sending it."""

import asyncio

from kernel.clock import Clock
from kernel.db import Database
from kernel.ids import uuid7
from kernel.log import get_logger
from notifications.channels.email import queries
from notifications.channels.provider import Accepted, Mail, Refused, TakeReceipts, TakeTexts
from notifications.model import Channel
from notifications.seals import Seals, Shown

log = get_logger(__name__)


class DemoMail:
    """A `Provider` of e-mail that nobody's mailbox hears of."""

    name = "demo-mail"
    channel: Channel = "email"
    receipts_come = False

    def __init__(self, db: Database, clock: Clock, seals: Seals) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals

    def announce(self) -> None:
        log.warning("e-mail is shown in the demo outbox: no mailbox will hear of it")

    async def send(self, parcel: Mail, /) -> Accepted | Refused:
        """Show an e-mail, once for each reference."""
        now = self._clock.now()
        digest, mail_id = self._seals.phone_digest(parcel.address), uuid7(now)
        shown = self._seals.shown(digest, mail_id, Shown(parcel.address, f"{parcel.subject}\n{parcel.text}"))
        async with self._db.transaction() as conn:
            await queries.insert_shown_mail(conn, digest, mail_id, reference=parcel.reference, shown=shown, now=now)
        return Accepted()

    async def receipts(self, _take: TakeReceipts, _hear: TakeTexts) -> None:
        """None come."""
        await asyncio.Event().wait()
