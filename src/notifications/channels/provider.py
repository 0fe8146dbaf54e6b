"""What every outside way to people is to us: SMS, e-mail, a mini-program's subscribe messages, the demo included."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import msgspec

from notifications.model import Channel, Reading, RefusalKind

REFERENCE_MAX = 200
SEND_SECONDS = 8.0
"""By when a driver should have an answer for everything it was given: soon after, all of it counts as unknown."""
AT_ONCE_MAX = 256
"""Parcels one provider has in hand at once, where it does not say how many (`at_once_max`)."""
PARTS_MAX = 31
"""More parts than any text of ours may have; which of them arrived is kept in one integer."""


def fit_to_file(said: str) -> str:
    """What a provider said, fit to be filed: nothing unprintable, not long."""
    if len(said) <= REFERENCE_MAX and said.isprintable():
        return said
    return "".join(sign for sign in said if sign.isprintable())[:REFERENCE_MAX]


def user_reference(reference: str, part: int = 0) -> int:
    """Our reference of one part, counted from 0, in the 16 bits that a carrier repeats in its receipts.

    SMPP v3.4 §5.3.2.17 (user_message_reference). The last two bytes of the message's id, the part folded in, so that a
    receipt finds its message even where the answer to the submission was lost.
    """
    return with_part(int(reference[-4:], 16), part)


def with_part(bits: int, part: int) -> int:
    """Fold a part into the 16 bits of a message, or out of them again: doing it twice undoes it."""
    assert 0 <= part < PARTS_MAX
    return bits ^ part << 6


class ProviderText(msgspec.Struct, frozen=True):
    """A text as a provider keeps it: its own name for it, who signs (签名), and what stands in its gaps."""

    provider_template: str
    signature: str
    parameters: dict[str, str]

    def __repr__(self) -> str:
        return f"ProviderText({self.provider_template})"


class Sms(msgspec.Struct, frozen=True, gc=False):
    """One text for one number (E.164). `reference` is ours, the same at every try: the provider's idempotency key.

    `template` is the same text for a provider that takes no free words; None where it keeps none of it. `is_urgent`:
    somebody waits for it, so it goes before whatever else waits.
    """

    reference: str
    phone: str
    text: str
    valid_until: datetime
    template: ProviderText | None = None
    is_urgent: bool = False

    @property
    def to(self) -> str:
        return self.phone

    def __repr__(self) -> str:
        return f"Sms({self.reference})"


class Mail(msgspec.Struct, frozen=True, gc=False):
    """One e-mail. `is_bulk`: it goes to many, who may ask for no more of it with one click (RFC 8058)."""

    reference: str
    address: str
    subject: str
    text: str
    valid_until: datetime
    is_bulk: bool = False

    @property
    def to(self) -> str:
        return self.address

    def __repr__(self) -> str:
        return f"Mail({self.reference})"


class SubscribeMessage(msgspec.Struct, frozen=True):
    """One subscribe message (订阅消息) of the mini-program, under a grant of the person's."""

    reference: str
    openid: str
    text: str
    valid_until: datetime
    template: ProviderText

    @property
    def to(self) -> str:
        return self.openid

    def __repr__(self) -> str:
        return f"SubscribeMessage({self.reference})"


Parcel = Sms | Mail | SubscribeMessage


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The provider took it, and will say of each of `provider_refs`, in the order of the parts, what became of it.

    One for all of a text, or one for each part: an empty one where a part was given none, so that the others' receipts
    never make it whole. None where no receipt can be told apart; what was accepted by a provider of `receipts_come`
    ends unknown then.
    """

    provider_refs: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """The provider said no for certain, so that trying again can double nothing.

    `busy`: later, or by another; `provider`: never by this one; `recipient`: by nobody. `later` and `message` are the
    same as the first two where only this number or address, or this text, is what the provider will not have now, or
    ever: they say nothing of how well it carries others. `reason` is the provider's code, for operators; it holds
    nothing about the person.
    """

    kind: RefusalKind
    reason: str


class RawReceipt(msgspec.Struct, frozen=True, gc=False):
    """What a provider says of one part of a message, as it came (`raw`) and as its driver reads it.

    Where the provider repeats what we called it, the driver says so too: `reference` is ours whole, `user_reference`
    its 16 bits (see there), of a part, with the whole one or the number it went to. They find the message when the
    answer that held `provider_ref` was lost.
    """

    provider_ref: str
    reading: Reading
    raw: bytes
    reference: str | None = None
    user_reference: int | None = None
    phone: str | None = None

    def __repr__(self) -> str:
        return f"RawReceipt({self.provider_ref}, {self.reading})"


class ReceivedText(msgspec.Struct, frozen=True):
    """A text somebody sent to one of our numbers. `provider_ref` is the same when the provider says it again.

    `may_recur`: it is made of the words and the hour, so that the same words written again have it too.
    """

    provider: str
    from_phone: str
    to_number: str
    text: str
    provider_ref: str
    received_at: datetime
    may_recur: bool = False

    def __repr__(self) -> str:
        return f"ReceivedText({self.provider_ref})"


TakeReceipts = Callable[[Sequence[RawReceipt]], Awaitable[None]]
"""Stores receipts; a provider is told "received" only after it returned."""
TakeTexts = Callable[[Sequence[ReceivedText]], Awaitable[None]]
"""Stores texts from people; a provider is told "received" only after it returned."""


@runtime_checkable
class Provider(Protocol):
    """A way out of one channel. Its `send` takes the shape of that channel: `Sms`, `Mail` or `SubscribeMessage`.

    One that takes no free words has `takes_kept_texts = True`: it is asked only for texts of which it keeps a template.
    """

    @property
    def name(self) -> str:
        """At most 60 characters; filed with every attempt."""
        ...

    @property
    def channel(self) -> Channel: ...

    @property
    def receipts_come(self) -> bool:
        """Whether it says later what became of what it accepted; if not, accepted is the end we can know."""
        ...

    async def send(self, parcel: Any, /) -> Accepted | Refused:
        """Hand one parcel over. Whatever this raises, and running late, means *unknown*: perhaps it left."""
        ...

    async def receipts(self, take: TakeReceipts, hear: TakeTexts) -> None:
        """Pass receipts and texts from people on for as long as the process runs."""
        ...

    def announce(self) -> None:
        """Say at start who carries the city's messages; a stand-in says that it is one."""
        ...


@runtime_checkable
class SendsMany(Protocol):
    """A provider that takes many at once without a task for each.

    It ends by itself within `SEND_SECONDS`, and refuses as busy what it has not handed over by then.
    """

    async def send_many(self, parcels: Sequence[Any], /) -> list[Accepted | Refused | Exception]:
        """Hand parcels over; an answer for each, in order. An exception means *unknown* for that one."""
        ...
