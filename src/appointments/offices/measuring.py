"""How far offices are from where somebody is."""

from collections.abc import Iterable
from math import asin, cos, radians, sin, sqrt
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from appointments.model import Office

EARTH_RADIUS_M: Final = 6_371_008.8
"""The mean radius of the Earth (IUGG)."""
METRES_MAX: Final = 20_100_000
"""No two places on the Earth are further apart."""


class Point(msgspec.Struct, frozen=True):
    """A place in degrees, WGS 84."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]


class Away(msgspec.Struct, frozen=True):
    """An office and how far it is, in metres as the crow flies."""

    metres: int
    office: Office

    @property
    def turn(self) -> tuple[int, bytes]:
        """What orders offices: the distance, and the id between those equally far."""
        return self.metres, self.office.office_id.bytes


def metres_between(one: Point, other: Point) -> int:
    """The great-circle distance by the haversine formula; right to half a percent, as the Earth is no sphere."""
    here, there = radians(one.latitude), radians(other.latitude)
    up = sin((there - here) / 2) ** 2
    along = sin(radians(other.longitude - one.longitude) / 2) ** 2
    return round(2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(up + cos(here) * cos(there) * along))))


def nearest_first(offices: Iterable[Office], near: Point, within_m: int | None = None) -> list[Away]:
    """Those of the offices whose position is known, at most `within_m` away, nearest first."""
    away = []
    for office in offices:
        if office.latitude is not None and office.longitude is not None:
            metres = metres_between(near, Point(office.latitude, office.longitude))
            if within_m is None or metres <= within_m:
                away.append(Away(metres, office))
    return sorted(away, key=lambda one: one.turn)
