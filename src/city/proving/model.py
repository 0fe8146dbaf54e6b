"""What is known of each message of the proof: what the peers logged, and what our ledger says. Pure."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from notifications.model import Channel, DeliveryStage, Lane, MessageStage, Outcome

CALLER: Final = "proof"
DEPARTMENT: Final = UUID(int=77)
"""Who owes the bulk messages."""
CALLERS: Final = (CALLER, f"department:{DEPARTMENT}")
_KEY: Final = "proof-"
_PREFIXES: Final = ("86138", "86130", "86133")
"""Numbers of three networks; the eight digits behind are the message's own."""
_DIGITS: Final = 8
MESSAGES_MOST: Final = 1_000_000
assert MESSAGES_MOST < 10**_DIGITS


def key_of(nth: int) -> str:
    """The name of the promise."""
    return f"{_KEY}{nth}"


def nth_of_key(key: str) -> int:
    return int(key.removeprefix(_KEY))


def phone_of(nth: int) -> str:
    """The number of one message alone, E.164."""
    return f"+{_PREFIXES[nth % len(_PREFIXES)]}{nth:0{_DIGITS}d}"


def nth_of_number(digits: str) -> int | None:
    """The message a number is of; None for one that was never given out."""
    tail = digits[-_DIGITS:]
    if not tail.isdecimal() or phone_of(int(tail)) != f"+{digits}":
        return None
    return int(tail)


def address_of(nth: int, *, is_dropped: bool) -> str:
    """The e-mail address of one message alone. What goes to a dropped one the relay takes without a word."""
    return f"{'dropped' if is_dropped else 'person'}.{nth}@people.example"


def nth_of_address(address: str) -> int | None:
    tail = address.partition("@")[0].rpartition(".")[2]
    return int(tail) if tail.isdecimal() else None


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """A submit_sm that an SMSC took in: what it decided, and what it said of it. `at_ms` since 1970."""

    provider: str
    at_ms: int
    nth: int | None
    reference: int | None
    """Our 16 bits of it."""
    part: int = 0
    parts: int = 1
    status: int | None = None
    """With what it was refused; None where it was not."""
    provider_ref: str | None = None
    """How the SMSC calls it; None for one that was not accepted."""
    said: frozenset[str] = frozenset()
    """What its receipts said, of those that were sent."""

    @property
    def is_refused(self) -> bool:
        return self.status is not None


class Letter(msgspec.Struct, frozen=True):
    """An e-mail that the relay took; `is_dropped`: it said nothing of it."""

    nth: int | None
    is_dropped: bool


class Logs(msgspec.Struct, frozen=True):
    """What the peers wrote down."""

    submissions: list[Submission]
    letters: list[Letter]
    ends: dict[str, list[int]]
    """When connections ended, by provider, in milliseconds since 1970, in order."""
    until_ms: int
    """The last line's moment."""


class Owed(msgspec.Struct, frozen=True):
    """A row of what is owed."""

    nth: int
    message_id: UUID
    lane: Lane
    stage: MessageStage


class Delivery(msgspec.Struct, frozen=True):
    message_id: UUID
    channel: Channel
    stage: DeliveryStage
    reason: str | None


class Attempt(msgspec.Struct, frozen=True):
    message_id: UUID
    channel: Channel
    fence: int
    provider: str
    intended_at: datetime
    outcome: Outcome | None
    provider_ref: str | None = None
    reason: str | None = None

    @property
    def was_unknown(self) -> bool:
        """Whether nobody knew at first: what a receipt told later keeps the reason why it was unknown."""
        return self.outcome is Outcome.UNKNOWN or (self.outcome is Outcome.ACCEPTED and self.reason is not None)


class Carried(msgspec.Struct, frozen=True):
    provider: str
    provider_ref: str
    message_id: UUID
    part: int


class Ledger(msgspec.Struct, frozen=True):
    """What our tables say."""

    owed: list[Owed]
    deliveries: list[Delivery]
    attempts: list[Attempt]
    carried: list[Carried]
    items: dict[UUID, int]
    """How often each message lies in its inbox."""
    alerted: int
    """How many ends operators are shown as bad ones."""


class Violation(msgspec.Struct, frozen=True):
    """A promise that was not kept. `rule` is a letter of `judging.RULES`."""

    rule: str
    message_id: UUID | None
    words: str


class Verdict(msgspec.Struct, frozen=True):
    """What the judge found: how many of each case, the ends by lane and channel, and what was not kept."""

    expected: int
    ends: dict[str, dict[str, int]]
    cases: dict[str, int]
    examples: dict[str, str]
    """A message of each case, by its id."""
    violations: list[Violation]
