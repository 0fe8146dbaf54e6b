"""What becomes of what is due: an item in an inbox, parcels for providers, or an end. Nothing is sent here."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from kernel.db import Connection
from kernel.ids import MessageId
from kernel.log import get_logger
from kernel.sealing import KeyNotHere
from notifications import queries
from notifications.carrying.deciding import Deciding
from notifications.carrying.giving_way import GivingWay
from notifications.carrying.plans import Decision, Plan, move
from notifications.channels.provider import ProviderText
from notifications.composing import Draft, SealedContacts, Tries, opened
from notifications.contacts import Contacts
from notifications.ending.endings import Ended
from notifications.ending.reasons import Reason
from notifications.model import Channel, DeliveryStage, Lane, MessageStage, Step, has_surely_failed
from notifications.reaching.grants import Granted, Grants, Want
from notifications.routing.carriers import Carriers
from notifications.routing.rules import About, Question, Rules
from notifications.seals import Seals
from notifications.wordings import Wordings

POSTPONE: Final = timedelta(seconds=30)
"""How long a message waits whose wording or keys this worker does not know: another, newer one may."""
READ_SOON: Final = timedelta(seconds=2)
"""The same for a department's text, which is read meanwhile: it was approved a moment ago, in another process."""
AT_A_STRETCH: Final = 32
"""Messages planned before others have their turn on the loop: a code must not wait for a whole batch of bulk."""

log = get_logger(__name__)


Tried = Mapping[tuple[MessageId, Channel], tuple[Tries, int]]
"""Earlier attempts at deliveries: what they came to by provider, and how many they were."""


class Planning:
    """Plans batches of one bucket. Whatever is wrong with one message stays with it, and is alerted."""

    def __init__(
        self,
        seals: Seals,
        contacts: Contacts,
        carriers: Carriers,
        wordings: Wordings,
        rules: Rules,
        grants: Grants,
        way: GivingWay,
    ) -> None:
        self._seals = seals
        self._contacts = contacts
        self._carriers = carriers
        self._wordings = wordings
        self._rules = rules
        self._grants = grants
        self._way = way

    async def plan(
        self,
        conn: Connection,
        bucket: int,
        lane: Lane,
        messages: Sequence[queries.DueMessage],
        again: Sequence[queries.DueDelivery],
        contacts: SealedContacts,
        tried: Tried,
        plan: Plan,
        *,
        lease_until: datetime,
        now: datetime,
    ) -> None:
        """Fill `plan`: deliveries of due messages, and the next try of deliveries that were begun before.

        Whatever hands were taken are those of `plan.flights`, also when this raises.
        """
        drafts: list[Draft] = []
        for nth, one in enumerate(messages, start=1):
            draft = self._draft(plan, bucket, one, contacts, now)
            if draft is not None:
                drafts.append(draft)
            if nth % AT_A_STRETCH == 0:
                await self._way.stop(lane)
        for delivery in again:
            draft = self._draft_again(plan, bucket, delivery, contacts, tried, now)
            if draft is not None:
                drafts.append(draft)
        if plan.without_key:
            log.warning("messages are sealed under a key that is not here", bucket=bucket, count=plan.without_key)
        stopped = await self._stopped(conn, drafts, now)
        granted = await self._granted(conn, drafts, now)
        deciding = Deciding(self._carriers, self._rules, plan, bucket, stopped, granted, lease_until, now)
        for nth, draft in enumerate(drafts, start=1):
            deciding.decide(draft)
            if nth % AT_A_STRETCH == 0:
                await self._way.stop(lane)

    def _draft(
        self, plan: Plan, bucket: int, message: queries.DueMessage, contacts: SealedContacts, now: datetime
    ) -> Draft | None:
        template = self._wordings.find(message.template, message.version)
        if template is None and now < message.expires_at:
            plan.postponed.append(message.message_id)
            if self._wordings.may_be_read(message.template):
                plan.unknown.add((message.template, message.version))
            return None
        reason = Reason.UNKNOWN_TEXT
        if template is not None:
            try:
                return opened(message, template, contacts, self._seals, self._contacts)
            except Exception as fault:  # noqa: BLE001 -- it is alerted, and must not hold up the others
                if isinstance(fault, KeyNotHere) and now < message.expires_at:
                    plan.without_key += 1
                    plan.postponed.append(message.message_id)
                    return None
                log.warning("message cannot be read", message_id=str(message.message_id), error=type(fault).__name__)
                reason = Reason.CANNOT_BE_READ
        plan.unsendable.append(message.message_id)
        end = MessageStage.UNSENDABLE
        plan.ended.append(Ended(bucket, message.message_id, None, end, message.caller, reason, message.lane))
        return None

    def _draft_again(
        self,
        plan: Plan,
        bucket: int,
        delivery: queries.DueDelivery,
        contacts: SealedContacts,
        tried: Tried,
        now: datetime,
    ) -> Draft | None:
        message = delivery.message
        came_to, before = tried.get((message.message_id, delivery.channel), ({}, 0))
        is_certain = has_surely_failed(came_to.values())
        if delivery.is_withdrawn:
            stage = DeliveryStage.WITHDRAWN if is_certain else DeliveryStage.UNKNOWN
            move(plan, bucket, delivery, Decision(Step(stage), Reason.TAKEN_BACK), now)
            return None
        over = DeliveryStage.UNDELIVERABLE if is_certain else DeliveryStage.UNKNOWN
        template = self._wordings.find(message.template, message.version)
        if template is None:
            is_read = self._wordings.may_be_read(message.template)
            if is_read:
                plan.unknown.add((message.template, message.version))
            again_at = now + (READ_SOON if is_read else POSTPONE)
            move(plan, bucket, delivery, _put_back(message, again_at, over, Reason.UNKNOWN_TEXT), now)
            return None
        try:
            draft = opened(message, template, contacts, self._seals, self._contacts)
        except KeyNotHere:
            plan.without_key += 1
            move(plan, bucket, delivery, _put_back(message, now + POSTPONE, over, Reason.CANNOT_BE_READ), now)
            return None
        except Exception as fault:  # noqa: BLE001 -- it is alerted, and must not hold up the others
            log.warning("message cannot be read", message_id=str(message.message_id), error=type(fault).__name__)
            move(plan, bucket, delivery, Decision(Step(over), Reason.CANNOT_BE_READ), now)
            return None
        draft.delivery, draft.tried, draft.tries = delivery, came_to, before + 1
        draft.ways = tuple(one for one in draft.ways if one == delivery.channel)
        return draft

    async def _stopped(self, conn: Connection, drafts: Sequence[Draft], now: datetime) -> dict[About, str]:
        """SMS and e-mails that must not go out, and why."""
        questions: list[Question] = []
        for one in drafts:
            message, contact, is_first = one.message, one.contact, one.delivery is None
            message_id, caller, lane = message.message_id, message.caller, message.lane
            if contact is None:
                continue
            if one.text is not None and contact.phone is not None and self._rules.concern("sms", lane, caller):
                questions.append(Question(message_id, "sms", caller, lane, contact.phone, one.text, is_first))
            if contact.email is not None and "email" in one.ways and self._rules.concern("email", lane, caller):
                questions.append(Question(message_id, "email", caller, lane, contact.email, "", is_first))
        return await self._rules.stopped(conn, questions, now) if questions else {}

    async def _granted(self, conn: Connection, drafts: Sequence[Draft], now: datetime) -> dict[MessageId, Granted]:
        """Grants taken for those that would go out as subscribe messages now."""
        wants = []
        for one in drafts:
            if "subscribe" not in one.ways:
                continue
            text = self._subscribes_by(one)
            if text is None:
                one.ways = tuple(channel for channel in one.ways if channel != "subscribe")
                continue
            one.subscribes_by = text
            message = one.message
            waits = one.has_quiet_hours and self._rules.quiet_until(message.lane, now) is not None
            if not waits and message.person_id is not None and message.expires_at > now:
                wants.append(Want(message.person_id, message.message_id, text.provider_template))
        return await self._grants.take(conn, wants, now=now) if wants else {}

    def _subscribes_by(self, draft: Draft) -> ProviderText | None:
        """A text as the mini-program's platform keeps it; None where it does not go that way."""
        if draft.contact is None or not self._carriers.has_any("subscribe"):
            return None
        try:
            return self._grants.texts.worded(draft.template, draft.values, draft.contact.choices.language)
        except (LookupError, ValueError) as fault:
            message_id = str(draft.message.message_id)
            log.warning("a subscribe message cannot be written", message_id=message_id, error=type(fault).__name__)
            return None


def _put_back(message: queries.DueMessage, again_at: datetime, over: DeliveryStage, reason: Reason) -> Decision:
    """Leave another try to a worker that knows more, while there is time for one; else its end, which is alerted."""
    return Decision(Step(over) if again_at >= message.expires_at else Step(DeliveryStage.WAITING, again_at), reason)
