"""A person confirms an e-mail address by the code sent to it; before that nothing else is sent there.

No answer tells whether anybody else is reached at an address.
"""

import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import PersonId, uuid7
from kernel.limits import Limit, Limits
from kernel.sealing import Keys
from notifications.channels.email.addresses import NotAnEmail, read_email
from notifications.contacts import SORTS, Contact, Contacts
from notifications.outbox import Outbox, Owed, ToEmail
from notifications.reaching import queries
from notifications.reaching.consents import change
from notifications.reaching.email_code import EMAIL_CODE
from notifications.reaching.errors import EmailCodeNotAccepted, EmailNotValid, TooManyEmailCodes
from notifications.reaching.seals import ReachSeals

CALLER: Final = "notifications.email"
CODE_DIGITS: Final = 6
CODE_LIFETIME: Final = timedelta(minutes=15)
"""Longer than an SMS code's: mail is often held back for some minutes (greylisting)."""
ATTEMPTS_MAX: Final = 5
RESEND_AFTER_SECONDS: Final = 60
KEPT_AFTER: Final = timedelta(days=1)


class EmailBounds(msgspec.Struct, frozen=True):
    """How often codes are asked for and answered: by person against guessing, by address against pestering others."""

    codes_of_person: Limit = Limit("email_code_person", 6, 3_600)
    codes_of_address: Limit = Limit("email_code_address", 6, 3_600)
    codes_of_address_a_day: Limit = Limit("email_code_address_day", 15, 86_400)
    answers_of_person: Limit = Limit("email_code_answers", 30, 3_600)


class EmailChallenge(msgspec.Struct, frozen=True):
    """Answer it with the code in the mail."""

    challenge_id: UUID
    expires_at: datetime
    resend_after_seconds: int = RESEND_AFTER_SECONDS


class Emails:
    """Files addresses that were confirmed."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        keys: Keys,
        limits: Limits,
        outbox: Outbox,
        contacts: Contacts,
        bounds: EmailBounds | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._seals = ReachSeals(keys)
        self._limits = limits
        self._outbox = outbox
        self._contacts = contacts
        self._bounds = bounds or EmailBounds()

    async def ask(self, person_id: PersonId, text: str) -> EmailChallenge:
        """Owe a code to an address; challenge and mail commit together. A challenge before it is good no more.

        Raises EmailNotValid, TooManyEmailCodes.
        """
        try:
            address = read_email(text)
        except NotAnEmail:
            raise EmailNotValid from None
        mailbox = address.lower()
        await self._admit(self._bounds.codes_of_person, str(person_id))
        await self._admit(self._bounds.codes_of_address, mailbox)
        await self._admit(self._bounds.codes_of_address_a_day, mailbox)
        now = self._clock.now()
        challenge = EmailChallenge(uuid7(now), now + CODE_LIFETIME)
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        async with self._db.transaction() as conn:
            contact = await self._contacts.find(conn, person_id)
            await queries.put_email_challenge(
                conn,
                person_id,
                challenge.challenge_id,
                email=self._seals.pending_email(challenge.challenge_id, address),
                code_digest=self._seals.codes.digest(_code_value(challenge.challenge_id, code)),
                expires_at=challenge.expires_at,
            )
            owed = Owed(
                caller=CALLER,
                key=str(challenge.challenge_id),
                to=ToEmail(address, contact.choices.language),
                template=EMAIL_CODE,
                values={"code": code, "minutes": str(int(CODE_LIFETIME.total_seconds() // 60))},
                due_at=now,
                expires_at=challenge.expires_at,
            )
            await self._outbox.owe_many(conn, [owed], now=now)
        return challenge

    async def confirm(self, person_id: PersonId, challenge_id: UUID, code: str) -> Contact:
        """File the address of a challenge that this code answers. Right or wrong, an attempt is spent.

        Raises EmailCodeNotAccepted, TooManyEmailCodes.
        """
        await self._admit(self._bounds.answers_of_person, str(person_id))
        now = self._clock.now()
        async with self._db.transaction() as conn:  # commits after a wrong code too, or guesses would cost nothing
            contact = await self._confirmed(conn, person_id, challenge_id, code, now)
        if contact is None:
            raise EmailCodeNotAccepted
        return contact

    async def _confirmed(
        self, conn: Connection, person_id: PersonId, challenge_id: UUID, code: str, now: datetime
    ) -> Contact | None:
        spent = await queries.spend_email_attempt(conn, person_id, challenge_id, attempts_max=ATTEMPTS_MAX, now=now)
        if spent is None:
            return None
        codes = self._seals.codes.every_digest(_code_value(challenge_id, code))
        if not any(hmac.compare_digest(spent.code_digest, digest) for digest in codes):
            return None
        address = self._seals.open_pending_email(challenge_id, spent.email)
        await queries.ensure_contact(conn, person_id, now=now)
        await queries.file_email(conn, person_id, self._seals.email(person_id, address), now=now)
        await queries.delete_email_challenge(conn, person_id)
        return await self._contacts.find(conn, person_id)

    async def remove(self, person_id: PersonId) -> Contact:
        """Forget a person's address, and that they chose e-mail; removing twice is removing once."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            await queries.delete_email_challenge(conn, person_id)
            if not await queries.lock_contact(conn, person_id):
                return await self._contacts.find(conn, person_id)
            contact = await self._contacts.find(conn, person_id)
            without = contact.choices
            for sort in SORTS:
                left = tuple(one for one in without.by(sort) if one != "email")
                without = msgspec.structs.replace(without, **{sort: left})
            await change(conn, person_id, contact.choices, without, told_by="removal", wording=None, now=now)
            await queries.file_email(conn, person_id, None, now=now)
            return await self._contacts.choose(conn, person_id, without, now)

    async def forget_old(self) -> None:
        """Delete challenges that ended a day ago; run by the worker now and then."""
        async with self._db.transaction() as conn:
            await queries.delete_old_email_challenges(conn, before=self._clock.now() - KEPT_AFTER)

    async def _admit(self, limit: Limit, subject: str) -> None:
        wait_seconds = await self._limits.allow(limit, subject)
        if wait_seconds is not None:
            raise TooManyEmailCodes(retry_after_seconds=int(wait_seconds) + 1)


def _code_value(challenge_id: UUID, code: str) -> str:
    return f"{challenge_id} {code}"
