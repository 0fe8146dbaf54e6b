"""The ledger of grants: each "allow" tapped in the mini-program is good for one message, and the database says which.

A message takes its grant in the transaction that commits its intent, so that no two ever go out under one. It gives it
back when the platform refused it for another reason, and keeps it spent where nobody knows: the platform may have
counted it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from kernel.db import Connection
from kernel.ids import MessageId, PersonId
from kernel.log import get_logger
from kernel.sealing import Keys, NotSealedHere
from notifications.channels.subscribe.platform import NO_GRANT
from notifications.channels.subscribe.texts import SubscribeTexts
from notifications.model import Language
from notifications.reaching import queries
from notifications.reaching.errors import SubscriptionUnknown
from notifications.reaching.seals import ReachSeals

LEFT_MAX: Final = 100
"""Grants of one template that are counted for a person; more taps than that are heard and not filed."""
KEPT_AFTER: Final = timedelta(days=180)
"""How long it is kept which message used a grant."""

TapOutcome = Literal["accept", "reject", "ban", "filter"]
"""What `wx.requestSubscribeMessage` says of one template."""

log = get_logger(__name__)


class Want(msgspec.Struct, frozen=True):
    """A message that would go out under a grant of a template of the platform's."""

    person_id: PersonId
    message_id: MessageId
    provider_template: str


class Granted(msgspec.Struct, frozen=True):
    """A grant that a message took, and who the person is to the mini-program."""

    person_id: PersonId
    message_id: MessageId
    tap_id: UUID
    provider_template: str
    openid: str

    def __repr__(self) -> str:
        return f"Granted({self.message_id})"


class SubscriptionLeft(msgspec.Struct, frozen=True):
    """One template the mini-program may ask for, and how many messages a person has still allowed by it."""

    template: str
    """What to hand to `wx.requestSubscribeMessage`."""
    title: str
    texts: list[str]
    """Which texts of ours go by it, e.g. `booking_reminder`."""
    is_long_term: bool
    left: int
    """Messages allowed; for a long-term template 1 while it is allowed."""


class Grants:
    """Files taps, and hands grants to messages."""

    def __init__(self, keys: Keys, texts: SubscribeTexts) -> None:
        self._seals = ReachSeals(keys)
        self.texts = texts

    async def tapped(
        self,
        conn: Connection,
        person_id: PersonId,
        openid: str,
        *,
        tap_id: UUID,
        template: str,
        outcome: TapOutcome,
        now: datetime,
    ) -> None:
        """Hear how a person answered the question for one template. The same tap told again changes nothing.

        To refuse a long-term template takes it back. To refuse one that is good once leaves those allowed before.
        Raises SubscriptionUnknown.
        """
        text = self.texts.named(template)
        if text is None:
            raise SubscriptionUnknown
        if outcome == "accept":
            left = (await queries.count_grants_left(conn, person_id)).get(template, 0)
            if left < (1 if text.is_long_term else LEFT_MAX):
                sealed = self._seals.openid(person_id, tap_id, openid)
                grant = queries.NewGrant(person_id, tap_id, template, sealed, text.is_long_term, now)
                await queries.insert_grant(conn, grant)
        elif outcome == "ban" or (outcome == "reject" and text.is_long_term):
            await queries.void_grants_of(conn, person_id, template, now=now)

    async def left(self, conn: Connection, person_id: PersonId, language: Language) -> list[SubscriptionLeft]:
        """Every template, and what is left of it."""
        counted = await queries.count_grants_left(conn, person_id)
        return [
            SubscriptionLeft(
                text.provider_template,
                text.title(language),
                sorted(text.texts),
                text.is_long_term,
                min(counted.get(text.provider_template, 0), 1 if text.is_long_term else LEFT_MAX),
            )
            for text in self.texts.every
        ]

    async def take(self, conn: Connection, wants: Sequence[Want], *, now: datetime) -> dict[MessageId, Granted]:
        """Take a grant for each message that finds one; to be committed with the intent to send it."""
        asked = sorted((one.person_id, one.provider_template, one.message_id) for one in wants)
        granted = {}
        for taken in await queries.take_grants(conn, asked, now=now) if asked else []:
            try:
                openid = self._seals.open_openid(taken.person_id, taken.tap_id, taken.openid)
            except NotSealedHere:
                log.warning("a grant cannot be read", message_id=str(taken.message_id))
                continue
            granted[taken.message_id] = Granted(
                taken.person_id, taken.message_id, taken.tap_id, taken.provider_template, openid
            )
        return granted

    async def refused(self, conn: Connection, refused: Sequence[tuple[Granted, str]], *, now: datetime) -> None:
        """Settle grants of messages that were refused for certain, each with the reason; with the record of it.

        A platform that knows of no grant voids ours, long-term ones too; any other reason leaves it to be used again.
        What was accepted, or is unknown, needs nothing: its grant stays spent.
        """
        void = sorted(
            {(one.person_id, one.tap_id, one.provider_template) for one, reason in refused if reason == NO_GRANT}
        )
        unused = sorted(
            (one.person_id, one.tap_id, one.provider_template, one.message_id)
            for one, reason in refused
            if reason != NO_GRANT
        )
        await queries.void_grants(conn, void, now=now)
        await queries.give_grants_back(conn, unused)

    async def forget_old(self, conn: Connection, *, now: datetime) -> None:
        """Forget what became of grants long ago; run by the worker now and then."""
        await queries.delete_old_grants(conn, before=now - KEPT_AFTER)
