"""Texts of departments, and people who allowed the mini-program to write to them."""

from collections.abc import Collection
from uuid import UUID, uuid4

from kernel.ids import PersonId
from kernel.sealing import Keys
from notifications.channels.subscribe.texts import SubscribeText, SubscribeTexts
from notifications.contacts import Choices
from notifications.model import Lane
from notifications.parts import Notifications
from notifications.reaching import queries as reach_queries
from notifications.reaching.seals import ReachSeals
from notifications.template import Template, Wording, text
from tests.builders_notifications import PHONE

DEPARTMENT = f"department:{UUID(int=7)}"
BULK_TEXT = Template(
    id="bulk_text",
    version=1,
    lane=Lane.BULK,
    channels=("sms",),
    placeholders={"words": text(900)},
    zh=Wording("通知", "{words}"),
    en=Wording("Notice", "{words}"),
)
SUBSCRIPTION = "template-of-the-platform"
SUBSCRIBE_TEXTS = SubscribeTexts(
    [
        SubscribeText(
            SUBSCRIPTION,
            "预约",
            "Bookings",
            {"booking_confirmed": {"thing1": "service", "time2": "when"}, "booking_reminder": {"thing1": "service"}},
        )
    ]
)


class OneText:
    """Departments' texts, of which there is one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.is_read = True

    def find(self, template: str, version: int) -> Template | None:
        return BULK_TEXT if self.is_read and (template, version) == (BULK_TEXT.id, BULK_TEXT.version) else None

    async def read_through(self, wanted: Collection[tuple[str, int]]) -> None:
        self.asked += wanted
        self.is_read = True


async def allow(notifications: Notifications, person: PersonId, *, openid: str = "o-123", times: int = 1) -> None:
    """Allow so many subscribe messages."""
    now = notifications.clock.now()
    async with notifications.db.transaction() as conn:
        for _ in range(times):
            await notifications.grants.tapped(
                conn, person, openid, tap_id=uuid4(), template=SUBSCRIPTION, outcome="accept", now=now
            )


async def a_chooser(
    notifications: Notifications, keys: Keys, choices: Choices, *, email: str | None = None
) -> PersonId:
    """A person with a number, and perhaps an address, who chose how to be told."""
    person, now = PersonId(uuid4()), notifications.clock.now()
    async with notifications.db.transaction() as conn:
        await notifications.contacts.remember(conn, person, PHONE, "zh", now)
        await notifications.contacts.choose(conn, person, choices, now)
        if email is not None:
            sealed = ReachSeals(keys).email(person, email)
            await reach_queries.file_email(conn, person, sealed, now=now)
    return person
