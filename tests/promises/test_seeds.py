"""The demo city is planted whole, once however often, and completed after it was broken off."""

import asyncio
import gc
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from city import casting, embedded, seeds
from city.demo.certificates import all_holdings
from city.demo.kinds import KINDS
from city.demo.offices import OFFICES
from city.demo.scenarios import SCENARIOS
from city.demo.staff import STAFF
from city.demo.venues import VENUES
from city.journey import calling
from gateway.clients import queries
from gateway.clients.model import prove, read_assertion
from gateway.departments.model import State
from gateway.parts import CityParts
from kernel.clock import StoppedClock, in_shanghai
from kernel.db import Database
from kernel.people import Identity
from kernel.principal import Audience
from kernel.sealing import make_key_file
from kernel.settings import Settings, load
from notifications.services.keys.proving import token_of
from notifications.services.model import ApiKey
from notifications.texts.model import TextSort

Plant = Callable[[], Awaitable[str]]

TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
 WHERE schemaname IN ('kernel', 'gateway', 'wallet', 'appointments', 'notifications') ORDER BY 1
"""


@pytest.fixture
def settings(servers: embedded.Running, database_url: str, tmp_path: Path) -> Settings:
    make_key_file(tmp_path / "keys.json")
    return load(
        {
            "SUISHENBAN_DATABASE_URL": database_url,
            "SUISHENBAN_REDIS_URL": servers.redis_url,
            "SUISHENBAN_KEY_FILE": str(tmp_path / "keys.json"),
            "SUISHENBAN_DEMO": "true",
        }
    )


@pytest.fixture
def plant(settings: Settings, clock: StoppedClock) -> Plant:
    """Plants once more, and says what was said."""

    async def planted() -> str:
        out = io.StringIO()
        await seeds.plant(settings, clock=clock, out=out)
        return out.getvalue()

    return planted


@pytest.fixture
async def parts(settings: Settings, plant: Plant, clock: StoppedClock) -> AsyncIterator[CityParts]:
    """A planted city."""
    await plant()
    opened = await CityParts.open(settings, process="test", clock=clock)
    yield opened
    await opened.close()


async def content(database_url: str) -> dict[str, tuple[int, str]]:
    """Rows and a digest of every table."""
    conn = await asyncpg.connect(database_url)
    found = {}
    for (table,) in await conn.fetch(TABLES):
        digest = f"SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} AS t"
        found[table] = tuple(await conn.fetchrow(digest))
    await conn.close()
    return found


async def test_everybody_and_everything_is_there(parts: CityParts, db: Database, clock: StoppedClock):
    catalogue = parts.wallet.catalogue()
    assert len(catalogue.kinds) == len(KINDS)
    assert len(catalogue.scenarios) == len(SCENARIOS) + 1  # and checking in, at every office
    assert len(catalogue.venues) == len(VENUES) + len(OFFICES)
    assert len(catalogue.devices) == sum(len(venue.devices) for venue in VENUES) + len(OFFICES)
    held = list(all_holdings(in_shanghai(clock.now()).date()))
    assert await db.fetchval("SELECT count(*) FROM wallet.certificate") == len(held)
    assert await db.fetchval("SELECT count(*) FROM kernel.person") == len({person.key for person, _ in held})
    assert await db.fetchval("SELECT count(*) FROM gateway.staff") == len(STAFF)
    assert await db.fetchval("SELECT count(DISTINCT starts_at::date) FROM appointments.slot") >= 14
    [app] = await parts.departments.every_app()
    assert (app.manifest.slug, app.manifest.home, app.state) == ("parks", "http://127.0.0.1:8702", State.LIVE)


async def test_nobody_is_told_of_certificates_they_have_long_had(parts: CityParts, db: Database):
    assert await db.fetchval("SELECT count(*) FROM notifications.message") == 0


async def test_a_certificate_says_what_its_department_would_write(parts: CityParts, clock: StoppedClock):
    person, holding = next(iter(all_holdings(in_shanghai(clock.now()).date())))
    async with parts.db.connection() as conn:
        person_id = await parts.people.find(conn, person.id_number)
        assert person_id is not None
        assert await parts.people.identity(conn, person_id) == Identity(person.id_number, person.name)
    issuer = parts.wallet.catalogue().issuer_of(seeds.department_id_of(holding.department), holding.kind_code)
    assert issuer is not None
    certificate = await parts.wallet.issuing.find(parts.db, issuer, holding.issuer_reference)
    assert certificate.person_id == person_id
    assert certificate.attributes.values == holding.values
    assert holding.serial in certificate.attributes.identifier


async def test_planting_again_changes_nothing(parts: CityParts, plant: Plant, database_url: str):
    before = await content(database_url)
    said = await plant()
    assert await content(database_url) == before
    assert "certificates: all there" in said


async def test_planting_the_day_after_adds_a_day_of_slots_and_nothing_else(
    parts: CityParts, plant: Plant, database_url: str, clock: StoppedClock
):
    before = await content(database_url)
    clock.advance(timedelta(days=1))
    await plant()
    after = await content(database_url)
    changed = {table for table in after if after[table] != before[table]}
    assert changed == {"appointments.slot", "appointments.place", "appointments.office_service"}


async def test_what_was_broken_off_is_completed(plant: Plant, database_url: str, settings: Settings):
    for seconds in (0.15, 0.3, 0.6):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(plant(), seconds)
    await plant()
    whole = await content(database_url)
    assert whole["wallet.certificate"][0] == whole["wallet.issuer_reference"][0]
    await plant()
    assert await content(database_url) == whole


async def test_a_city_that_cannot_be_opened_whole_leaves_nothing_open(
    plant: Plant, database_url: str, settings: Settings
) -> None:
    await plant()
    conn = await asyncpg.connect(database_url)
    await conn.execute("ALTER TABLE wallet.trusted_city RENAME TO elsewhere")
    with pytest.raises(asyncpg.UndefinedTableError):
        await CityParts.open(settings, process="test")
    gc.collect()  # an open client of HTTP would say so now
    left = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert await conn.fetchval(left) == 0
    await conn.close()


async def test_ids_are_the_same_in_every_city():
    assert str(seeds.department_id_of("police")) == "130c7da9-27a5-51c4-b577-3457dab5e612"
    assert str(seeds.venue_id_of("river-city-museum")) == "2c3bc31b-7f50-56bc-90c7-3561df204398"


async def test_every_client_of_the_cast_can_prove_itself(parts: CityParts, settings: Settings, clock: StoppedClock):
    cast = casting.cast(settings)
    devices = len(parts.wallet.catalogue().devices) - len(OFFICES)  # an office's reader is its staff, who sign in
    assert len(cast.clients) == devices + len(seeds.DEPARTMENTS)
    for played in cast.clients:
        async with parts.db.connection() as conn:
            client = await queries.select_client(conn, played.client_id, Audience(played.audience))
        assert client is not None
        assertion = calling.assertion(played, issuer=cast.issuer, now=clock.now())
        audiences = frozenset({f"{cast.issuer}/{played.audience}/token"})
        assert prove(read_assertion(assertion), client, audiences=audiences, now=clock.now())


async def test_the_key_on_the_banner_proves_a_program_of_a_department_with_texts(
    parts: CityParts, settings: Settings, clock: StoppedClock
):
    [played] = casting.cast(settings).service_keys
    assert casting.how_to_send(settings.key_file, "http://127.0.0.1:8700")[1][1] == played.key
    service_id, now = seeds.department_id_of(played.sort), int(clock.now().timestamp())
    token = token_of(played.key[-36:], service_id, now)
    proved = parts.services.proving.prove(f"Bearer {token}".encode(), now)
    assert isinstance(proved, ApiKey)
    assert (proved.service_id, proved.kind) == (service_id, played.kind)
    assert played.key == f"{proved.name}-{service_id}-{played.key[-36:]}"
    assert {text.of.sort for text in parts.services.texts.of_department(service_id)} >= {TextSort.SMS, TextSort.EMAIL}


async def test_the_banner_fits_a_screen_and_names_every_role():
    rows = casting.who_is_who()
    assert len(rows) < 10
    assert {row[0].split()[0] for row in rows if row[0]} == {"resident", "venue", "department", "desk", "operator"}
