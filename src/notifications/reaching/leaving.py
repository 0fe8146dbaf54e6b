"""A person closes their account: nothing says any more how they are reached, and their inbox is emptied."""

from msgspec.structs import replace

from kernel.clock import Clock
from kernel.db import Connection
from kernel.ids import PersonId
from notifications.contacts import Contacts
from notifications.reaching import queries
from notifications.reaching.consents import change


class Leaving:
    """Forgets what rests on an account being kept."""

    def __init__(self, clock: Clock, contacts: Contacts) -> None:
        self._clock = clock
        self._contacts = contacts

    async def leave(self, conn: Connection, person_id: PersonId) -> None:
        """Forget number, address, choices, grants and inbox, in the caller's transaction.

        Consents stay, each now taken back: they are the proof of what was done, and hold no value of the person's.
        What is still owed is filed in an inbox that nobody reads, or goes nowhere.
        """
        now = self._clock.now()
        await queries.delete_email_challenge(conn, person_id)
        await queries.delete_grants(conn, person_id)
        await queries.delete_inbox(conn, person_id)
        if not await queries.lock_contact(conn, person_id):
            return
        before = (await self._contacts.find(conn, person_id)).choices
        nothing = replace(before, results=(), reminders=(), notices=(), shown=())
        await change(conn, person_id, before, nothing, told_by="closing", wording=None, now=now)
        await queries.delete_contact(conn, person_id)
