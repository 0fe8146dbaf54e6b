"""The ids of what the demo names by a slug: the same in every city."""

from typing import Final
from uuid import UUID, uuid5

from kernel.ids import DepartmentId, DeviceId, StaffId, VenueId

_IDS: Final = UUID("8c1f5a52-3c0e-5d0b-9a57-6f1f64f0c7a1")
"""The namespace (RFC 9562 §5.5) of everything the demo names by a slug."""


def department_id_of(slug: str) -> DepartmentId:
    return DepartmentId(uuid5(_IDS, f"department/{slug}"))


def venue_id_of(slug: str) -> VenueId:
    return VenueId(uuid5(_IDS, f"venue/{slug}"))


def device_id_of(slug: str) -> DeviceId:
    return DeviceId(uuid5(_IDS, f"device/{slug}"))


def staff_id_of(key: str) -> StaffId:
    return StaffId(uuid5(_IDS, f"staff/{key}"))


def text_id_of(slug: str) -> UUID:
    return uuid5(_IDS, f"text/{slug}")
