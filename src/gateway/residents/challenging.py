"""One-time codes by SMS: a person asks for one and answers with it.

Nothing here tells whether a phone is known: whoever asks gets the same answer after the same work.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import msgspec

from gateway.residents import queries
from gateway.residents.accounts import Accounts
from gateway.residents.errors import PhoneNotValid, TooManyCodes
from gateway.residents.model import (
    ATTEMPTS_MAX,
    CODE_DIGITS,
    CODE_LIFETIME,
    Challenge,
    Language,
    NotAPhone,
    Phone,
    read_phone,
)
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.ids import uuid7
from kernel.limits import Limit, Limits
from kernel.principal import Audience
from kernel.sealing import Keys
from notifications import templates
from notifications.outbox import Outbox, Owed, ToNobody, ToPhone
from notifications.routing.limiting import CODES

CALLER = "gateway.sign_in"
KEPT_AFTER = timedelta(days=1)

Welcomes = Callable[[Connection, Phone], Awaitable[bool]]
"""Whether a code is really sent to a phone; whoever asked is not told."""


class Bounds(msgspec.Struct, frozen=True):
    """How often codes are asked for and answered. By phone against guessing, by address against SMS paid by us.

    40 codes a day with 5 guesses each leave a guesser 1 chance in 5,000 a day. An address may be a carrier's, shared
    by thousands of phones.
    """

    codes_of_phone: Limit = Limit("sign_in_phone", 12, 600)
    codes_of_phone_a_day: Limit = Limit("sign_in_phone_day", 40, 86_400)
    codes_of_address: Limit = Limit("sign_in_address", 300, 600)
    answers_of_address: Limit = Limit("sign_in_answers", 1_000, 600)


assert Bounds().codes_of_phone_a_day.permits <= CODES.text_max, "a code that was promised is sent"


class Challenges:
    """Asks phones to prove themselves."""

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, limits: Limits, outbox: Outbox, accounts: Accounts, bounds: Bounds
    ) -> None:
        self._db = db
        self._clock = clock
        self._digester = keys.digester("gateway.code")
        self._limits = limits
        self._outbox = outbox
        self._accounts = accounts
        self._bounds = bounds

    async def ask(
        self, audience: Audience, phone_text: str, *, language: Language, address: str, welcomes: Welcomes | None = None
    ) -> Challenge:
        """Owe a code to a phone; the challenge and the SMS commit together.

        Raises PhoneNotValid, TooManyCodes.
        """
        phone = phone_of(phone_text)
        await self._admit(self._bounds.codes_of_address, address)
        await self._admit(self._bounds.codes_of_phone, phone.e164)
        await self._admit(self._bounds.codes_of_phone_a_day, phone.e164)
        now = self._clock.now()
        challenge = Challenge(uuid7(now), now + CODE_LIFETIME)
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        async with self._db.transaction() as conn:
            is_sent = welcomes is None or await welcomes(conn, phone)
            await queries.insert_challenge(
                conn,
                challenge.challenge_id,
                audience,
                phone_digest=self._accounts.digest(phone),
                code_digest=self._digester.digest(_code_value(challenge.challenge_id, code)),
                language=language,
                now=now,
                expires_at=challenge.expires_at,
            )
            owed = Owed(
                caller=CALLER,
                key=str(challenge.challenge_id),
                to=ToPhone(phone.e164, language) if is_sent else ToNobody(),
                template=templates.SIGN_IN_CODE,
                values={"code": code, "minutes": str(int(CODE_LIFETIME.total_seconds() // 60))},
                due_at=now,
                expires_at=challenge.expires_at,
            )
            await self._outbox.owe_many(conn, [owed], now=now)
        return challenge

    async def admit_answer(self, address: str) -> None:
        """Count an answer from an address. Raises TooManyCodes."""
        await self._admit(self._bounds.answers_of_address, address)

    async def answer(
        self, conn: Connection, audience: Audience, challenge_id: UUID, phone: Phone, code: str
    ) -> Language | None:
        """The language of a challenge that this code and phone answer, or None. Right or wrong, an attempt is spent.

        The caller's transaction must commit even after None, or guesses would cost nothing.
        """
        now = self._clock.now()
        spent = await queries.spend_attempt(conn, challenge_id, audience, attempts_max=ATTEMPTS_MAX, now=now)
        if spent is None:
            return None
        codes = self._digester.every_digest(_code_value(challenge_id, code))
        is_code = any(hmac.compare_digest(spent.code_digest, digest) for digest in codes)
        is_phone = any(hmac.compare_digest(spent.phone_digest, d) for d in self._accounts.every_digest(phone))
        if not (is_code and is_phone and await queries.use_challenge(conn, challenge_id, now=now)):
            return None
        return spent.language

    async def _admit(self, limit: Limit, subject: str) -> None:
        wait_seconds = await self._limits.allow(limit, subject)
        if wait_seconds is not None:
            raise TooManyCodes(retry_after_seconds=int(wait_seconds) + 1)

    async def forget_expired(self) -> None:
        """Delete challenges that expired a day ago; run by the worker now and then."""
        async with self._db.transaction() as conn:
            await queries.delete_expired_challenges(conn, before=self._clock.now() - KEPT_AFTER)


def phone_of(text: str) -> Phone:
    """Raises PhoneNotValid."""
    try:
        return read_phone(text)
    except NotAPhone:
        raise PhoneNotValid from None


def _code_value(challenge_id: UUID, code: str) -> str:
    return f"{challenge_id} {code}"
