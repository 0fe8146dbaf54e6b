"""Who hears a "yes" to a text of the city's: the part that owed it."""

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec

from kernel.ids import PersonId


class Confirmed(msgspec.Struct, frozen=True):
    """Somebody answered "yes" to a message: the name of its promise, whom it went to, and when they answered."""

    template: str
    caller: str
    key: str
    person_id: PersonId
    answered_at: datetime


Confirms = Callable[[Confirmed], Awaitable[bool]]
"""Does what was confirmed; False if it cannot be done, so that the person is told to look into the app.

Called outside any transaction, and again after a fault: doing it twice must be doing it once.
"""


class ReplyHandlers:
    """By the name of the text that may be answered. Each text has one who hears it."""

    def __init__(self) -> None:
        self._by_template: dict[str, Confirms] = {}

    def add(self, template: str, confirms: Confirms) -> None:
        assert template not in self._by_template, f"{template} is answered for twice"
        self._by_template[template] = confirms

    def __contains__(self, template: object) -> bool:
        return template in self._by_template

    def __getitem__(self, template: str) -> Confirms:
        return self._by_template[template]
