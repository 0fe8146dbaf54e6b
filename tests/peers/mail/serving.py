"""A mail relay of another author (aiosmtpd) in a process of its own; run as `python -m tests.peers.mail.serving`.

What it does is decided by the part of the recipient's address before the @, or before the first full stop in it; its
log, one JSON line for each message it took, is the judge. Arguments: the folder of certificate, key and log, then
`tls`, `starttls` or `none`.
"""

import asyncio
import json
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "city", "only-for-tests"
RECIPIENTS = {
    "nobody": "550 5.1.1 no such mailbox",
    "full": "552 5.2.2 mailbox full",
    "greylisted": "451 4.7.1 try again later",
    "blocked": "550 5.7.1 your sender is on a list",
    "plain": "550 no",
}
CONTENTS = {"unwanted": "554 5.7.1 content refused", "busy": "452 4.3.1 disk full"}


class Handler:
    """Answers as the recipient's name says, and writes down what it took."""

    def __init__(self, log: Path) -> None:
        self._log = log

    async def handle_RCPT(  # noqa: N802 -- the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        name = _name_in(address)
        if name == "leaving":
            server.transport.abort()
        if name in RECIPIENTS:
            return RECIPIENTS[name]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        name = _name_in(envelope.rcpt_tos[0])
        if name in CONTENTS:
            return CONTENTS[name]
        took = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "content": bytes(envelope.original_content or b"").decode("latin-1"),
            "is_tls": session.ssl is not None,
            "peer": list(session.peer[:2]),
        }
        with self._log.open("a", encoding="utf-8") as out:
            out.write(json.dumps(took) + "\n")
        if name == "dropped":  # it has the message, and says nothing
            server.transport.abort()
        if name == "silent":
            await asyncio.sleep(3_600)
        return "250 2.0.0 taken"


def _name_in(address: str) -> str:
    return address.partition("@")[0].partition(".")[0]


def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, told: Any) -> AuthResult:
    is_known = isinstance(told, LoginPassword) and (told.login, told.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_known, handled=False)


async def serve(folder: Path, tls: str) -> None:
    trust = None
    if tls != "none":
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trust.load_cert_chain(folder / "relay.pem", folder / "relay.key")
    handler = Handler(folder / "taken.jsonl")

    def made() -> SMTP:
        return SMTP(
            handler,
            hostname="relay.example",
            tls_context=trust if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            auth_required=tls != "none",
            auth_require_tls=tls == "starttls",
            authenticator=authenticate,
        )

    listening = await asyncio.get_running_loop().create_server(
        made, "127.0.0.1", 0, ssl=trust if tls == "tls" else None
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
