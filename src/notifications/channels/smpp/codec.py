"""SMPP 3.4 on the wire: PDUs as octets, and back. Pure.

Sections are those of the Short Message Peer to Peer Protocol Specification v3.4, issue 1.2 of 12 October 1999. Whatever
comes in is bounded, a PDU by `PDU_MAX` and each field by what its section allows; what breaks a bound is `Malformed`.
"""

import struct
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from notifications.channels.smpp.statuses import Status

HEADER: Final = struct.Struct(">4I")
"""command_length, command_id, command_status, sequence_number (§3.2)."""
HEADER_OCTETS: Final = HEADER.size
PDU_MAX: Final = 65 * 1024
"""The longest PDU we take: a message_payload may have 65,535 octets (§5.3.2.32), and all else of its PDU has room."""
SEQUENCE_MAX: Final = 0x7FFFFFFF
"""§5.1.4."""
INTERFACE_VERSION: Final = 0x34
"""§5.2.4: this is version 3.4."""

# §5.1.2.1
RESPONSE: Final = 0x80000000
GENERIC_NACK: Final = 0x80000000
SUBMIT_SM: Final = 0x00000004
SUBMIT_SM_RESP: Final = 0x80000004
DELIVER_SM: Final = 0x00000005
DELIVER_SM_RESP: Final = 0x80000005
UNBIND: Final = 0x00000006
UNBIND_RESP: Final = 0x80000006
BIND_TRANSCEIVER: Final = 0x00000009
BIND_TRANSCEIVER_RESP: Final = 0x80000009
ENQUIRE_LINK: Final = 0x00000015
ENQUIRE_LINK_RESP: Final = 0x80000015
DATA_SM: Final = 0x00000103
DATA_SM_RESP: Final = 0x80000103
UNANSWERED: Final = frozenset({0x0000000B, 0x00000102})
"""outbind (§4.1.7) and alert_notification (§4.12): they have no response, so nothing is said to them."""

# §5.3.2, by tag
RECEIPTED_MESSAGE_ID: Final = 0x001E
USER_MESSAGE_REFERENCE: Final = 0x0204
SAR_MSG_REF_NUM: Final = 0x020C
SAR_TOTAL_SEGMENTS: Final = 0x020E
SAR_SEGMENT_SEQNUM: Final = 0x020F
MESSAGE_PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427

# The longest each string may be, its closing NUL included: §5.2.1, .2, .3, .7, .6, .8, .15, .23.
SYSTEM_ID_MAX: Final = 16
PASSWORD_MAX: Final = 9
SYSTEM_TYPE_MAX: Final = 13
ADDRESS_RANGE_MAX: Final = 41
SERVICE_TYPE_MAX: Final = 6
ADDRESS_MAX: Final = 21
TIME_MAX: Final = 17
MESSAGE_ID_MAX: Final = 65
SHORT_MESSAGE_MAX: Final = 254
"""§5.2.21."""

# esm_class, §5.2.12
MESSAGE_TYPE: Final = 0x3C
"""The bits that say what kind of message a deliver_sm is."""
IS_RECEIPT: Final = 0x04
IS_INTERMEDIATE: Final = 0x20
HAS_UDH: Final = 0x40

WANTS_RECEIPT: Final = 0x01
"""registered_delivery, §5.2.17: a receipt for success and for failure."""
CODING_DEFAULT: Final = 0x00
CODING_ASCII: Final = 0x01
CODING_LATIN1: Final = 0x03
CODING_UCS2: Final = 0x08
"""data_coding, §5.2.19."""

_TLV = struct.Struct(">HH")


def sequence_after(sequence: int) -> int:
    """The next sequence_number: from 1, and after the last one from 1 again (§5.1.4)."""
    return sequence % SEQUENCE_MAX + 1


class Malformed(Exception):
    """What came is no PDU we can read; `status` is what its sender is told."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Header(NamedTuple):
    length: int
    command: int
    status: int
    sequence: int


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """One PDU (§3.2)."""
    return HEADER.pack(HEADER_OCTETS + len(body), command, status, sequence) + body


def header_at(buffer: bytes, start: int) -> Header:
    """The header that begins at `start`, all of it there. Raises Malformed for a length that no PDU has."""
    header = Header._make(HEADER.unpack_from(buffer, start))
    check_length(header.length)
    return header


def check_length(octets: int) -> None:
    """Raises Malformed for a command_length that no PDU has: what follows it cannot be found."""
    if not HEADER_OCTETS <= octets <= PDU_MAX:
        raise Malformed(Status.RINVCMDLEN)


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """bind_transceiver (§4.1.5)."""

    system_id: str
    password: str
    system_type: str = ""
    address_range: str = ""

    def __repr__(self) -> str:
        return f"Bind({self.system_id})"

    def encode(self) -> bytes:
        """The body. Raises ValueError for what is too long or no ASCII."""
        return b"".join(
            (
                written(self.system_id, SYSTEM_ID_MAX),
                written(self.password, PASSWORD_MAX),
                written(self.system_type, SYSTEM_TYPE_MAX),
                bytes((INTERFACE_VERSION, 0, 0)),
                written(self.address_range, ADDRESS_RANGE_MAX),
            )
        )

    @classmethod
    def decode(cls, body: bytes) -> "Bind":
        """Raises Malformed."""
        system_id, at = read(body, 0, SYSTEM_ID_MAX)
        password, at = read(body, at, PASSWORD_MAX)
        system_type, at = read(body, at, SYSTEM_TYPE_MAX)
        _, at = read_octets(body, at, 3)
        address_range, at = read(body, at, ADDRESS_RANGE_MAX)
        if at != len(body):
            raise Malformed(Status.RINVCMDLEN)
        return cls(system_id=system_id, password=password, system_type=system_type, address_range=address_range)


class ShortMessage(msgspec.Struct, frozen=True, kw_only=True):
    """submit_sm (§4.4.1), deliver_sm (§4.6.1), whose fields are the same, or data_sm (§4.7.1), which has fewer."""

    service_type: str = ""
    source_ton: int = 0
    source_npi: int = 0
    source: str = ""
    destination_ton: int = 0
    destination_npi: int = 0
    destination: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority: int = 0
    schedule: str = ""
    validity: str = ""
    registered_delivery: int = 0
    replace_if_present: int = 0
    data_coding: int = 0
    default_message: int = 0
    short_message: bytes = b""
    tlvs: dict[int, bytes] = {}

    def __repr__(self) -> str:
        return f"ShortMessage(esm_class={self.esm_class:#04x})"

    @property
    def octets(self) -> bytes:
        """The text's octets, wherever they are: in short_message, or in message_payload when that is empty."""
        return self.short_message or self.tlvs.get(MESSAGE_PAYLOAD, b"")

    def encode(self) -> bytes:
        """The body of a submit_sm or deliver_sm. Raises ValueError for what does not fit."""
        if len(self.short_message) > SHORT_MESSAGE_MAX:
            raise ValueError("short_message is too long")
        return b"".join(
            (
                written(self.service_type, SERVICE_TYPE_MAX),
                bytes((self.source_ton, self.source_npi)),
                written(self.source, ADDRESS_MAX),
                bytes((self.destination_ton, self.destination_npi)),
                written(self.destination, ADDRESS_MAX),
                bytes((self.esm_class, self.protocol_id, self.priority)),
                written(self.schedule, TIME_MAX),
                written(self.validity, TIME_MAX),
                bytes((self.registered_delivery, self.replace_if_present, self.data_coding, self.default_message)),
                bytes((len(self.short_message),)),
                self.short_message,
                *(tlv(tag, value) for tag, value in self.tlvs.items()),
            )
        )

    @classmethod
    def decode(cls, body: bytes) -> "ShortMessage":
        """A submit_sm or deliver_sm. Raises Malformed."""
        service_type, at = read(body, 0, SERVICE_TYPE_MAX)
        (source_ton, source_npi), at = read_octets(body, at, 2)
        source, at = read(body, at, ADDRESS_MAX, Status.RINVSRCADR)
        (destination_ton, destination_npi), at = read_octets(body, at, 2)
        destination, at = read(body, at, ADDRESS_MAX, Status.RINVDSTADR)
        (esm_class, protocol_id, priority), at = read_octets(body, at, 3)
        schedule, at = read(body, at, TIME_MAX, Status.RINVSCHED)
        validity, at = read(body, at, TIME_MAX, Status.RINVEXPIRY)
        (registered_delivery, replace_if_present, data_coding, default_message, length), at = read_octets(body, at, 5)
        short_message, at = read_octets(body, at, length)
        return cls(
            service_type=service_type,
            source_ton=source_ton,
            source_npi=source_npi,
            source=source,
            destination_ton=destination_ton,
            destination_npi=destination_npi,
            destination=destination,
            esm_class=esm_class,
            protocol_id=protocol_id,
            priority=priority,
            schedule=schedule,
            validity=validity,
            registered_delivery=registered_delivery,
            replace_if_present=replace_if_present,
            data_coding=data_coding,
            default_message=default_message,
            short_message=short_message,
            tlvs=read_tlvs(body, at),
        )

    @classmethod
    def decode_data_sm(cls, body: bytes) -> "ShortMessage":
        """A data_sm. Raises Malformed."""
        service_type, at = read(body, 0, SERVICE_TYPE_MAX)
        (source_ton, source_npi), at = read_octets(body, at, 2)
        source, at = read(body, at, ADDRESS_RANGE_MAX_OF_DATA, Status.RINVSRCADR)
        (destination_ton, destination_npi), at = read_octets(body, at, 2)
        destination, at = read(body, at, ADDRESS_RANGE_MAX_OF_DATA, Status.RINVDSTADR)
        (esm_class, registered_delivery, data_coding), at = read_octets(body, at, 3)
        return cls(
            service_type=service_type,
            source_ton=source_ton,
            source_npi=source_npi,
            source=source,
            destination_ton=destination_ton,
            destination_npi=destination_npi,
            destination=destination,
            esm_class=esm_class,
            registered_delivery=registered_delivery,
            data_coding=data_coding,
            tlvs=read_tlvs(body, at),
        )


ADDRESS_RANGE_MAX_OF_DATA: Final = 65
"""§4.7.1: data_sm has room for longer addresses."""


def written(text: str, octets_max: int) -> bytes:
    """A C-Octet String (§3.1). Raises ValueError for what is too long, no ASCII, or would end within."""
    octets = text.encode("ascii")
    if len(octets) >= octets_max or b"\0" in octets:
        raise ValueError(f"not a string of at most {octets_max - 1} octets")
    return octets + b"\0"


def tlv(tag: int, value: bytes) -> bytes:
    """An optional parameter (§3.2.4.1)."""
    return _TLV.pack(tag, len(value)) + value


def read(body: bytes, start: int, octets_max: int, status: Status = Status.RINVPARLEN) -> tuple[str, int]:
    """The C-Octet String at `start`, and where what follows begins. Raises Malformed.

    It should be ASCII; what is not is shown as Latin-1, so that reading never fails for it.
    """
    end = body.find(0, start, start + octets_max)
    if end < 0:
        raise Malformed(status)
    return body[start:end].decode("latin-1"), end + 1


def read_octets(body: bytes, start: int, count: int) -> tuple[bytes, int]:
    """The next `count` octets, and where what follows begins. Raises Malformed."""
    end = start + count
    if end > len(body):
        raise Malformed(Status.RINVCMDLEN)
    return body[start:end], end


def read_tlvs(body: bytes, start: int) -> dict[int, bytes]:
    """The optional parameters from `start` to the end; of one that is there twice, the last. Raises Malformed."""
    found = {}
    while start < len(body):
        if len(body) - start < _TLV.size:
            raise Malformed(Status.RINVOPTPARSTREAM)
        tag, length = _TLV.unpack_from(body, start)
        start += _TLV.size
        if length > len(body) - start:
            raise Malformed(Status.RINVOPTPARSTREAM)
        found[tag] = body[start : start + length]
        start += length
    return found


def read_message_id(body: bytes) -> str:
    """The message_id of a submit_sm_resp (§4.4.2); empty where there is none. Never raises: the message was taken."""
    octets = body[:MESSAGE_ID_MAX]
    end = octets.find(0)
    return (octets if end < 0 else octets[:end]).decode("latin-1")


_MOMENT: Final = "%02d%02d%02d%02d%02d%02d%d00+"


@lru_cache(maxsize=4096)
def absolute_time(at: datetime) -> str:
    """A moment as §7.1.1.1 writes it, in UTC: YYMMDDhhmmsstnnp."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return _MOMENT % (
        utc.year % 100, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond // 100_000,
    )  # fmt: skip
