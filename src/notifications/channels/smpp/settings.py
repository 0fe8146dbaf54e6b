"""What a carrier that speaks SMPP must be told about, and what it was agreed with: one struct for each account."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from kernel.settings import Secret
from notifications.channels.smpp import codec

MessageIds = Literal["same", "answers_hex", "receipts_hex"]


class SmppSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at an SMSC. Several worker processes share it: window, connections and throughput are of each."""

    name: Annotated[str, Meta(min_length=1, max_length=60, pattern=r"^[a-z0-9_-]+$(?!\n)")]
    """What the carrier is called with every attempt and in alerts; stays as long as its receipts come."""
    host: Annotated[str, Meta(min_length=1, max_length=253)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 2775
    tls: bool = False
    """Whether the connection is TLS, the certificate checked against `host`."""
    system_id: Annotated[str, Meta(min_length=1, max_length=codec.SYSTEM_ID_MAX - 1, pattern=r"^[\x21-\x7e]+$(?!\n)")]
    password: Secret
    """At most eight ASCII characters: the protocol has room for no more (§5.2.2)."""
    system_type: Annotated[str, Meta(max_length=codec.SYSTEM_TYPE_MAX - 1, pattern=r"^[\x20-\x7e]*$(?!\n)")] = ""
    source: Annotated[str, Meta(max_length=codec.ADDRESS_MAX - 1, pattern=r"^[\x21-\x7e]*$(?!\n)")] = ""
    """The number or name that people see as the sender, and answer to; empty where the carrier sets it."""
    source_ton: Annotated[int, Meta(ge=0, le=6)] = 0
    """Type of that number (§5.2.5): 0 unknown, 1 international, 3 network specific, 5 alphanumeric."""
    source_npi: Annotated[int, Meta(ge=0, le=18)] = 0
    """Numbering plan of that number (§5.2.6): 0 unknown, 1 E.164."""
    country_code: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,2}$(?!\n)")] = "86"
    """Whose numbers those are that come in without a country code."""
    window: Annotated[int, Meta(ge=1, le=1000)] = 50
    """How many submissions of one connection may wait for their answer."""
    connections: Annotated[int, Meta(ge=1, le=16)] = 1
    throughput_per_second: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    """How many parts a second the carrier agreed to, for all connections of one process; unset: no bound of ours."""
    message_ids: MessageIds = "same"
    """How the carrier writes ids: the same in answers and receipts, or answers in hexadecimal and receipts in decimal
    (`answers_hex`), or the other way round (`receipts_hex`)."""
    sends_reference: bool = True
    """Whether submissions carry our reference (user_message_reference), for the carrier to repeat in receipts."""
    enquire_seconds: Annotated[int, Meta(ge=5, le=300)] = 30
    """After how long a silence the carrier is asked whether it is there."""
