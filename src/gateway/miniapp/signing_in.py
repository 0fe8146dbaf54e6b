"""Somebody signs in from the mini-program: by a link made before, or by the phone the chat platform vouches for."""

from gateway.miniapp.chat_platform import ChatPlatform
from gateway.miniapp.chats import Chats
from gateway.miniapp.errors import PhoneNeeded, TooManySignIns
from gateway.residents import queries
from gateway.residents.model import Account, Language, Phone
from gateway.residents.parts import Residents
from gateway.sessions.model import SignedIn
from kernel.clock import Clock
from kernel.db import Connection, Database
from kernel.limits import Limit, Limits
from kernel.principal import Audience
from kernel.sealing import Keys

DEVICE = "小程序"
SIGN_INS_OF_ADDRESS = Limit("mini_sign_in", 600, 600)
"""An address may be a carrier's, shared by thousands of phones; each sign-in costs us a call to the platform."""


class MiniSignIn:
    """Links chat users to accounts. An openid is found by its keyed digest and sealed to its account."""

    def __init__(
        self, db: Database, clock: Clock, keys: Keys, limits: Limits, residents: Residents, platform: ChatPlatform
    ) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        self._residents = residents
        self._platform = platform
        self._digester = keys.digester("gateway.openid")
        self._chats = Chats(keys)

    async def sign_in(self, js_code: str, phone_code: str | None, *, language: Language, address: str) -> SignedIn:
        """Sign in a chat user; with `phone_code` one that is not linked yet is linked to the account of that phone.

        The platform is asked with no transaction open. Raises PhoneNeeded, TooManySignIns, and what ChatPlatform does.
        """
        wait_seconds = await self._limits.allow(SIGN_INS_OF_ADDRESS, address)
        if wait_seconds is not None:
            raise TooManySignIns(retry_after_seconds=int(wait_seconds) + 1)
        openid = await self._platform.openid_of(js_code)
        async with self._db.transaction() as conn:
            account = await self._linked(conn, openid)
            if account is not None:
                return await self._open(conn, account, is_told=False)  # at every start of the mini-program
        if phone_code is None:
            raise PhoneNeeded
        phone = await self._platform.phone_of(phone_code)
        async with self._db.transaction() as conn:
            return await self._open(conn, await self._link(conn, openid, phone, language), is_told=True)

    async def _open(self, conn: Connection, account: Account, *, is_told: bool) -> SignedIn:
        signing_in = self._residents.signing_in
        return await signing_in.open_session(conn, account, Audience.MINI, device=DEVICE, is_told=is_told)

    async def _linked(self, conn: Connection, openid: str) -> Account | None:
        """The account a chat user is linked to; it stays open while the transaction lasts."""
        for digest in self._digester.every_digest(openid):
            account_id = await queries.lock_account_of_chat(conn, digest)
            if account_id is not None:
                account = await queries.select_account(conn, account_id)
                assert account is not None  # the link is locked, and closing an account drops it first
                return account
        return None

    async def _link(self, conn: Connection, openid: str, phone: Phone, language: Language) -> Account:
        now = self._clock.now()
        account, _ = await self._residents.accounts.open(conn, phone, language, now=now)
        digest = self._digester.digest(openid)
        if await queries.file_chat(conn, digest, account.account_id):
            sealed = self._chats.seal(account.account_id, digest, openid)
            await queries.insert_account_chat(conn, account.account_id, digest, sealed_openid=sealed, now=now)
            return account
        linked = await self._linked(conn, openid)  # by another tap, a moment ago
        assert linked is not None
        return linked
