"""An organisation asks to verify: it says who it is, what it wants to see and why, and which key its device has.

Anybody may ask, so asking is bounded: by address, and by how many applications wait at once in the whole city.
Nobody is sent anything until an operator has decided.
"""

import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from kernel import audit, idempotency
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.errors import IdempotencyKeyReused
from kernel.limits import Limit, Limits
from kernel.sealing import Keys
from wallet.catalogue import Catalogue
from wallet.errors import (
    ApplicationDecided,
    ApplicationKnown,
    ApplicationNotFound,
    CatalogueIncomplete,
    TooManyApplications,
)
from wallet.model import Terms
from wallet.onboarding import queries
from wallet.onboarding.model import (
    APPLICATIONS_OPEN_MAX,
    SECRET_BYTES,
    Application,
    ApplicationState,
    Contact,
    NamedKey,
    Organisation,
    Wanted,
    check_credit_code,
    check_key,
)
from wallet.operators.soundness import check_terms

CALLER = "wallet.venue_application"
APPLICANT = "applicant"
FULL_RETRY_SECONDS = 3_600
NOBODY = b""
"""In place of a contact that is not needed any more."""


class Bounds(msgspec.Struct, frozen=True):
    """How often one address may file, and read or withdraw with a secret."""

    filed_by_address: Limit = Limit("venue_applications", 60, 3_600)
    read_by_address: Limit = Limit("venue_application_reads", 600, 600)


class Filed(msgspec.Struct, frozen=True):
    """The first answer to an application. `secret` is told here and nowhere else."""

    application_id: UUID
    secret: str
    filed_at: datetime


class Joined(msgspec.Struct, frozen=True):
    """An application, and what was granted with its approval."""

    application: Application
    granted: dict[str, Terms]


class Applying:
    """Files applications, and lets whoever has the secret of one read and withdraw it."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        catalogue: Callable[[], Catalogue],
        *,
        bounds: Bounds | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._catalogue = catalogue
        self._bounds = bounds or Bounds()
        self._contacts = keys.sealer("wallet.venue_contact")
        self._answers = idempotency.Answers(keys, "wallet.venue_application_answer")
        self._secrets = keys.digester("wallet.venue_application_secret")
        self._bodies = keys.digester("wallet.venue_application_body")

    async def file(
        self,
        application_id: UUID,
        organisation: Organisation,
        contact: Contact,
        wanted: tuple[Wanted, ...],
        device: NamedKey,
        *,
        address: str,
    ) -> Filed:
        """File an application under an id its applicant chose; the same again, within a day, hears the same.

        Raises TooManyApplications, CreditCodeRefused, DeviceKeyRefused, CatalogueIncomplete for a scenario that there
        is not, TermsRefused, IdempotencyKeyReused for another application under a known id, and ApplicationKnown when
        the first answer is not kept any more.
        """
        check_credit_code(organisation.credit_code)
        check_key(device.public_key)
        self._check_wanted(wanted)
        await self._admit(self._bounds.filed_by_address, address)
        now = self._clock.now()
        said = msgspec.json.encode((organisation, contact, wanted, device), order="deterministic").decode()
        body = self._bodies.digest(said)
        request = idempotency.Request(CALLER, str(application_id), body)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        application = Application(
            application_id,
            self._secrets.digest(secret),
            organisation,
            self._contacts.seal_struct(contact, application_id.bytes),
            wanted,
            device,
            ApplicationState.FILED,
            now,
        )
        async with self._db.transaction() as conn:

            async def work() -> Filed:
                await self._insert(conn, application, body, self._bodies.every_digest(said))
                return Filed(application_id, secret, now)

            return await idempotency.once(conn, self._answers, request, Filed, work, now=now)

    async def _insert(self, conn: Connection, application: Application, body: bytes, bodies: list[bytes]) -> None:
        if await queries.count_filed(conn, most=APPLICATIONS_OPEN_MAX) >= APPLICATIONS_OPEN_MAX:
            raise TooManyApplications(retry_after_seconds=FULL_RETRY_SECONDS)
        if not await queries.insert_application(conn, application, body):
            known = await queries.select_body_digest(conn, application.application_id)
            raise ApplicationKnown if known in bodies else IdempotencyKeyReused
        subject = f"venue_application:{application.application_id}"
        await audit.record(
            conn, actor=APPLICANT, act="wallet.file_venue_application", subject=subject, now=application.filed_at
        )

    def _check_wanted(self, wanted: tuple[Wanted, ...]) -> None:
        scenarios = self._catalogue().scenarios
        for one in wanted:
            scenario = scenarios.get(one.scenario_code)
            if scenario is None:
                raise CatalogueIncomplete(f"there is no scenario {one.scenario_code}")
            check_terms(scenario, one.terms)
        if len({one.scenario_code for one in wanted}) < len(wanted):
            raise CatalogueIncomplete("a scenario is asked for once")

    async def read(self, application_id: UUID, secret: str, *, address: str) -> Joined:
        """How an application stands. Raises ApplicationNotFound, TooManyApplications."""
        await self._admit(self._bounds.read_by_address, address)
        async with self._db.connection() as conn:
            found = self._opened(await queries.select_application(conn, application_id), secret)
            granted = {} if found.venue_id is None else await queries.select_terms_of_venue(conn, found.venue_id)
        return Joined(found, granted)

    async def withdraw(self, application_id: UUID, secret: str, *, address: str) -> None:
        """Take an application back; the contact is forgotten. Once more changes nothing.

        Raises ApplicationNotFound, ApplicationDecided, TooManyApplications.
        """
        await self._admit(self._bounds.read_by_address, address)
        now = self._clock.now()
        async with self._db.transaction() as conn:
            found = self._opened(await queries.lock_application(conn, application_id), secret)
            if found.state is ApplicationState.WITHDRAWN:
                return
            if found.state is not ApplicationState.FILED:
                raise ApplicationDecided
            ended = msgspec.structs.replace(
                found, state=ApplicationState.WITHDRAWN, contact=NOBODY, decided_at=now, decided_by=APPLICANT
            )
            await queries.decide_application(conn, ended)
            subject = f"venue_application:{application_id}"
            await audit.record(conn, actor=APPLICANT, act="wallet.withdraw_venue_application", subject=subject, now=now)

    def _opened(self, found: Application | None, secret: str) -> Application:
        """What the secret opens; nobody is told whether there is an application that it does not open."""
        known = b"" if found is None else found.secret_digest
        opens = [hmac.compare_digest(digest, known) for digest in self._secrets.every_digest(secret)]
        if found is None or not any(opens):
            raise ApplicationNotFound
        return found

    async def _admit(self, limit: Limit, address: str) -> None:
        wait = await self._limits.allow(limit, address)
        if wait is not None:
            raise TooManyApplications(retry_after_seconds=int(wait) + 1)
