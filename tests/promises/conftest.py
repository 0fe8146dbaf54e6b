"""Who and what many promises are kept with; a file that needs them otherwise says so itself."""

from collections.abc import AsyncIterator

import httpx
import pytest

from appointments.model import office_id_of
from appointments.parts import Appointments
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import PersonId
from kernel.redis import Redis
from kernel.sealing import Keys
from notifications.callbacks.parts import Callbacks
from notifications.contacts import Contacts
from notifications.outbox import Outbox
from notifications.replies.parts import Replies
from tests import builders_appointments, builders_callbacks
from tests.builders_appointments import a_person, open_appointments
from tests.builders_family import another
from tests.builders_wallet import POLICE_ID, a_wallet, issued
from tests.wire_wallet import Wire
from wallet.model import Certificate
from wallet.parts import Wallet

# ---- the wallet ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    return await a_wallet(db, redis, clock, keys)


@pytest.fixture
def wire(wallet: Wallet) -> Wire:
    """The wallet over HTTP."""
    return Wire(wallet)


@pytest.fixture
async def card(wallet: Wallet) -> Certificate:
    """The identity card of somebody: where there are mandates, of who gives them."""
    return await issued(wallet)


@pytest.fixture
async def agents_card(wallet: Wallet) -> Certificate:
    """The identity card of somebody else, who shows what is another's under a mandate or as a guardian."""
    return await another(wallet)


@pytest.fixture
async def police(wire: Wire) -> AsyncIterator[httpx.AsyncClient]:
    """The system of the department that issues identity cards."""
    async with wire.department(POLICE_ID) as client:
        yield client


# ---- appointments ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def appointments(db: Database, clock: StoppedClock, keys: Keys) -> Appointments:
    return await open_appointments(db, clock, keys)


@pytest.fixture
def person() -> PersonId:
    """Somebody who books."""
    return a_person()


@pytest.fixture
async def resident(appointments: Appointments, person: PersonId) -> AsyncIterator[httpx.AsyncClient]:
    """The person's app, asking for appointments."""
    async with builders_appointments.Wire(appointments).resident(person) as client:
        yield client


@pytest.fixture
async def desk(appointments: Appointments) -> AsyncIterator[httpx.AsyncClient]:
    """A clerk's app at the office that slots are made in where nothing else is said."""
    async with builders_appointments.Wire(appointments).staff(office_id_of("xuhui")) as client:
        yield client


# ---- departments -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def callbacks(db: Database, clock: StoppedClock, keys: Keys) -> AsyncIterator[Callbacks]:
    """What calls departments back."""
    async with builders_callbacks.callbacks_over(db, clock, keys) as opened:
        yield opened


@pytest.fixture
def replies(db: Database, clock: StoppedClock, keys: Keys, callbacks: Callbacks) -> Replies:
    """What hears what people write back."""
    return Replies(db, clock, keys, Outbox(keys), Contacts(keys), callbacks.noting)


@pytest.fixture
async def theirs() -> AsyncIterator[tuple[builders_callbacks.OwnServer, str]]:
    """A department's own server, and where it is called back."""
    async with builders_callbacks.own_server() as found:
        yield found
