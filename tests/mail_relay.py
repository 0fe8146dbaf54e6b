"""A mail relay of another author, started as a process of its own, and what it says it took."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kernel.settings import Secret
from notifications.channels.email.relay import RelayServer
from tests.peers.mail.serving import PASSWORD, USER

ROOT = Path(__file__).parents[1]
STARTED_WITHIN_SECONDS = 20


def write_certificate(folder: Path) -> None:
    """A certificate that vouches for itself, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "relay.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "relay.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


class MailRelay:
    """The running relay."""

    def __init__(self, folder: Path, tls: Literal["tls", "starttls", "none"], process: Any, port: int) -> None:
        self.folder = folder
        self.process = process
        self.server = RelayServer(
            "127.0.0.1",
            port,
            tls,
            "" if tls == "none" else USER,
            Secret(PASSWORD),
            None if tls == "none" else folder / "relay.pem",
        )

    def taken(self) -> list[dict[str, Any]]:
        """Every message it took, in order."""
        log = self.folder / "taken.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def letters(self) -> list[EmailMessage]:
        """The messages it took, read by the standard library."""
        return [
            cast("EmailMessage", message_from_bytes(one["content"].encode("latin-1"), policy=SMTP))
            for one in self.taken()
        ]


@asynccontextmanager
async def mail_relay(folder: Path, tls: Literal["tls", "starttls", "none"] = "none") -> AsyncIterator[MailRelay]:
    """A relay for the block alone."""
    if not (folder / "relay.pem").exists():
        write_certificate(folder)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.peers.mail.serving", str(folder), tls,
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(STARTED_WITHIN_SECONDS):
            port = int(await process.stdout.readline())
        yield MailRelay(folder, tls, process, port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
