"""The part of a city that sends, wired as its worker has it, with one text and one carrier over SMPP.

Nothing that a worker does for a message is left out: opt-outs and what was just said are asked, what a number may be
told in a day is counted in Redis, whom a reply would mean is noted, and ends are told to the department's callbacks.
"""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from kernel.clock import SystemClock
from kernel.db import Database
from kernel.people import People
from kernel.redis import Redis
from kernel.sealing import Keys
from kernel.settings import Secret
from notifications.callbacks.parts import Callbacks
from notifications.channels.provider import Provider
from notifications.channels.smpp.settings import SmppSettings
from notifications.model import Lane
from notifications.outbox import Owed, ToPhone
from notifications.parts import Notifications
from notifications.replies.parts import Replies
from notifications.template import COUNT as A_COUNT
from notifications.template import NAME, Template, Wording

OWED_TOGETHER: Final = 2_000
CALLER: Final = f"department:{UUID(int=7)}"
"""A department's messages, as a million at once are: what departments say twice is looked for too."""
WINDOW: Final = 50
TEXT: Final = Template(
    id="bench_bulk",
    version=1,
    lane=Lane.BULK,
    channels=("sms",),
    placeholders={"name": NAME, "days": A_COUNT},
    zh=Wording("提醒", "{name}您好，您的居住证将于{days}天后到期，请携带身份证件到就近的服务中心办理延期。"),
    en=Wording("Reminder", "Dear {name}, your residence permit expires in {days} days. Please have it extended."),
)


class OneText:
    """Knows the benchmark's own text."""

    def find(self, template: str, version: int) -> Template | None:
        return TEXT if (template, version) == (TEXT.id, TEXT.version) else None

    async def read_through(self, wanted: Collection[tuple[str, int]]) -> None:
        del wanted


def settings_for(port: int) -> SmppSettings:
    """The benchmark's account at an SMSC."""
    return SmppSettings(
        name="bench", host="127.0.0.1", port=port, system_id="bench", password=Secret("bench"), source="10690001",
        window=WINDOW,
    )  # fmt: skip


async def notifications_over(
    db: Database, keys: Keys, *providers: Provider, limits_in: Redis | None = None
) -> Notifications:
    """What sends. Without `limits_in` it only owes, or is another's stand-in."""
    clock, people = SystemClock(), People(keys.sealer("kernel.person"), keys.digester("kernel.id_number"))
    parts = Notifications(db, clock, keys, people, providers, limits_in=limits_in)
    callbacks = Callbacks(db, clock, keys)
    await callbacks.endpoints.snapshot.refresh()
    parts.endings.listeners.append(callbacks.noting)
    replies = Replies(db, clock, keys, parts.outbox, parts.contacts, callbacks.noting)
    parts.sending.last_told = replies.last_told
    parts.rules.opt_outs = replies.opt_outs
    parts.wordings.texts = OneText()
    parts.rules.has_quiet_hours = False  # it is measured at any hour
    return parts


async def owe(database_url: str, keys: Keys, count: int, *, first: int = 0) -> None:
    """Owe so many messages to as many numbers, from the `first` on; who was told a moment ago is not told again."""
    db = await Database.open(database_url, connections_max=2)
    parts, clock = await notifications_over(db, keys), SystemClock()
    last = first + count
    for start in range(first, last, OWED_TOGETHER):
        rows = [_owed(nth, clock) for nth in range(start, min(last, start + OWED_TOGETHER))]
        async with db.transaction() as conn:
            await parts.outbox.owe_many(conn, rows, now=clock.now())
    await db.close()


def _owed(nth: int, when: SystemClock) -> Owed:
    return Owed(
        caller=CALLER,
        key=f"bench-{nth}",
        to=ToPhone(f"+86138{nth % 100_000_000:08d}"),
        template=TEXT,
        values={"name": f"第{nth}位市民", "days": str(nth % 90)},
        due_at=when.now(),
    )
