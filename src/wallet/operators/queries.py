"""Every statement on the catalogue: kinds, issuers, scenarios, venues, devices. All reference tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from kernel.db import Connection, Row
from kernel.grouping import Many
from kernel.ids import DeviceId, VenueId
from wallet.model import NO_TERMS, Field, Issuer, IssuerSort, Kind, Scenario, Terms, Venue, Words
from wallet.predicates import Predicate


class _Granted(msgspec.Struct):
    """A scenario granted to a venue, as `select_venues` puts it together."""

    scenario_code: str
    terms: Terms


_FIELDS = msgspec.json.Decoder(tuple[Field, ...])
_PREDICATES = msgspec.json.Decoder(tuple[Predicate, ...])
_GRANTED = msgspec.json.Decoder(list[_Granted])

_INSERT_SCENARIO_FIELDS = Many(
    """
    -- wallet.insert_scenario_fields
    INSERT INTO wallet.scenario_field (scenario_code, kind_code, fields) VALUES {rows}
    """,
    columns=3,
)
_INSERT_ISSUER_KINDS = Many(
    """
    -- wallet.insert_issuer_kinds
    INSERT INTO wallet.issuer_kind (issuer_code, kind_code) VALUES {rows}
    ON CONFLICT (issuer_code, kind_code) DO UPDATE SET withdrawn_at = NULL
    """,
    columns=2,
)
_INSERT_VENUE_SCENARIOS = Many(
    """
    -- wallet.insert_venue_scenarios
    INSERT INTO wallet.venue_scenario (venue_id, scenario_code) VALUES {rows}
    ON CONFLICT (venue_id, scenario_code) DO NOTHING
    """,
    columns=2,
)


async def select_kinds(conn: Connection) -> list[Kind]:
    rows = await conn.fetch(
        """
        -- wallet.select_kinds
        SELECT kind_code, name_zh, name_en, fields::text AS fields, valid_days, face_colour, layout, organ_zh, organ_en,
               face, predicates::text AS predicates, is_offline, is_printable, proves_guardianship
          FROM wallet.kind ORDER BY kind_code
        """
    )
    return [
        Kind(
            row["kind_code"], Words(row["name_zh"], row["name_en"]), _FIELDS.decode(row["fields"]), row["valid_days"],
            row["face_colour"], row["layout"], Words(row["organ_zh"], row["organ_en"]), tuple(row["face"]),
            _PREDICATES.decode(row["predicates"]), row["is_offline"], row["is_printable"], row["proves_guardianship"],
        )
        for row in rows
    ]  # fmt: skip


async def select_issuers(conn: Connection) -> list[Issuer]:
    rows = await conn.fetch(
        """
        -- wallet.select_issuers
        SELECT i.issuer_code, i.department_id, i.name_zh, i.name_en, i.sort, i.accredited_until,
               array_remove(array_agg(k.kind_code), NULL) AS kind_codes
          FROM wallet.issuer AS i
          LEFT JOIN wallet.issuer_kind AS k ON k.issuer_code = i.issuer_code AND k.withdrawn_at IS NULL
         GROUP BY i.issuer_code ORDER BY i.issuer_code
        """
    )
    return [
        Issuer(code, department_id, Words(zh, en), frozenset(kind_codes), IssuerSort(sort), accredited_until)
        for code, department_id, zh, en, sort, accredited_until, kind_codes in rows
    ]


async def select_grants(conn: Connection) -> dict[str, dict[str, tuple[str, ...]]]:
    """Which fields of which kind each scenario may see."""
    rows = await conn.fetch(
        """
        -- wallet.select_grants
        SELECT scenario_code, kind_code, fields FROM wallet.scenario_field ORDER BY scenario_code, kind_code
        """
    )
    grants: dict[str, dict[str, tuple[str, ...]]] = {}
    for scenario_code, kind_code, fields in rows:
        grants.setdefault(scenario_code, {})[kind_code] = tuple(fields)
    return grants


async def select_scenarios(conn: Connection, grants: Mapping[str, Mapping[str, tuple[str, ...]]]) -> list[Scenario]:
    rows = await conn.fetch(
        """
        -- wallet.select_scenarios
        SELECT s.scenario_code, s.edition, s.name_zh, s.name_en, e.purpose_zh, e.purpose_en
          FROM wallet.scenario AS s
          JOIN wallet.scenario_edition AS e ON e.scenario_code = s.scenario_code AND e.edition = s.edition
         ORDER BY s.scenario_code
        """
    )
    return [
        Scenario(code, edition, Words(zh, en), Words(purpose_zh, purpose_en), grants.get(code, {}))
        for code, edition, zh, en, purpose_zh, purpose_en in rows
    ]


async def select_purposes(conn: Connection) -> dict[tuple[str, int], Words]:
    """Every wording of every scenario's purpose, also those no longer in use."""
    rows = await conn.fetch(
        """
        -- wallet.select_purposes
        SELECT scenario_code, edition, purpose_zh, purpose_en FROM wallet.scenario_edition
        """
    )
    return {(code, edition): Words(zh, en) for code, edition, zh, en in rows}


async def select_venue_ids(conn: Connection) -> set[VenueId]:
    rows = await conn.fetch(
        """
        -- wallet.select_venue_ids
        SELECT venue_id FROM wallet.venue
        """
    )
    return {venue_id for (venue_id,) in rows}


async def select_venues(conn: Connection) -> list[Venue]:
    """Venues and what each is granted, in one statement, so that no grant is read without its terms."""
    rows = await conn.fetch(
        """
        -- wallet.select_venues
        SELECT v.venue_id, v.sort, v.credit_code, v.name_zh, v.name_en, v.district, v.address,
               json_agg(json_build_object('scenario_code', s.scenario_code, 'terms', json_build_object(
                   'grants', s.grants, 'days', s.days, 'opens_minute', s.opens_minute, 'closes_minute', s.closes_minute,
                   'quota_per_day', s.quota_per_day, 'granted_until', s.granted_until)))
               FILTER (WHERE s.scenario_code IS NOT NULL)::text AS granted
          FROM wallet.venue AS v LEFT JOIN wallet.venue_scenario AS s ON s.venue_id = v.venue_id
         GROUP BY v.venue_id ORDER BY v.venue_id
        """
    )
    return [_venue_of(row, _GRANTED.decode(row["granted"] or "[]")) for row in rows]


def _venue_of(row: Row, granted: list[_Granted]) -> Venue:
    return Venue(
        row["venue_id"],
        row["sort"],
        row["credit_code"],
        Words(row["name_zh"], row["name_en"]),
        row["district"],
        row["address"],
        frozenset(one.scenario_code for one in granted),
        {one.scenario_code: one.terms for one in granted if one.terms != NO_TERMS},
    )


async def select_devices(conn: Connection) -> list[tuple[DeviceId, VenueId, Words]]:
    """Devices that may ask: those not withdrawn."""
    rows = await conn.fetch(
        """
        -- wallet.select_devices
        SELECT device_id, venue_id, name_zh, name_en FROM wallet.device WHERE withdrawn_at IS NULL ORDER BY device_id
        """
    )
    return [(device_id, venue_id, Words(zh, en)) for device_id, venue_id, zh, en in rows]


async def put_kind(conn: Connection, kind: Kind) -> None:
    await conn.execute(
        """
        -- wallet.put_kind
        INSERT INTO wallet.kind (kind_code, name_zh, name_en, fields, valid_days, face_colour, layout, organ_zh,
                                 organ_en, face, predicates, is_offline, is_printable, proves_guardianship)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        ON CONFLICT (kind_code) DO UPDATE
           SET name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en, fields = EXCLUDED.fields,
               valid_days = EXCLUDED.valid_days, face_colour = EXCLUDED.face_colour, layout = EXCLUDED.layout,
               organ_zh = EXCLUDED.organ_zh, organ_en = EXCLUDED.organ_en, face = EXCLUDED.face,
               predicates = EXCLUDED.predicates, is_offline = EXCLUDED.is_offline,
               is_printable = EXCLUDED.is_printable, proves_guardianship = EXCLUDED.proves_guardianship
        """,
        kind.kind_code, kind.name.zh, kind.name.en, msgspec.json.encode(kind.fields).decode(), kind.valid_days,
        kind.face_colour, kind.layout, kind.organ.zh, kind.organ.en, list(kind.face),
        msgspec.json.encode(kind.predicates).decode(), kind.is_offline, kind.is_printable,
        kind.proves_guardianship,
    )  # fmt: skip


async def put_issuer(conn: Connection, issuer: Issuer) -> None:
    await conn.execute(
        """
        -- wallet.put_issuer
        INSERT INTO wallet.issuer (issuer_code, department_id, name_zh, name_en, sort, accredited_until)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (issuer_code) DO UPDATE
           SET department_id = EXCLUDED.department_id, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en,
               sort = EXCLUDED.sort, accredited_until = EXCLUDED.accredited_until
        """,
        issuer.issuer_code, issuer.department_id, issuer.name.zh, issuer.name.en, issuer.sort.value,
        issuer.accredited_until,
    )  # fmt: skip


async def withdraw_issuer_kinds(conn: Connection, issuer_code: str, *, kept: Sequence[str], now: datetime) -> None:
    """End the entitlement to every kind but those kept; what was issued stays as it is."""
    await conn.execute(
        """
        -- wallet.withdraw_issuer_kinds
        UPDATE wallet.issuer_kind SET withdrawn_at = $3
         WHERE issuer_code = $1 AND kind_code <> ALL ($2::text[]) AND withdrawn_at IS NULL
        """,
        issuer_code, list(kept), now,
    )  # fmt: skip


async def insert_issuer_kinds(conn: Connection, issuer_code: str, kind_codes: Sequence[str]) -> None:
    await _INSERT_ISSUER_KINDS.fetch(conn, [(issuer_code, kind_code) for kind_code in kind_codes])


async def lock_scenario(conn: Connection, scenario_code: str) -> tuple[int, Words] | None:
    """A scenario's edition and the purpose it states, held until the transaction ends."""
    row = await conn.fetchrow(
        """
        -- wallet.lock_scenario
        SELECT s.edition, e.purpose_zh, e.purpose_en
          FROM wallet.scenario AS s
          JOIN wallet.scenario_edition AS e ON e.scenario_code = s.scenario_code AND e.edition = s.edition
         WHERE s.scenario_code = $1 FOR UPDATE OF s
        """,
        scenario_code,
    )
    return None if row is None else (row["edition"], Words(row["purpose_zh"], row["purpose_en"]))


async def insert_scenario_edition(conn: Connection, scenario_code: str, edition: int, purpose: Words) -> None:
    await conn.execute(
        """
        -- wallet.insert_scenario_edition
        INSERT INTO wallet.scenario_edition (scenario_code, edition, purpose_zh, purpose_en) VALUES ($1, $2, $3, $4)
        """,
        scenario_code, edition, purpose.zh, purpose.en,
    )  # fmt: skip


async def put_scenario(conn: Connection, scenario: Scenario) -> None:
    await conn.execute(
        """
        -- wallet.put_scenario
        INSERT INTO wallet.scenario (scenario_code, edition, name_zh, name_en) VALUES ($1, $2, $3, $4)
        ON CONFLICT (scenario_code) DO UPDATE
           SET edition = EXCLUDED.edition, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en
        """,
        scenario.scenario_code, scenario.edition, scenario.name.zh, scenario.name.en,
    )  # fmt: skip


async def delete_scenario_fields(conn: Connection, scenario_code: str) -> None:
    await conn.execute(
        """
        -- wallet.delete_scenario_fields
        DELETE FROM wallet.scenario_field WHERE scenario_code = $1
        """,
        scenario_code,
    )


async def insert_scenario_fields(conn: Connection, scenario: Scenario) -> None:
    rows = [(scenario.scenario_code, kind_code, fields) for kind_code, fields in scenario.grants.items()]
    await _INSERT_SCENARIO_FIELDS.fetch(conn, rows)


async def put_venue(conn: Connection, venue: Venue) -> None:
    await conn.execute(
        """
        -- wallet.put_venue
        INSERT INTO wallet.venue (venue_id, sort, credit_code, name_zh, name_en, district, address)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (venue_id) DO UPDATE
           SET sort = EXCLUDED.sort, credit_code = EXCLUDED.credit_code, name_zh = EXCLUDED.name_zh,
               name_en = EXCLUDED.name_en, district = EXCLUDED.district, address = EXCLUDED.address
        """,
        venue.venue_id, venue.sort, venue.credit_code, venue.name.zh, venue.name.en, venue.district, venue.address,
    )  # fmt: skip


async def delete_venue_scenarios(conn: Connection, venue_id: VenueId, *, kept: Sequence[str]) -> None:
    """Take back every scenario but those kept, which keep their terms."""
    await conn.execute(
        """
        -- wallet.delete_venue_scenarios
        DELETE FROM wallet.venue_scenario WHERE venue_id = $1 AND scenario_code <> ALL ($2::text[])
        """,
        venue_id, list(kept),
    )  # fmt: skip


async def insert_venue_scenarios(conn: Connection, venue: Venue) -> None:
    """Grant what is not granted yet, without terms."""
    await _INSERT_VENUE_SCENARIOS.fetch(conn, [(venue.venue_id, code) for code in sorted(venue.scenario_codes)])


async def put_terms(conn: Connection, venue_id: VenueId, scenario_code: str, terms: Terms) -> None:
    grants = None if terms.grants is None else msgspec.json.encode(terms.grants).decode()
    await conn.execute(
        """
        -- wallet.put_terms
        INSERT INTO wallet.venue_scenario (venue_id, scenario_code, grants, days, opens_minute, closes_minute,
                                           quota_per_day, granted_until)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (venue_id, scenario_code) DO UPDATE
           SET grants = EXCLUDED.grants, days = EXCLUDED.days, opens_minute = EXCLUDED.opens_minute,
               closes_minute = EXCLUDED.closes_minute, quota_per_day = EXCLUDED.quota_per_day,
               granted_until = EXCLUDED.granted_until
        """,
        venue_id, scenario_code, grants, terms.days, terms.opens_minute, terms.closes_minute, terms.quota_per_day,
        terms.granted_until,
    )  # fmt: skip


async def put_device(conn: Connection, device_id: DeviceId, venue_id: VenueId, name: Words) -> None:
    await conn.execute(
        """
        -- wallet.put_device
        INSERT INTO wallet.device (device_id, venue_id, name_zh, name_en) VALUES ($1, $2, $3, $4)
        ON CONFLICT (device_id) DO UPDATE
           SET venue_id = EXCLUDED.venue_id, name_zh = EXCLUDED.name_zh, name_en = EXCLUDED.name_en, withdrawn_at = NULL
        """,
        device_id, venue_id, name.zh, name.en,
    )  # fmt: skip


async def withdraw_device(conn: Connection, device_id: DeviceId, *, now: datetime) -> bool:
    withdrawn = await conn.fetchval(
        """
        -- wallet.withdraw_device
        UPDATE wallet.device SET withdrawn_at = $2 WHERE device_id = $1 AND withdrawn_at IS NULL RETURNING true
        """,
        device_id, now,
    )  # fmt: skip
    return bool(withdrawn)
