"""A message, opened: whom it goes to, by which ways, and what each provider is given to carry."""

from collections.abc import Mapping
from typing import Final

import msgspec

from kernel.ids import PersonId
from notifications import queries
from notifications.channels.provider import Mail, Parcel, ProviderText, Sms, SubscribeMessage
from notifications.contacts import NOBODY_YET, Choices, Contact, Contacts
from notifications.model import MAY_REPEAT, Channel, Lane, Language, Outcome, Reading
from notifications.residents.queries import ContactRow
from notifications.routing.carriers import Road
from notifications.routing.prefixes import group_of
from notifications.seals import Seals
from notifications.segmenting import segments
from notifications.template import Template

SealedContacts = Mapping[PersonId, ContactRow]
Tries = Mapping[str, Outcome | Reading | None]
"""What earlier attempts at a delivery came to, by provider: what a receipt said of it, where it said no."""
UNASKED: Final[dict[Language, Choices]] = {"zh": Choices("zh"), "en": Choices("en")}
"""Whoever is no resident has chosen nothing."""
INSTEAD_OF_SUBSCRIBE = ("sms", "email")
"""Channels that only come in when a subscribe message before them fails."""


class Draft(msgspec.Struct, gc=False):
    """A message that is being planned. `contact` is None if it goes to nobody we know.

    `ways` are the outside channels it goes by, in order. `delivery` is set for another try at one of them.
    """

    message: queries.DueMessage
    template: Template
    values: dict[str, str]
    contact: Contact | None
    ways: tuple[Channel, ...]
    text: str | None = None
    """The words of the SMS, where one is to go."""
    delivery: queries.DueDelivery | None = None
    tried: Tries = {}
    tries: int = 1
    """Which attempt at this delivery the next one is, counted from 1."""
    subscribes_by: ProviderText | None = None
    """The text as the mini-program's platform keeps it."""

    @property
    def phone(self) -> str | None:
        return None if self.contact is None else self.contact.phone

    @property
    def has_quiet_hours(self) -> bool:
        return self.contact is None or self.contact.choices.has_quiet_hours

    def __repr__(self) -> str:
        return f"Draft({self.message.message_id})"


def opened(
    message: queries.DueMessage, template: Template, contacts: SealedContacts, seals: Seals, known: Contacts
) -> Draft:
    """A message with its values and its recipient. Raises what does not open, or does not fit its text."""
    values = seals.open_values(message.message_id, message.sealed_values)
    contact, ways = _recipient(message, template, contacts, seals, known)
    draft = Draft(message, template, values, contact, ways)
    if contact is not None and contact.phone is not None and "sms" in ways:
        draft.text = template.sms(values, contact.choices.language)
    return draft


def _recipient(
    message: queries.DueMessage, template: Template, contacts: SealedContacts, seals: Seals, known: Contacts
) -> tuple[Contact | None, tuple[Channel, ...]]:
    """Whom a message goes to, and by which outside channels."""
    if message.address is not None:
        address = seals.open_address(message.message_id, message.address)
        contact = Contact(address.phone, UNASKED[address.language], address.email)
        if address.email is not None:
            return contact, ("email",)
        return contact, tuple(one for one in template.channels if one == "sms")
    if message.person_id is None:
        return None, ()
    row = contacts.get(message.person_id)
    contact = NOBODY_YET if row is None else known.opened(row)
    chosen = contact.choices.channels(template, message.lane)
    return contact, tuple(one for one in chosen if one != "inbox")


def road_of(draft: Draft, channel: Channel) -> Road | None:
    """Where an SMS or an e-mail would go; None if there is no number or no address."""
    contact = draft.contact
    if contact is None:
        return None
    if channel == "sms":
        return None if contact.phone is None else Road("sms", group_of(contact.phone))
    if channel == "email":
        return None if contact.email is None else Road("email", "email")
    return None if draft.subscribes_by is None else Road("subscribe", "subscribe")


def parcel(draft: Draft, channel: Channel, provider: str, openid: str | None) -> Parcel:
    """What a provider is given."""
    message, contact, template = draft.message, draft.contact, draft.template
    assert contact is not None
    reference, language, until = str(message.message_id), contact.choices.language, message.expires_at
    if channel == "sms":
        assert contact.phone is not None
        kept = template.for_provider(provider, draft.values, language) if template.provider_ids else None
        text = draft.text or template.sms(draft.values, language)
        return Sms(reference, contact.phone, text, until, kept, message.lane in MAY_REPEAT)
    rendered = template.render(draft.values, language)
    if channel == "email":
        assert contact.email is not None
        is_bulk = message.lane in (Lane.BULK, Lane.REMINDER)
        return Mail(reference, contact.email, rendered.title, rendered.body, until, is_bulk)
    assert openid is not None
    assert draft.subscribes_by is not None
    return SubscribeMessage(reference, openid, rendered.body, until, draft.subscribes_by)


def parts_of(made: Parcel) -> int:
    """How many SMS a parcel comes to; one, for whatever is none."""
    return segments(made.text) if isinstance(made, Sms) else 1


def stand_ins(ways: tuple[Channel, ...]) -> list[Channel]:
    """The channels after `subscribe` that only come in when it fails."""
    if "subscribe" not in ways:
        return []
    after = ways[ways.index("subscribe") + 1 :]
    return [one for one in after if one in INSTEAD_OF_SUBSCRIBE]
