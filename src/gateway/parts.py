"""Every part of the city in one process: opened in the order they stand on each other, closed in reverse."""

from contextlib import AsyncExitStack
from os import getpid
from pathlib import Path
from random import SystemRandom
from socket import gethostname
from typing import Any, Self
from uuid import UUID

from appointments.parts import Appointments
from appointments.replying.confirming import Confirming
from appointments.rush.gate import Gate
from gateway.carriers.building import carriers_of
from gateway.clients.parts import Clients
from gateway.clients.registering import DeviceClients
from gateway.demo.ageing import Ageing
from gateway.demo.earlier import Earlier
from gateway.departments.parts import Departments
from gateway.miniapp.chats import Chats
from gateway.miniapp.parts import Miniapp
from gateway.miniapp.subscribing import demo_platform, demo_texts
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
from notifications.batches.parts import Batches, Daily
from notifications.batches.telling import TellingFinished
from notifications.callbacks.addresses import Reach
from notifications.callbacks.parts import Callbacks
from notifications.cases.parts import Cases
from notifications.channels.clouds.callbacks import CloudCallbacks
from notifications.parts import Notifications
from notifications.reaching.parts import Reaching
from notifications.reaching.unsubscribing import UnsubscribeLinks
from notifications.replies.parts import Replies
from notifications.retention.parts import Retention
from notifications.services.parts import Services
from notifications.standing.parts import SendingStanding
from notifications.statistics.parts import Statistics
from notifications.texts.of_the_city import with_provider_ids
from wallet.noticing.parts import Noticing
from wallet.noticing.summing_up import SPAN, SPAN_OF_A_DEMO
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
    "services",
    "batches",
    "callbacks",
    "cases",
    "replies",
    "residents",
    "workforce",
    "clients",
    "departments",
    "miniapp",
    "statistics",
    "standing",
    "retention",
    "carrier_callbacks",
    "reaching",
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
        self._open_messages()
        self._open_services()
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
        self.noticing = Noticing(
            db, clock, self.notifications.outbox, self.notifications.contacts, self.wallet.catalogue,
            span=SPAN_OF_A_DEMO if settings.demo else SPAN,
        )  # fmt: skip
        gate = Gate(db, redis, clock, keys, self.limits, chance=SystemRandom().random)

        def appointments_by(some: Clock) -> Appointments:
            return Appointments(
                db, some, self.notifications.outbox, self.limits,
                gate=gate, keys=keys, people=self.people, mandates=self.wallet.booking_for,
                public_origin=settings.public_origin,
            )  # fmt: skip

        self.appointments = appointments_by(clock)
        Confirming(db, clock, self.appointments.taking).listen(self.replies.handlers)
        self.appointments.recognises = Recognising(
            db, clock, keys, self.people, self.notifications.contacts, self.wallet
        )
        self.ledger_log = self.wallet.ledger_log
        self.ageing = Ageing(redis, self.wallet.seals, Texts(settings.public_host, CODE_PATH))
        self.earlier = Earlier(appointments_by)

    def _open_messages(self) -> None:
        """Everything that tells people something: who carries it, and how each person is reached."""
        settings, db, clock, keys = self.settings, self.db, self.clock, self.keys
        links = UnsubscribeLinks(keys, origin=settings.public_origin)
        self.carriers = carriers_of(settings.carriers, clock, unsubscribe=links.url_of)
        self._demo_platform = demo_platform(settings, clock)
        self.notifications = Notifications(
            db, clock, keys, self.people, self.carriers.providers,
            weights=self.carriers.weights,
            limits_in=self.redis,
            subscribe_texts=demo_texts(settings) if settings.carriers is None else self.carriers.subscribe_texts,
            stand_ins=[] if self._demo_platform is None else [self._demo_platform],
        )  # fmt: skip
        self.standing = SendingStanding(
            db, self.redis, clock, self.notifications.carriers,
            worker=f"{gethostname()}:{getpid()}",
            are_stand_ins=not self.carriers.providers,
        )  # fmt: skip
        self.notifications.wordings.of_the_city = with_provider_ids(self.carriers.provider_ids)
        self.callbacks = Callbacks(db, clock, keys, Reach(has_loopback=settings.demo))
        self.notifications.endings.listeners.append(self.callbacks.noting)
        self.replies = Replies(
            db, clock, keys, self.notifications.outbox, self.notifications.contacts, self.callbacks.noting
        )  # fmt: skip
        self.notifications.receiving.texts = self.replies.hearing.hear
        self.notifications.sending.last_told = self.replies.last_told
        self.notifications.rules.opt_outs = self.replies.opt_outs
        self.reaching = Reaching(
            db, clock, keys, self.limits,
            outbox=self.notifications.outbox,
            contacts=self.notifications.contacts,
            inbox=self.notifications.inbox,
            grants=self.notifications.grants,
            links=links,
            openid_of=Chats(keys).openid_of,
        )  # fmt: skip
        self.statistics = Statistics(db, clock)
        self.retention = Retention(db, clock, days=settings.messages_kept_days)
        self.cases = Cases(db, clock, keys, self.people, self.notifications.outbox)
        self.retention.forgetting.listeners.append(self.cases.forgetting)
        receiving = self.notifications.receiving
        self.carrier_callbacks = CloudCallbacks(self.carriers.doors, clock, receiving.take, receiving.hear)

    def _open_services(self) -> None:
        """What departments send by programs: single messages, and whole batches."""
        db, clock, keys, notifications = self.db, self.clock, self.keys, self.notifications
        self.services = Services(
            db, clock, keys, self.people, self.limits, notifications.texts, notifications.endings, self.replies.reading,
            origin=self.settings.public_origin,
            mail_from=self.carriers.mail_from or f"no-reply@{self.settings.public_host.partition(':')[0]}",
        )  # fmt: skip
        daily = Daily(self.services.keys, self.services.per_day)
        self.batches = Batches(
            db, clock, keys, self.people, self.services.texts, self.services.teams, daily, notifications.endings
        )
        self.batches.when_finished(TellingFinished(self.callbacks.noting))
        self.batches.feeding.hours = self.notifications.rules

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
        opened.push_async_callback(self.callbacks.close)
        opened.push_async_callback(self.carriers.close)
        if self._demo_platform is not None:
            opened.push_async_callback(self._demo_platform.close)
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
            reaching=self.reaching,
        )
        opened.push_async_callback(self.residents.close)
        self.workforce = Workforce(self.db, self.clock, self.keys, self.residents)
        self.clients = Clients(self.db, self.clock, self.signing_keys, issuer=issuer)
        self.departments = await Departments.open(self.db, self.clock, self.keys, self.signing_keys, issuer=issuer)
        opened.push_async_callback(self.departments.close)
        self.appointments.departments = self.departments.for_appointments
        self.replies.changing.is_department = self.departments.is_known
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
        with_snapshots: list[Any] = [self.notifications, self.services, self.appointments, self.wallet]
        with_snapshots += [self.residents, self.workforce, self.clients, self.departments, self.miniapp]
        with_snapshots += [self.callbacks, self.retention]
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
        carried = ", ".join(provider.name for provider in self.carriers.providers)
        return f"messages carried by {carried}" if carried else "messages are shown in the demo outbox, not sent"


class WorkerSilent(Exception):
    """No worker has said for a while that it is alive."""


class DepartmentsSilent(Exception):
    """These departments' servers do not answer well."""
