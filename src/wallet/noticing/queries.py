"""Every statement about certificates that are about to end, and about uses that people want to hear of."""

from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from kernel.db import Connection
from kernel.ids import CertificateId, PersonId, VenueId

# ---- certificates that are about to end


class Round(Struct, frozen=True):
    """Up to which certificate the holders of those that end on a day were told, and whether that is all of them."""

    person_id: UUID
    certificate_id: UUID
    is_done: bool


class Ending(Struct, frozen=True):
    """A good certificate whose last day is near."""

    person_id: PersonId
    certificate_id: CertificateId
    kind_code: str


async def insert_round(conn: Connection, valid_until: date, days: int, first: UUID) -> None:
    """Begin a round, unless it was begun."""
    await conn.execute(
        """
        -- wallet.insert_round
        INSERT INTO wallet.expiry_round (valid_until, days, person_id, certificate_id, is_done)
        VALUES ($1, $2, $3, $3, FALSE) ON CONFLICT (valid_until, days) DO NOTHING
        """,
        valid_until, days, first,
    )  # fmt: skip


async def lock_round(conn: Connection, valid_until: date, days: int) -> Round | None:
    """A round, held until the transaction ends; None while somebody else holds it."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_round
        SELECT person_id, certificate_id, is_done FROM wallet.expiry_round
         WHERE valid_until = $1 AND days = $2 FOR UPDATE SKIP LOCKED
        """,
        valid_until, days,
    )  # fmt: skip
    return None if row is None else Round(*row)


async def update_round(conn: Connection, valid_until: date, days: int, reached: Round) -> None:
    await conn.execute(
        """
        -- wallet.update_round
        UPDATE wallet.expiry_round SET person_id = $3, certificate_id = $4, is_done = $5
         WHERE valid_until = $1 AND days = $2
        """,
        valid_until, days, reached.person_id, reached.certificate_id, reached.is_done,
    )  # fmt: skip


async def delete_rounds(conn: Connection, *, before: date) -> None:
    """Forget rounds about certificates that have ended."""
    await conn.execute(
        """
        -- wallet.delete_rounds
        DELETE FROM wallet.expiry_round WHERE valid_until < $1
        """,
        before,
    )


async def select_ending(
    conn: Connection, valid_until: date, after: Round, *, issued_before: datetime, limit: int
) -> list[Ending]:
    """The next certificates that end on a day, neither suspended nor ended otherwise, in the order of their keys."""
    rows = await conn.fetch(
        """
        -- wallet.select_ending
        SELECT person_id, certificate_id, kind_code FROM wallet.certificate
         WHERE valid_until = $1 AND state = 'issued' AND (person_id, certificate_id) > ($2, $3) AND issued_at < $4
         ORDER BY person_id, certificate_id LIMIT $5
        """,
        valid_until, after.person_id, after.certificate_id, issued_before, limit,
    )  # fmt: skip
    return [Ending(*row) for row in rows]


# ---- certificates that were shown


class Reached(Struct, frozen=True):
    """Up to which person and venue, of the span that began then, people were told."""

    began: datetime
    person_id: UUID
    venue_id: UUID


class Shows(Struct, frozen=True):
    """What one venue was shown of one person within a span."""

    began: datetime
    person_id: PersonId
    venue_id: VenueId
    looks: int
    first_at: datetime
    kind_codes: list[str]


async def insert_reached(conn: Connection, reached: Reached) -> None:
    """Say from when on people are told, unless that was said."""
    await conn.execute(
        """
        -- wallet.insert_reached
        INSERT INTO wallet.shown_round (round, window_start, person_id, venue_id) VALUES (1, $1, $2, $3)
        ON CONFLICT (round) DO NOTHING
        """,
        reached.began, reached.person_id, reached.venue_id,
    )  # fmt: skip


async def lock_reached(conn: Connection, shown_round: int) -> Reached | None:
    """How far people were told, held until the transaction ends; None while somebody else holds it, or nobody began."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_reached
        SELECT window_start, person_id, venue_id FROM wallet.shown_round WHERE round = $1 FOR UPDATE SKIP LOCKED
        """,
        shown_round,
    )
    return None if row is None else Reached(*row)


async def update_reached(conn: Connection, shown_round: int, reached: Reached) -> None:
    await conn.execute(
        """
        -- wallet.update_reached
        UPDATE wallet.shown_round SET window_start = $2, person_id = $3, venue_id = $4 WHERE round = $1
        """,
        shown_round, reached.began, reached.person_id, reached.venue_id,
    )  # fmt: skip


async def select_shows(
    conn: Connection, after: Reached, until: datetime, *, span: timedelta, epoch: datetime, nobody: VenueId, limit: int
) -> list[Shows]:
    """What venues saw, recorded from `after` on and before `until`, put together by span, person and venue, in order.

    Of several certificates that were shown together it is one look. `nobody` is the venue of what no venue saw.
    """
    rows = await conn.fetch(
        """
        -- wallet.select_shows
        SELECT date_bin($5, recorded_at, $6) AS began, person_id, venue_id, count(DISTINCT use_id), min(used_at),
               array_agg(DISTINCT kind_code)
          FROM wallet.use
         WHERE recorded_at >= $1 AND recorded_at < $4 AND outcome = 'valid' AND venue_id <> $7
           AND (date_bin($5, recorded_at, $6), person_id, venue_id) > ($1, $2, $3)
         GROUP BY date_bin($5, recorded_at, $6), person_id, venue_id
         ORDER BY date_bin($5, recorded_at, $6), person_id, venue_id LIMIT $8
        """,
        after.began, after.person_id, after.venue_id, until, span, epoch, nobody, limit,
    )  # fmt: skip
    return [Shows(*row) for row in rows]
