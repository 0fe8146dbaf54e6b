"""Workers that tell how their providers do, and results for many people to carry."""

from typing import Any

from notifications.channels.provider import Provider
from notifications.outbox import Owed, ToPhone
from notifications.parts import Notifications
from notifications.standing.telling import Telling
from tests.builders_notifications import a_promise, notifications_over
from tests.whole_city import TestCity


def over(city: TestCity, *providers: Provider, **others: Any) -> Notifications:
    """What a worker over these providers uses."""
    return notifications_over(city.parts.db, city.clock, city.parts.keys, *providers, **others)


def told_by(city: TestCity, notifications: Notifications, name: str = "here:1") -> Telling:
    """The worker of this name, over those."""
    return Telling(city.parts.redis, city.clock, notifications.carriers, worker=name)


def results(city: TestCity, count: int) -> list[Owed]:
    return [a_promise(to=ToPhone(f"+86138{n:08d}"), due_at=city.clock.now()) for n in range(count)]
