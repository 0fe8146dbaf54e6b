"""One type per kind of id. Ids are UUIDv7, made by us, so that rows written together lie together."""

import secrets
from datetime import datetime
from functools import lru_cache
from typing import NewType
from uuid import UUID

AccountId = NewType("AccountId", UUID)
PersonId = NewType("PersonId", UUID)
SessionId = NewType("SessionId", UUID)
StaffId = NewType("StaffId", UUID)
DepartmentId = NewType("DepartmentId", UUID)
VenueId = NewType("VenueId", UUID)
DeviceId = NewType("DeviceId", UUID)
CertificateId = NewType("CertificateId", UUID)
AskId = NewType("AskId", UUID)
UseId = NewType("UseId", UUID)
OfficeId = NewType("OfficeId", UUID)
ServiceId = NewType("ServiceId", UUID)
SlotId = NewType("SlotId", UUID)
BookingId = NewType("BookingId", UUID)
MessageId = NewType("MessageId", UUID)
DeliveryId = NewType("DeliveryId", UUID)

BUCKETS = 64
"""How many buckets queues are spread over; fixed for ever, since rows are filed by it."""

CALLERS_KEPT_MAX = 10_000
"""Callers whose part of a bucket is remembered."""

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62


def uuid7(now: datetime) -> UUID:
    """A fresh UUID of version 7 (RFC 9562 §5.7): 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    chance = secrets.randbits(74)
    return UUID(int=milliseconds << 80 | _VERSION | (chance >> 62) << 64 | _VARIANT | chance & 0x3FFF_FFFF_FFFF_FFFF)


def bucket_of(caller: str, key: str) -> int:
    """The bucket of a queue row: a pure function of caller and key, so that (bucket, caller, key) is unique everywhere.

    FNV-1a, 32 bits, over the UTF-8 text of both with a zero byte between, folded onto `BUCKETS`.
    """
    state = _folded(_begun(caller), key)
    return (state ^ state >> 16) % BUCKETS


@lru_cache(maxsize=CALLERS_KEPT_MAX)
def _begun(caller: str) -> int:
    """How far the fold is before the key: the same callers come all day."""
    return _folded(0x811C9DC5, f"{caller}\0")


def _folded(state: int, text: str) -> int:
    for byte in text.encode():
        state = (state ^ byte) * 0x01000193 & 0xFFFFFFFF
    return state
