"""Every part of the city in one process: opened in the order they stand on each other, closed in reverse."""

from contextlib import AsyncExitStack
from pathlib import Path
from random import SystemRandom
from typing import Any, Self
from uuid import UUID

from appointments.parts import Appointments
from appointments.rush.gate import Gate
from gateway.clients.parts import Clients
from gateway.clients.registering import DeviceClients
from gateway.demo.ageing import Ageing
from gateway.demo.earlier import Earlier
from gateway.departments.parts import Departments
from gateway.miniapp.parts import Miniapp
from gateway.outside import Fetching
from gateway.recognising import Recognising
from gateway.residents.parts import Residents
from gateway.staff.parts import Workforce
from kernel import queries
from kernel.clock import Clock, SystemClock
from kernel.db import Database
from kernel.keys import SigningKeys
from kernel.limits import Limits
from kernel.people import People
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.settings import Settings
from kernel.snapshots import Snapshot, Snapshots
from kernel.telemetry import Telemetry, Tracing
from notifications.parts import Notifications
from wallet.online_code import CODE_PATH, Texts
from wallet.parts import Wallet

MIGRATIONS = Path(__file__).parent / "migrations"

HEARTBEAT_KEY = b"worker:beat"
"""Where the worker says that it is alive; a hint for people, nothing rests on it."""

PART_NAMES = (
    "wallet",
    "ledger_log",
    "appointments",
    "notifications",
    "residents",
    "workforce",
    "clients",
    "departments",
    "miniapp",
    "signing_keys",
    "db",
    "clock",
    "keys",
    "ageing",
    "earlier",
    "home",
    "cast",
)
"""What handlers may ask for by name, beside the principals of their audience."""


class CityParts:
    """One per process. `open` reads every catalogue once, so that the first request finds them."""

    def __init__(
        self, settings: Settings, db: Database, redis: Redis, keys: Keys, clock: Clock, *, process: str
    ) -> None:
        self._closing = AsyncExitStack()
        self.settings = settings
        self.db = db
        self.redis = redis
        self.keys = keys
        self.clock = clock
        self.telemetry = Telemetry()
        self.tracing = Tracing(settings.trace_file, share=settings.trace_share, process=process)
        self.limits = Limits(redis, clock, subject_key=keys.derived("kernel.limits"))
        self.people = People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
        self.signing_keys = SigningKeys(db, keys.sealer("kernel.signing_key"), clock)
        self.notifications = Notifications(db, clock, keys, self.people)
        self._fetching = Fetching()
        self.wallet = Wallet(
            db=db,
            redis=redis,
            clock=clock,
            keys=keys,
            people=self.people,
            outbox=self.notifications.outbox,
            limits=self.limits,
            signing_keys=self.signing_keys,
            public_host=settings.public_host,
            public_origin=settings.public_origin,
            code_lifetime_seconds=settings.code_lifetime_seconds,
            registers=lambda: self.departments.registers,
            registrar=DeviceClients(clock),
            fetch=self._fetching,
        )
        gate = Gate(db, redis, clock, keys, self.limits, chance=SystemRandom().random)

        def appointments_by(some: Clock) -> Appointments:
            return Appointments(
                db, some, self.notifications.outbox, self.limits,
                gate=gate, keys=keys, people=self.people, mandates=self.wallet.booking_for,
                public_origin=settings.public_origin,
            )  # fmt: skip

        self.appointments = appointments_by(clock)
        self.appointments.recognises = Recognising(
            db, clock, keys, self.people, self.notifications.contacts, self.wallet
        )
        self.ledger_log = self.wallet.ledger_log
        self.ageing = Ageing(redis, self.wallet.seals, Texts(settings.public_host, CODE_PATH))
        self.earlier = Earlier(appointments_by)

    @classmethod
    async def open(cls, settings: Settings, *, process: str, clock: Clock | None = None) -> Self:
        """Open everything, or broken off midway, nothing. Raises KeyFileRefused, DatabaseAway, RedisAway."""
        keys = Keys.read(settings.key_file)
        async with AsyncExitStack() as opened:
            db = await Database.open(settings.database_url.reveal(), connections_max=settings.connections_max)
            opened.push_async_callback(db.close)
            redis = await Redis.open(settings.redis_url.reveal())
            opened.push_async_callback(redis.close)
            parts = cls(settings, db, redis, keys, clock or SystemClock(), process=process)
            await parts._open_entrance(opened)
            parts._closing = opened.pop_all()
        return parts

    async def _open_entrance(self, opened: AsyncExitStack) -> None:
        """What is opened is left to `opened` to close, as soon as it is."""
        settings, issuer = self.settings, self.settings.public_origin
        opened.callback(self.tracing.close)
        opened.push_async_callback(self._fetching.close)
        await self.signing_keys.ensure()
        self.residents = await Residents.open(
            self.db,
            self.clock,
            self.keys,
            self.limits,
            self.notifications.outbox,
            self.people,
            self.notifications.contacts,
            self.signing_keys,
            issuer=issuer,
            real_name_url=settings.real_name_url,
            wallet=self.wallet,
            appointments=self.appointments,
        )
        opened.push_async_callback(self.residents.close)
        self.workforce = Workforce(self.db, self.clock, self.keys, self.residents)
        self.clients = Clients(self.db, self.clock, self.signing_keys, issuer=issuer)
        self.departments = await Departments.open(self.db, self.clock, self.keys, self.signing_keys, issuer=issuer)
        opened.push_async_callback(self.departments.close)
        self.appointments.departments = self.departments.for_appointments
        self.miniapp = await Miniapp.open(
            self.db,
            self.clock,
            self.keys,
            self.limits,
            self.residents,
            base_url=settings.chat_platform_url,
            app_id=settings.chat_platform_app_id,
            secret=settings.chat_platform_secret,
        )
        opened.push_async_callback(self.miniapp.close)
        with_snapshots: list[Any] = [self.notifications, self.appointments, self.wallet, self.residents, self.workforce]
        with_snapshots += [self.clients, self.departments, self.miniapp]
        snapshots = [snapshot for part in with_snapshots for snapshot in part.snapshots]
        self.snapshots = Snapshots(self.signing_keys.snapshot, *snapshots)
        await self.snapshots.read_all()

    @property
    def ended_sessions(self) -> Snapshot[frozenset[UUID]]:
        return self.residents.sessions.ended

    def by_name(self) -> dict[str, Any]:
        """The parts that handlers ask for."""
        return {name: getattr(self, name) for name in PART_NAMES if hasattr(self, name)}

    async def close(self) -> None:
        await self._closing.aclose()

    async def ask_database(self) -> str:
        async with self.db.connection() as conn:
            version = await queries.select_server_version(conn)
        return f"PostgreSQL {version.split()[0]}"

    async def ask_redis(self) -> str:
        await self.redis.ask(b"PING")
        return "holds nothing that cannot be lost"

    async def ask_worker(self) -> str:
        beat = await self.redis.get(HEARTBEAT_KEY)
        if beat is None:
            raise WorkerSilent
        return f"last beat {beat.decode()}"

    async def ask_departments(self) -> str:
        answers = await self.departments.ask_all()
        silent = sorted(slug for slug, is_well in answers.items() if not is_well)
        if silent:
            raise DepartmentsSilent(", ".join(silent))
        return f"{len(answers)} live" + (f": {', '.join(sorted(answers))}" if answers else "")

    async def ask_outside(self) -> str:
        if self.settings.demo:
            return "stand-ins: demo SMS outbox, chat platform, real-name check"
        return f"SMS by {self.settings.sms_provider}"


class WorkerSilent(Exception):
    """No worker has said for a while that it is alive."""


class DepartmentsSilent(Exception):
    """These departments' servers do not answer well."""
