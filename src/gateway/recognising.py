"""Who stands at an office's desk, found by the code they show, by their phone, or by the ID number on their card.

A code is redeemed the way a venue redeems it (`wallet.venues.verifying`): the office is a venue of its own, with one
reader and one scenario that sees no field at all, so that the look is in the resident's ledger like any other, with the
office's name and the purpose, and in the log that nobody changes quietly. All that the desk learns is who it is.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

from appointments.desk.recognising import Recognises
from appointments.errors import CodeNotGood, CodesNotRead, IdentityNotUnderstood, PhoneNotUnderstood
from appointments.model import Office
from gateway.residents.accounts import Accounts
from gateway.residents.model import (
    NotAName,
    NotAnIdNumber,
    NotAPhone,
    Phone,
    read_id_number,
    read_name,
    read_phone,
    today_in_shanghai,
)
from gateway.residents.queries import select_account
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DeviceId, OfficeId, PersonId, UseId, VenueId
from kernel.people import Identity, People
from kernel.principal import VenueDevice
from kernel.sealing import Keys
from notifications.contacts import Contacts
from wallet import model as wallet
from wallet.errors import DeviceNotRegistered
from wallet.model import Outcome
from wallet.operators import cataloguing
from wallet.parts import Wallet

CHECK_IN_SCENARIO: Final = "office.check_in"
_READERS: Final = UUID("6f1f2b52-5f0e-5b5d-9f0a-7d5c2c1b9e31")


def reader_of(office_id: OfficeId) -> VenueDevice:
    """An office as a venue, and its one reader: ids that follow from the office's."""
    return VenueDevice(
        DeviceId(uuid5(_READERS, f"reader/{office_id}")), VenueId(uuid5(_READERS, f"office/{office_id}"))
    )


async def open_reader(conn: Connection, office: Office, *, credit_code: str, kind_codes: Sequence[str]) -> None:
    """Let an office read codes at check-in: any of these kinds is good for it, and no field of theirs is seen.

    Doing it again is doing it once. Raises CatalogueIncomplete for a kind nobody put.
    """
    reader = reader_of(office.office_id)
    scenario = wallet.Scenario(
        scenario_code=CHECK_IN_SCENARIO,
        edition=cataloguing.FIRST_EDITION,
        name=wallet.Words("预约签到", "Check-in"),
        purpose=wallet.Words("在办事窗口确认预约人已到场", "To see that whoever booked has come"),
        grants=dict.fromkeys(kind_codes, ()),
    )
    venue = wallet.Venue(
        venue_id=reader.venue_id,
        sort="office",
        credit_code=credit_code,
        name=wallet.Words(office.name_zh, office.name_en),
        district=office.district,
        address=office.address,
        scenario_codes=frozenset({CHECK_IN_SCENARIO}),
    )
    await cataloguing.put_scenario(conn, scenario)
    await cataloguing.put_venue(conn, venue)
    await cataloguing.put_device(conn, reader.device_id, reader.venue_id, wallet.Words("签到窗口", "Check-in counter"))


class Recognising(Recognises):
    """The city's answer to who is at the desk."""

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, people: People, contacts: Contacts, shown: Wallet
    ) -> None:
        self._db = db
        self._clock = clock
        self._accounts = Accounts(keys)
        self._people = people
        self._contacts = contacts
        self._verifier = shown.verifier

    async def by_code(self, office_id: OfficeId, text: str, use_id: UUID) -> PersonId:
        """See `Recognises.by_code`."""
        try:
            verdict = await self._verifier.verify(reader_of(office_id), text, UseId(use_id))
        except DeviceNotRegistered:
            raise CodesNotRead from None
        if verdict.outcome is not Outcome.VALID:
            raise CodeNotGood(verdict=verdict.outcome.value)
        person_id = await self._verifier.holder_of(text)
        if person_id is None:  # of another city, or kept no longer
            raise CodeNotGood(verdict=Outcome.NOT_OURS.value)
        return person_id

    async def by_phone(self, phone: str) -> PersonId | None:
        """See `Recognises.by_phone`."""
        async with self._db.transaction() as conn:
            account_id = await self._accounts.find(conn, _phone(phone))
            account = None if account_id is None else await select_account(conn, account_id)
        return None if account is None else account.person_id

    async def by_id_number(self, id_number: str, name: str) -> PersonId:
        """See `Recognises.by_id_number`. A name that was told or checked before stands, and is not told here."""
        now = self._clock.now()
        try:
            identity = Identity(read_id_number(id_number, today=today_in_shanghai(now)), read_name(name))
        except (NotAnIdNumber, NotAName):
            raise IdentityNotUnderstood from None
        async with self._db.transaction() as conn:
            return await self._people.mint(conn, identity, now=now)

    async def phone_to_tell(self, person_id: PersonId, phone: str) -> str | None:
        """See `Recognises.phone_to_tell`."""
        number = _phone(phone)
        async with self._db.connection() as conn:
            contact = await self._contacts.find(conn, person_id)
        return number.e164 if contact.phone is None else None


def _phone(text: str) -> Phone:
    try:
        return read_phone(text)
    except NotAPhone:
        raise PhoneNotUnderstood from None
