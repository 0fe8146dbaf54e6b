"""An operator lets an organisation verify, or does not: the venue, its device and the device's key come all at once."""

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from kernel import audit
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import DeviceId, StaffId, VenueId, uuid7
from kernel.sealing import Keys
from notifications import templates
from notifications.outbox import Outbox, Owed, ToPhone
from wallet.errors import ApplicationDecided, ApplicationNotFound, CursorRefused
from wallet.model import NO_TERMS, Terms, Venue
from wallet.onboarding import queries
from wallet.onboarding.model import Application, ApplicationState, Contact, client_id_of, narrowed
from wallet.onboarding.registrar import Registrar
from wallet.operators import cataloguing

PAGE_MAX = 100
CURSOR_MAX = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOMENT_BYTES = 8
_ID_BYTES = 16
_FROM_THE_START = (_EPOCH, UUID(int=0))


class Page(Struct, frozen=True):
    """Some applications, those filed first first, and where the next page begins; None: there is no more."""

    applications: list[Application]
    next_cursor: str | None


class Looked(Struct, frozen=True):
    """An application with whom to ask about it (None: forgotten), and what was granted with its approval."""

    application: Application
    contact: Contact | None
    granted: dict[str, Terms]


class Deciding:
    """Reads applications and decides them."""

    def __init__(self, db: Database, clock: Clock, keys: Keys, outbox: Outbox, registrar: Registrar) -> None:
        self._db = db
        self._clock = clock
        self._outbox = outbox
        self._registrar = registrar
        self._contacts = keys.sealer("wallet.venue_contact")

    async def page(self, state: ApplicationState, *, cursor: str | None, limit: int) -> Page:
        """Applications in a state, without their contacts. Raises CursorRefused."""
        assert limit <= PAGE_MAX
        after = _FROM_THE_START if cursor is None else _read_cursor(cursor)
        async with self._db.connection() as conn:
            found = await queries.select_applications(conn, state, after=after, limit=limit + 1)
        applications = found[:limit]
        return Page(applications, _cursor_after(applications[-1]) if len(found) > limit else None)

    async def look(self, application_id: UUID, *, by: StaffId) -> Looked:
        """One application with its contact; who looked is on record. Raises ApplicationNotFound."""
        async with self._db.transaction() as conn:
            found = await queries.select_application(conn, application_id)
            if found is None:
                raise ApplicationNotFound
            await self._record(conn, "wallet.read_venue_application", found, by)
            return await self._looked(conn, found)

    async def approve(self, application_id: UUID, granted: Mapping[str, Terms], *, by: StaffId) -> Looked:
        """Make the venue and its first device, grant it these scenarios under these terms, and tell its contact.

        Approved before under the same terms: the same once more. Raises ApplicationNotFound, ApplicationDecided,
        TermsRefused, CatalogueIncomplete for a scenario that there is no more.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = await queries.lock_application(conn, application_id)
            if found is None:
                raise ApplicationNotFound
            terms = narrowed(found, granted)
            if found.venue_id is not None:
                if await queries.select_terms_of_venue(conn, found.venue_id) != terms:
                    raise ApplicationDecided
                return await self._looked(conn, found)
            if found.state is not ApplicationState.FILED:
                raise ApplicationDecided
            venue_id, device_id = VenueId(uuid7(now)), DeviceId(uuid7(now))
            await self._found(conn, found, venue_id, device_id, terms)
            approved = replace(
                found,
                state=ApplicationState.APPROVED,
                decided_at=now,
                decided_by=f"operator:{by}",
                venue_id=venue_id,
                device_id=device_id,
            )
            await queries.decide_application(conn, approved)
            await self._record(conn, "wallet.approve_venue_application", approved, by)
            return await self._told(conn, approved)

    async def _found(
        self, conn: Connection, found: Application, venue_id: VenueId, device_id: DeviceId, terms: dict[str, Terms]
    ) -> None:
        organisation = found.organisation
        venue = Venue(
            venue_id,
            organisation.sort,
            organisation.credit_code,
            organisation.name,
            organisation.district,
            organisation.address,
            frozenset(terms),
            {scenario_code: one for scenario_code, one in terms.items() if one != NO_TERMS},
        )
        await cataloguing.put_venue(conn, venue)
        await cataloguing.put_device(conn, device_id, venue_id, found.device.name)
        await self._registrar.put(conn, client_id_of(device_id), device_id, venue_id, found.device.public_key)

    async def reject(self, application_id: UUID, reason: str, *, by: StaffId) -> Looked:
        """Say no, and why. Rejected before for the same reason: the same once more.

        Raises ApplicationNotFound, ApplicationDecided.
        """
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = await queries.lock_application(conn, application_id)
            if found is None:
                raise ApplicationNotFound
            if found.state is ApplicationState.REJECTED and found.reason == reason:
                return await self._looked(conn, found)
            if found.state is not ApplicationState.FILED:
                raise ApplicationDecided
            rejected = replace(
                found, state=ApplicationState.REJECTED, decided_at=now, decided_by=f"operator:{by}", reason=reason
            )
            await queries.decide_application(conn, rejected)
            await self._record(conn, "wallet.reject_venue_application", rejected, by)
            return await self._told(conn, rejected)

    async def _record(self, conn: Connection, act: str, application: Application, by: StaffId) -> None:
        subject = f"venue_application:{application.application_id}"
        await audit.record(conn, actor=f"operator:{by}", act=act, subject=subject, now=self._clock.now())

    async def _looked(self, conn: Connection, found: Application) -> Looked:
        granted = {} if found.venue_id is None else await queries.select_terms_of_venue(conn, found.venue_id)
        return Looked(found, self._contact(found), granted)

    def _contact(self, found: Application) -> Contact | None:
        if not found.contact:
            return None
        plain = self._contacts.unseal(found.contact, found.application_id.bytes)
        return msgspec.msgpack.decode(plain, type=Contact)

    async def _told(self, conn: Connection, decided: Application) -> Looked:
        """Owe the contact an SMS that says how it ended; the reason is read with the secret."""
        looked = await self._looked(conn, decided)
        assert looked.contact is not None  # forgotten only with the application, or when it is withdrawn
        now = self._clock.now()
        owed = Owed(
            caller="wallet",
            key=f"venue_application:{decided.application_id}",
            to=ToPhone(looked.contact.phone, looked.contact.language),
            template=templates.VENUE_APPLICATION_DECIDED,
            values={"venue": decided.organisation.name.zh, "decision": decided.state.value},
            due_at=now,
        )
        await self._outbox.owe_many(conn, [owed], now=now)
        return looked


def _cursor_after(application: Application) -> str:
    microseconds = (application.filed_at - _EPOCH) // _MICROSECOND
    raw = microseconds.to_bytes(_MOMENT_BYTES, "big") + application.application_id.bytes
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) != _MOMENT_BYTES + _ID_BYTES:
            raise CursorRefused
        moment = _EPOCH + int.from_bytes(raw[:_MOMENT_BYTES], "big") * _MICROSECOND
        return moment, UUID(bytes=raw[_MOMENT_BYTES:])
    except (binascii.Error, ValueError, OverflowError):
        raise CursorRefused from None
