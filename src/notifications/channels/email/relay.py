"""E-mail through a relay (SMTP): a `Provider` of the channel `email`.

Up to the moment the message itself is handed over, everything that goes wrong is a certain no; from then on only the
relay's answer is one, and silence means unknown. What the relay took and could not deliver comes back as a letter to
the sender's address (RFC 3464), which we do not read: accepted is the end we know.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import aiosmtplib
import msgspec
from aiosmtplib import SMTP

from kernel.clock import Clock
from kernel.log import get_logger
from kernel.settings import Secret
from notifications.channels.email import writing
from notifications.channels.email.answers import Step, refused
from notifications.channels.email.writing import Sender
from notifications.channels.provider import Accepted, Mail, Refused, TakeReceipts, TakeTexts
from notifications.model import Channel

CONNECTIONS_MAX: Final = 16
MESSAGES_OF_CONNECTION_MAX: Final = 200
"""Then a fresh one: many relays end a connection after some hundreds."""
BEFORE_DATA_SECONDS: Final = 4.0
"""Sooner than any lane's own limit, so that a relay that hangs before it has the message leaves a certain no."""
ANSWER_SECONDS: Final = 60.0
"""For the answer to the whole message; whoever waits for it usually gives up sooner."""

log = get_logger(__name__)

Unsubscribe = Callable[[Mail], str]
"""Where a reader of this mail asks for no more of it: an https address of ours."""


class RelayServer(msgspec.Struct, frozen=True):
    """Where the relay is and how it knows us. `starttls` is insisted on; `none` is for a relay on this machine."""

    host: str
    port: int
    tls: Literal["tls", "starttls", "none"] = "tls"
    user: str = ""
    password: Secret = Secret("")
    authorities: Path | None = None
    """Certificates (PEM) of who may vouch for the relay; None: whoever this machine believes."""


class _Line:
    """One connection, and how much it has carried."""

    def __init__(self, smtp: SMTP) -> None:
        self.smtp = smtp
        self.carried = 0


class Relay:
    """Sends e-mails over a few connections that stay open. Whoever made it closes it."""

    def __init__(
        self,
        clock: Clock,
        server: RelayServer,
        sender: Sender,
        *,
        name: str = "smtp",
        unsubscribe: Unsubscribe | None = None,
        connections_max: int = CONNECTIONS_MAX,
        before_data_seconds: float = BEFORE_DATA_SECONDS,
    ) -> None:
        self._clock = clock
        self._server = server
        self._sender = sender
        self._name = name
        self._unsubscribe = unsubscribe
        self._before_data_seconds = before_data_seconds
        self.at_once_max = connections_max
        self._free = asyncio.Semaphore(connections_max)
        self._idle: list[_Line] = []
        self._trust = None if server.tls == "none" else ssl.create_default_context(cafile=server.authorities)

    @property
    def name(self) -> str:
        return self._name

    @property
    def channel(self) -> Channel:
        return "email"

    @property
    def receipts_come(self) -> bool:
        return False

    def announce(self) -> None:
        log.info("e-mail goes through a relay", provider=self._name, host=self._server.host, tls=self._server.tls)
        if self._server.tls == "none":
            log.warning("the relay is spoken to without TLS: keep it on this machine", provider=self._name)

    async def receipts(self, _take: TakeReceipts, _hear: TakeTexts) -> None:
        """None come."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for line in idle:
            line.smtp.close()

    async def send(self, parcel: Mail, /) -> Accepted | Refused:
        """Send one. Raises whatever goes wrong once the message was begun: perhaps the relay has it."""
        url = self._unsubscribe(parcel) if parcel.is_bulk and self._unsubscribe is not None else None
        written = writing.write(parcel, self._sender, self._clock.now(), unsubscribe_url=url)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._before_data_seconds
        try:
            async with asyncio.timeout_at(give_up_at):
                await self._free.acquire()
        except TimeoutError:
            return Refused("busy", "no connection free")
        try:
            line = await self._opened_letter(parcel.address, give_up_at)
            return line if isinstance(line, Refused) else await self._hand_over(line, written)
        finally:
            self._free.release()

    async def _opened_letter(self, address: str, give_up_at: float) -> _Line | Refused:
        """A connection on which the relay has said yes to sender and recipient. A stale one is replaced, once."""
        while self._idle:
            line = self._idle.pop()
            try:
                said = await self._envelope(line, address, give_up_at)
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                line.smtp.close()  # it was closed while it lay idle: nothing was sent
                continue
            if line.smtp.is_connected or isinstance(said, _Line):
                return said
        try:
            async with asyncio.timeout_at(give_up_at):
                line = _Line(await self._connect())
            return await self._envelope(line, address, give_up_at)
        except aiosmtplib.SMTPAuthenticationError as answer:
            return refused(Step.SIGN_IN, answer.code, answer.message)
        except aiosmtplib.SMTPResponseException as answer:
            return refused(Step.CONNECT, answer.code, answer.message)
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError) as problem:
            return Refused("busy", f"connect {type(problem).__name__}")

    async def _connect(self) -> SMTP:
        server = self._server
        smtp = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user or None,
            password=server.password.reveal() if server.user else None,
            local_hostname=self._sender.domain,
            timeout=ANSWER_SECONDS,
            use_tls=server.tls == "tls",
            start_tls=server.tls == "starttls",
            tls_context=self._trust,
        )
        await smtp.connect()
        return smtp

    async def _envelope(self, line: _Line, address: str, give_up_at: float) -> _Line | Refused:
        """Sender and recipient. A no leaves the connection good for another; anything else closes it."""
        is_usable = False
        try:
            async with asyncio.timeout_at(give_up_at):
                try:
                    await line.smtp.mail(self._sender.address)
                    await line.smtp.rcpt(address)
                    is_usable = True
                    return line
                except aiosmtplib.SMTPSenderRefused as answer:
                    no = refused(Step.SENDER, answer.code, answer.message)
                except aiosmtplib.SMTPRecipientRefused as answer:
                    no = refused(Step.RECIPIENT, answer.code, answer.message)
                if line.smtp.is_connected:
                    await line.smtp.rset()
                    is_usable = True
                    self._keep(line)
                return no
        finally:
            if not is_usable:
                line.smtp.close()

    async def _hand_over(self, line: _Line, written: bytes) -> Accepted | Refused:
        is_usable = False
        try:
            await line.smtp.data(written, timeout=ANSWER_SECONDS)
            is_usable = True
            return Accepted()
        except aiosmtplib.SMTPDataError as answer:
            return refused(Step.DATA, answer.code, answer.message)
        finally:
            if is_usable:
                self._keep(line)
            else:
                line.smtp.close()

    def _keep(self, line: _Line) -> None:
        line.carried += 1
        if line.smtp.is_connected and line.carried < MESSAGES_OF_CONNECTION_MAX:
            self._idle.append(line)
        else:
            line.smtp.close()
