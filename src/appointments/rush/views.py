"""Releases and places in line, as people see them: hours in Shanghai time."""

from datetime import datetime
from uuid import UUID

import msgspec

from appointments import moments
from appointments.rush.model import Place, Release, State
from kernel.clock import in_shanghai


class ReleaseView(msgspec.Struct):
    """Slots of one service that open at one moment, behind the gate.

    `seed_sha256` is told from the beginning, `seed` (hexadecimal) once the release is open: the pool stands in the
    order of the first 52 bits of HMAC-SHA-256(seed, member), the member being the first 16 bytes of a ticket.
    """

    release_id: UUID
    service_id: UUID
    opens_at: datetime
    closes_at: datetime
    is_open: bool
    slots: int
    places: int
    seed_sha256: str
    seed: str | None

    @classmethod
    def of(cls, release: Release, *, seed: bytes, seed_sha256: str, now: datetime) -> "ReleaseView":
        has_opened = now >= release.opens_at
        return cls(
            release_id=release.release_id,
            service_id=release.service_id,
            opens_at=in_shanghai(release.opens_at),
            closes_at=in_shanghai(release.closes_at),
            is_open=release.is_open(now),
            slots=len(release.slot_ids),
            places=release.places,
            seed_sha256=seed_sha256,
            seed=seed.hex() if has_opened else None,
        )


class ReleasesView(msgspec.Struct):
    """A page of releases, soonest first; `next` is the cursor of the page after it, null at the end."""

    releases: list[ReleaseView]
    next: str | None


class PlaceView(msgspec.Struct):
    """Where somebody stands in a release.

    `pooled`: the release is still to come, and everybody in the pool has the same chance. `waiting`: `position` in
    line, `ahead` of it so many; `wait_seconds` as measured, null when that cannot be known. `admitted`: book with
    `admission` before `expires_at`. `used`: a place was taken with it. `sold_out`: nothing is free now; the place in
    line is kept. `closed`: there is nothing left to book. Ask again after `poll_after_seconds`. `ticket` gives the
    place back when the line was lost: send it when joining.
    """

    release_id: UUID
    state: State
    position: int | None
    ahead: int | None
    people: int | None
    free: int | None
    wait_seconds: int | None
    poll_after_seconds: float
    admission: str | None
    expires_at: datetime | None
    ticket: str | None

    @classmethod
    def of(cls, place: Place) -> "PlaceView":
        return cls(
            place.release_id,
            place.state,
            place.position,
            None if place.position is None else place.position - 1,
            place.people,
            place.free,
            place.wait_seconds,
            place.poll_after_seconds,
            place.admission,
            moments.shown(place.expires_at),
            place.ticket,
        )
