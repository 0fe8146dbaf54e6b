"""What becomes of a due message: an item in an inbox, an SMS through one provider, or an end. Nothing is sent here."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kernel.ids import MessageId, PersonId
from kernel.log import get_logger
from notifications import queries, templates
from notifications.channels.inbox import Item
from notifications.channels.provider import Sms
from notifications.contacts import NOBODY_YET, Choices, Contact, Contacts
from notifications.model import MAY_REPEAT, Channel, DeliveryStage, Outcome
from notifications.residents.queries import ContactRow
from notifications.routing import Carriers
from notifications.seals import Seals
from notifications.template import Template

log = get_logger(__name__)

SealedContacts = Mapping[PersonId, ContactRow]
Tries = Mapping[str, Outcome | None]
"""What earlier attempts at a delivery came to, by provider."""


class Flight(msgspec.Struct, frozen=True):
    """One attempt: once its intent is committed it may be made, once."""

    message_id: MessageId
    channel: Channel
    fence: int
    expires_at: datetime
    provider: str
    tried: Tries
    sms: Sms


class Plan(msgspec.Struct):
    """What becomes of the messages of one batch."""

    items: list[Item] = []
    deliveries: list[queries.NewDelivery] = []
    moved: list[queries.Moved] = []
    flights: list[Flight] = []
    unsendable: list[MessageId] = []
    postponed: list[MessageId] = []


class Planning:
    """Plans batches of one bucket. Whatever is wrong with one message stays with it, and is alerted."""

    def __init__(self, seals: Seals, contacts: Contacts, carriers: Carriers) -> None:
        self._seals = seals
        self._contacts = contacts
        self._carriers = carriers

    def first(
        self,
        bucket: int,
        messages: Sequence[queries.DueMessage],
        contacts: SealedContacts,
        *,
        lease_until: datetime,
        now: datetime,
    ) -> Plan:
        """Turn due messages into deliveries."""
        plan = Plan()
        for message in messages:
            template = templates.find(message.template, message.version)
            if template is None:
                (plan.postponed if now < message.expires_at else plan.unsendable).append(message.message_id)
                continue
            try:
                values, contact = self._opened(message, contacts)
            except Exception as fault:  # noqa: BLE001 -- it is alerted, and must not hold up the others
                log.warning("message cannot be read", message_id=str(message.message_id), error=type(fault).__name__)
                plan.unsendable.append(message.message_id)
            else:
                self._deliver(plan, bucket, message, template, values, contact, lease_until, now)
        return plan

    def again(
        self,
        plan: Plan,
        deliveries: Sequence[queries.DueDelivery],
        contacts: SealedContacts,
        tries: Mapping[MessageId, Tries],
        *,
        now: datetime,
    ) -> None:
        """Add another attempt at each delivery to the plan, or its end if nobody may carry it."""
        for delivery in deliveries:
            try:
                self._retry(plan, delivery, contacts, tries[delivery.message.message_id], now)
            except Exception as fault:  # noqa: BLE001 -- it is alerted, and must not hold up the others
                message_id = delivery.message.message_id
                log.warning("message cannot be read", message_id=str(message_id), error=type(fault).__name__)
                plan.moved.append(_ended(delivery, DeliveryStage.UNDELIVERABLE, now, "cannot be read"))

    def _opened(self, message: queries.DueMessage, contacts: SealedContacts) -> tuple[dict[str, str], Contact | None]:
        """A message's values, and whom it goes to: None if to nobody we know."""
        values = self._seals.open_values(message.message_id, message.sealed_values)
        if message.address is not None:
            address = self._seals.open_address(message.message_id, message.address)
            return values, Contact(address.phone, Choices(address.language))
        if message.person_id is None:
            return values, None
        row = contacts.get(message.person_id)
        return values, NOBODY_YET if row is None else self._contacts.opened(row)

    def _deliver(
        self,
        plan: Plan,
        bucket: int,
        message: queries.DueMessage,
        template: Template,
        values: dict[str, str],
        contact: Contact | None,
        lease_until: datetime,
        now: datetime,
    ) -> None:
        if contact is None:
            return
        is_filed = "inbox" in template.channels and message.person_id is not None
        if is_filed and message.person_id is not None:
            plan.items.append(Item(message.person_id, message.message_id, template, values))
            plan.deliveries.append(_at_its_end(bucket, message, "inbox", DeliveryStage.DELIVERED, now))
        sms = _sms(message, template, values, contact)
        provider = self._carriers.choose({}, now)
        if sms is None:
            if not is_filed:
                end = DeliveryStage.UNDELIVERABLE
                plan.deliveries.append(_at_its_end(bucket, message, "sms", end, now, "no number"))
        elif message.expires_at <= now:
            plan.deliveries.append(_at_its_end(bucket, message, "sms", DeliveryStage.EXPIRED, now))
        elif provider is None:
            end = DeliveryStage.UNDELIVERABLE
            plan.deliveries.append(_at_its_end(bucket, message, "sms", end, now, "no provider"))
        else:
            plan.deliveries.append(_under_way(bucket, message, lease_until))
            plan.flights.append(Flight(message.message_id, "sms", 1, message.expires_at, provider.name, {}, sms))

    def _retry(
        self, plan: Plan, delivery: queries.DueDelivery, contacts: SealedContacts, tried: Tries, now: datetime
    ) -> None:
        message = delivery.message
        template = templates.find(message.template, message.version)
        assert template is not None, "its first try was made with it"
        values, contact = self._opened(message, contacts)
        sms = _sms(message, template, values, contact or NOBODY_YET)
        provider = self._carriers.choose(tried, now)
        is_certain = all(outcome is Outcome.REJECTED for outcome in tried.values())
        if sms is None or provider is None or not (is_certain or message.lane in MAY_REPEAT):
            end = DeliveryStage.UNDELIVERABLE if is_certain else DeliveryStage.UNKNOWN
            plan.moved.append(_ended(delivery, end, now, "nobody left to carry it"))
            return
        plan.flights.append(
            Flight(message.message_id, delivery.channel, delivery.fence, message.expires_at, provider.name, tried, sms)
        )


def _sms(message: queries.DueMessage, template: Template, values: Mapping[str, str], contact: Contact) -> Sms | None:
    """The SMS of a message; None if its template has none, or the person no number or no wish for it."""
    if "sms" not in template.channels or contact.phone is None or not contact.choices.wants_sms(template):
        return None
    text = template.sms(values, contact.choices.language)
    return Sms(str(message.message_id), contact.phone, text, message.expires_at)


def _at_its_end(
    bucket: int,
    message: queries.DueMessage,
    channel: Channel,
    stage: DeliveryStage,
    now: datetime,
    reason: str | None = None,
) -> queries.NewDelivery:
    return queries.NewDelivery(
        bucket, message.message_id, channel, message.lane, stage, 0, None, message.expires_at, now, reason
    )


def _under_way(bucket: int, message: queries.DueMessage, lease_until: datetime) -> queries.NewDelivery:
    stage = DeliveryStage.SENDING
    return queries.NewDelivery(
        bucket, message.message_id, "sms", message.lane, stage, 1, lease_until, message.expires_at, None, None
    )


def _ended(delivery: queries.DueDelivery, stage: DeliveryStage, now: datetime, reason: str) -> queries.Moved:
    return queries.Moved(delivery.message.message_id, delivery.channel, delivery.fence, stage, None, now, reason)
