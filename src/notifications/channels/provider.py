"""What every SMS provider is to us, the demo one included."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

import msgspec

from notifications.model import Reading

REFERENCE_MAX = 200


def fit_to_file(said: str) -> str:
    """What a provider said, fit to be filed: nothing unprintable, not long."""
    return "".join(sign for sign in said if sign.isprintable())[:REFERENCE_MAX]


class Sms(msgspec.Struct, frozen=True):
    """One text for one number (E.164). `reference` is ours, the same at every try: the provider's idempotency key."""

    reference: str
    phone: str
    text: str
    valid_until: datetime

    def __repr__(self) -> str:
        return f"Sms({self.reference})"


class Accepted(msgspec.Struct, frozen=True):
    """The provider took it and will say of `provider_ref` what became of it."""

    provider_ref: str


class Refused(msgspec.Struct, frozen=True):
    """The provider said no for certain, so that trying again can double nothing.

    `busy`: later, or by another; `provider`: never by this one; `recipient`: by nobody. `reason` is the provider's
    code, for operators; it holds nothing about the person.
    """

    kind: Literal["busy", "provider", "recipient"]
    reason: str


class RawReceipt(msgspec.Struct, frozen=True):
    """What a provider says of one SMS, as it came (`raw`) and as its driver reads it."""

    provider_ref: str
    reading: Reading
    raw: bytes


TakeReceipts = Callable[[Sequence[RawReceipt]], Awaitable[None]]
"""Stores receipts; a provider is told "received" only after it returned."""


@runtime_checkable
class SmsProvider(Protocol):
    @property
    def name(self) -> str:
        """At most 60 characters; filed with every attempt."""
        ...

    async def send(self, sms: Sms) -> Accepted | Refused:
        """Hand one SMS over. Whatever this raises, and running late, means *unknown*: perhaps it left."""
        ...

    async def receipts(self, take: TakeReceipts) -> None:
        """Pass receipts on for as long as the process runs."""
        ...

    def announce(self) -> None:
        """Say at start who carries the city's SMS; a stand-in says that it is one."""
        ...
