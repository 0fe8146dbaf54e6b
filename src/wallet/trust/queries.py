"""Every statement on trust lists, recognised cities and what was accepted of them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from kernel.db import Connection, Row
from kernel.ids import DeviceId, UseId
from suishenban_verify.signatures import PublicKey, public_key
from wallet.model import Words
from wallet.trust.model import City, PullFailure

_JWKS = msgspec.json.Decoder(list[dict[str, Any]])
_KINDS = msgspec.json.Decoder(dict[str, str])


class TrustPublication(Struct, frozen=True):
    """The trust list as it is published. `content` is the digest of what it says, its number and hours left out."""

    sequence: int
    content: bytes
    key_id: str
    issued_at: datetime
    expires_at: datetime
    token: str


class ForeignUse(Struct, frozen=True):
    """By which scan another city's code was spent here."""

    device_id: UUID
    use_id: UUID
    used_at: datetime


async def select_trust_publication(conn: Connection) -> TrustPublication | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_trust_publication
        SELECT seq, content, key_id, issued_at, expires_at, token
          FROM wallet.trust_publication WHERE publication_id = 1
        """
    )
    return None if row is None else TrustPublication(*row)


async def put_trust_publication(conn: Connection, made: TrustPublication, *, after: int) -> bool:
    """Publish a trust list, if the one numbered `after` still is the last (0: there is none); whether it was."""
    put = await conn.fetchval(
        """
        -- wallet.put_trust_publication
        INSERT INTO wallet.trust_publication AS p (publication_id, seq, content, key_id, issued_at, expires_at, token)
        VALUES (1, $1, $2, $3, $4, $5, $6)
        ON CONFLICT (publication_id) DO UPDATE
           SET seq = EXCLUDED.seq, content = EXCLUDED.content, key_id = EXCLUDED.key_id,
               issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at, token = EXCLUDED.token
         WHERE p.seq = $7
        RETURNING true
        """,
        made.sequence, made.content, made.key_id, made.issued_at, made.expires_at, made.token, after,
    )  # fmt: skip
    return bool(put)


async def select_cities(conn: Connection, *, limit: int) -> list[City]:
    """Every city that ever was recognised, by region."""
    rows = await conn.fetch(
        """
        -- wallet.select_cities
        SELECT region_code, issuer, name_zh, name_en, roots::text AS roots, kinds::text AS kinds, list_url,
               learned_roots::text AS learned_roots, trust_list, seq, read_at, withdrawn_at, failure, failing_since
          FROM wallet.trusted_city ORDER BY region_code LIMIT $1
        """,
        limit,
    )
    return [_city_of(row) for row in rows]


async def lock_city(conn: Connection, region_code: str) -> City | None:
    """A city, held until the transaction ends."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_city
        SELECT region_code, issuer, name_zh, name_en, roots::text AS roots, kinds::text AS kinds, list_url,
               learned_roots::text AS learned_roots, trust_list, seq, read_at, withdrawn_at, failure, failing_since
          FROM wallet.trusted_city WHERE region_code = $1 FOR UPDATE
        """,
        region_code,
    )
    return None if row is None else _city_of(row)


async def select_region_of(conn: Connection, issuer: str) -> str | None:
    """Which region is recognised under this issuer, or was."""
    region_code: str | None = await conn.fetchval(
        """
        -- wallet.select_region_of
        SELECT region_code FROM wallet.trusted_city WHERE issuer = $1
        """,
        issuer,
    )
    return region_code


async def put_city(conn: Connection, city: City) -> None:
    """Write everything of a city but when it was pulled last, and how that went."""
    learned = None if city.learned is None else _jwks_text(city.learned)
    await conn.execute(
        """
        -- wallet.put_city
        INSERT INTO wallet.trusted_city (region_code, issuer, name_zh, name_en, roots, kinds, list_url, learned_roots,
                                         trust_list, seq, read_at, withdrawn_at)
        VALUES ($1, $2, $3, $4, $5::jsonb, $6::jsonb, $7, $8::jsonb, $9, $10, $11, $12)
        ON CONFLICT (region_code) DO UPDATE
           SET issuer = EXCLUDED.issuer, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en, roots = EXCLUDED.roots,
               kinds = EXCLUDED.kinds, list_url = EXCLUDED.list_url, learned_roots = EXCLUDED.learned_roots,
               trust_list = EXCLUDED.trust_list, seq = EXCLUDED.seq, read_at = EXCLUDED.read_at,
               withdrawn_at = EXCLUDED.withdrawn_at
        """,
        city.region_code, city.issuer, city.name.zh, city.name.en, _jwks_text(city.roots),
        msgspec.json.encode(city.kinds).decode(), city.list_url, learned, city.trust_list, city.sequence, city.read_at,
        city.withdrawn_at,
    )  # fmt: skip


async def select_due_regions(conn: Connection, *, older_than: datetime, limit: int) -> list[str]:
    """Recognised cities that tell where their list is, and from which nobody fetched since `older_than`."""
    rows = await conn.fetch(
        """
        -- wallet.select_due_regions
        SELECT region_code FROM wallet.trusted_city
         WHERE withdrawn_at IS NULL AND list_url IS NOT NULL AND (pulled_at IS NULL OR pulled_at <= $1)
         ORDER BY pulled_at NULLS FIRST, region_code LIMIT $2
        """,
        older_than, limit,
    )  # fmt: skip
    return [row["region_code"] for row in rows]


async def select_city(conn: Connection, region_code: str) -> City | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_city
        SELECT region_code, issuer, name_zh, name_en, roots::text AS roots, kinds::text AS kinds, list_url,
               learned_roots::text AS learned_roots, trust_list, seq, read_at, withdrawn_at, failure, failing_since
          FROM wallet.trusted_city WHERE region_code = $1
        """,
        region_code,
    )
    return None if row is None else _city_of(row)


async def claim_pull(conn: Connection, region_code: str, *, now: datetime, older_than: datetime) -> bool:
    """Take it upon oneself to fetch from a city, unless somebody did since `older_than`."""
    claimed = await conn.fetchval(
        """
        -- wallet.claim_pull
        UPDATE wallet.trusted_city SET pulled_at = $2
         WHERE region_code = $1 AND withdrawn_at IS NULL AND (pulled_at IS NULL OR pulled_at <= $3)
        RETURNING true
        """,
        region_code, now, older_than,
    )  # fmt: skip
    return bool(claimed)


async def note_pull(conn: Connection, region_code: str, failure: PullFailure | None, *, now: datetime) -> None:
    """Write down how fetching from a city went; None: well. Since when it fails stays while it fails, however."""
    await conn.execute(
        """
        -- wallet.note_pull
        UPDATE wallet.trusted_city
           SET failure = $2, failing_since = CASE WHEN $2::text IS NOT NULL THEN coalesce(failing_since, $3) END
         WHERE region_code = $1
        """,
        region_code, None if failure is None else failure.value, now,
    )  # fmt: skip


async def put_status(
    conn: Connection, region_code: str, uri: str, token: str, *, issued_at: datetime, expires_at: datetime
) -> bool:
    """Keep a city's status list, unless a newer one is kept; whether it was."""
    put = await conn.fetchval(
        """
        -- wallet.put_status
        INSERT INTO wallet.trusted_status AS s (region_code, uri, token, issued_at, expires_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (region_code, uri) DO UPDATE
           SET token = EXCLUDED.token, issued_at = EXCLUDED.issued_at, expires_at = EXCLUDED.expires_at
         WHERE s.issued_at <= EXCLUDED.issued_at
        RETURNING true
        """,
        region_code, uri, token, issued_at, expires_at,
    )  # fmt: skip
    return bool(put)


async def select_status_time(conn: Connection, region_code: str, uri: str) -> datetime | None:
    """When the status list that is kept of a city under this address was made."""
    issued_at: datetime | None = await conn.fetchval(
        """
        -- wallet.select_status_time
        SELECT issued_at FROM wallet.trusted_status WHERE region_code = $1 AND uri = $2
        """,
        region_code, uri,
    )  # fmt: skip
    return issued_at


async def select_status(conn: Connection, region_code: str, uri: str) -> str | None:
    """A city's status list, as it was signed."""
    token: str | None = await conn.fetchval(
        """
        -- wallet.select_status
        SELECT token FROM wallet.trusted_status WHERE region_code = $1 AND uri = $2
        """,
        region_code, uri,
    )  # fmt: skip
    return token


async def delete_statuses(conn: Connection, region_code: str) -> None:
    await conn.execute(
        """
        -- wallet.delete_statuses
        DELETE FROM wallet.trusted_status WHERE region_code = $1
        """,
        region_code,
    )


async def select_foreign_use(conn: Connection, code_hash: bytes) -> ForeignUse | None:
    row = await conn.fetchrow(
        """
        -- wallet.select_foreign_use
        SELECT device_id, use_id, used_at FROM wallet.foreign_use WHERE code_hash = $1
        """,
        code_hash,
    )
    return None if row is None else ForeignUse(*row)


async def insert_foreign_use(
    conn: Connection, code_hash: bytes, device_id: DeviceId, use_id: UseId, *, used_at: datetime, expires_at: datetime
) -> bool:
    """Spend another city's code; false if it was spent before."""
    spent = await conn.fetchval(
        """
        -- wallet.insert_foreign_use
        INSERT INTO wallet.foreign_use (code_hash, device_id, use_id, used_at, expires_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING true
        """,
        code_hash, device_id, use_id, used_at, expires_at,
    )  # fmt: skip
    return bool(spent)


async def delete_ended_foreign_uses(conn: Connection, *, before: datetime) -> None:
    """Forget codes that nobody accepts any more."""
    await conn.execute(
        """
        -- wallet.delete_ended_foreign_uses
        DELETE FROM wallet.foreign_use WHERE expires_at < $1
        """,
        before,
    )


def _city_of(row: Row) -> City:
    return City(
        region_code=row["region_code"],
        issuer=row["issuer"],
        name=Words(row["name_zh"], row["name_en"]),
        roots=_keys_of(row["roots"]),
        kinds=_KINDS.decode(row["kinds"]),
        list_url=row["list_url"],
        learned=None if row["learned_roots"] is None else _keys_of(row["learned_roots"]),
        trust_list=row["trust_list"],
        sequence=row["seq"],
        read_at=row["read_at"],
        withdrawn_at=row["withdrawn_at"],
        failure=row["failure"],
        failing_since=row["failing_since"],
    )


def _keys_of(text: str) -> tuple[PublicKey, ...]:
    return tuple([public_key(jwk) for jwk in _JWKS.decode(text)])


def _jwks_text(keys: Sequence[PublicKey]) -> str:
    jwks: list[Mapping[str, Any]] = [{**key.jwk, "kid": key.key_id} for key in keys]
    return msgspec.json.encode(jwks).decode()
