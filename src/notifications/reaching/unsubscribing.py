"""A reader of an e-mail asks for no more of its sort with one click (RFC 8058), without signing in.

The link says whose it is under seal: which message it came in, and to which address. Nobody can make one.
"""

import base64
import binascii
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import MessageId, PersonId
from kernel.sealing import Keys, NotSealedHere
from notifications.channels.provider import Mail
from notifications.contacts import SORTS, Contacts
from notifications.outbox import bucket_in
from notifications.reaching import queries
from notifications.reaching.consents import change
from notifications.reaching.errors import LinkUnknown
from notifications.reaching.seals import ReachSeals, Unsubscriber
from notifications.replies.model import EVERY_SENDER, OptSource
from notifications.replies.opt_outs import OptOuts
from notifications.seals import Seals

PATH: Final = "/unsubscribe/"
TOKEN_MAX: Final = 600


class UnsubscribeLinks:
    """Makes links, and opens them."""

    def __init__(self, keys: Keys, *, origin: str) -> None:
        self._seals = ReachSeals(keys)
        self._origin = origin.rstrip("/")

    def url_of(self, mail: Mail) -> str:
        """Where the reader of this mail asks for no more."""
        sealed = self._seals.link(Unsubscriber(mail.reference, mail.address))
        return f"{self._origin}{PATH}{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}"

    def opened(self, token: str) -> Unsubscriber:
        """Whose link it is. Raises LinkUnknown."""
        if len(token) > TOKEN_MAX:
            raise LinkUnknown
        try:
            sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            return self._seals.open_link(sealed)
        except (binascii.Error, ValueError, NotSealedHere):
            raise LinkUnknown from None


class Unsubscribing:
    """Does what a link says."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        seals: Seals,
        contacts: Contacts,
        links: UnsubscribeLinks,
    ) -> None:
        self._db = db
        self._clock = clock
        self._contacts = contacts
        self._seals = seals
        self._links = links
        self._opt_outs = OptOuts()

    async def unsubscribe(self, token: str) -> None:
        """Send no more of this sort to the address; asking twice is asking once. Raises LinkUnknown.

        A resident's choice of e-mail ends for every sort: the inbox still has everything, and they may choose again. An
        address alone hears no more of that sender; of nobody, once it is forgotten who that was.
        """
        who = self._links.opened(token)
        message_id = MessageId(UUID(who.reference))
        now = self._clock.now()
        async with self._db.transaction() as conn:
            row = await queries.select_recipient(conn, bucket_in(message_id), message_id)
            caller, person_id = (None, None) if row is None else (row["caller"], row["person_id"])
            if person_id is not None:
                await self._choose_none(conn, PersonId(person_id), who.address, now)
            else:
                digests = self._seals.every_email_digest(who.address)
                await self._opt_outs.opt_out(conn, digests, caller or EVERY_SENDER, OptSource.LINK, now=now)

    async def _choose_none(self, conn: Connection, person_id: PersonId, address: str, now: datetime) -> None:
        """End a person's e-mail, if it still goes to the address the link was sent to."""
        if not await queries.lock_contact(conn, person_id):
            return
        contact = await self._contacts.find(conn, person_id)
        if contact.email != address:
            return
        after = contact.choices
        for sort in SORTS:
            after = replace(after, **{sort: tuple(one for one in after.by(sort) if one != "email")})
        await change(conn, person_id, contact.choices, after, told_by="unsubscribe", wording=None, now=now)
        await self._contacts.choose(conn, person_id, after, now)
