"""The other side: two SMSCs and a mail relay, each in a process of its own, made by other people."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from city.errors import CannotStart
from city.locating import checkout
from city.standins import smsc
from city.standins.smsc import Smsc

FIRST, SECOND, POST = "first", "second", "post"
SMSCS: Final = (FIRST, SECOND)
MAIL_LOG: Final = "taken.jsonl"
_ENDED_WITHIN_SECONDS: Final = 5.0

ALWAYS: Final[dict[str, Any]] = {
    "answer_ms": [0, 5],
    "receipt_ms": [0, 2000],
    "receipts_first": 0.05,
    "receipts_doubled": 0.05,
    "receipts_lost": 0.01,
    "undelivered": 0.01,
}
"""What goes wrong all the time: receipts before the answer, late, in any order, twice, never, or saying no."""


class Peers:
    """The running peers, and where their logs are."""

    def __init__(self, smscs: dict[str, Smsc], mail_port: int, folder: Path) -> None:
        self.smscs = smscs
        self._mail_port = mail_port
        self._folder = folder

    @property
    def smsc_logs(self) -> dict[str, Path]:
        return {name: log_of(self._folder, name) for name in self.smscs}

    @property
    def mail_log(self) -> Path:
        return self._folder / MAIL_LOG

    def receipts_left(self) -> int:
        """How many receipts the SMSCs will still send, or did not hear of that we have them."""
        return sum(one.counts()["owed"] for one in self.smscs.values())

    def write_carriers(self) -> Path:
        """The file of carriers by which workers find them."""
        secret = self._folder / "smsc.secret"
        secret.write_text("secret\n")
        secret.chmod(0o600)
        lines = []
        for (name, peer), weight in zip(self.smscs.items(), (100, 60), strict=True):
            lines += [
                "[[carriers]]", 'kind = "smpp"', f'name = "{name}"', f"weight = {weight}", 'host = "127.0.0.1"',
                f"port = {peer.port}", 'system_id = "city"', 'password_file = "smsc.secret"', 'source = "10690001"', "",
            ]  # fmt: skip
        lines += [
            "[[carriers]]", 'kind = "smtp"', f'name = "{POST}"', 'host = "127.0.0.1"', f"port = {self._mail_port}",
            'tls = "none"', 'sender = "notice@city.example"', 'sender_name = "随申办"', "",
        ]  # fmt: skip
        path = self._folder / "carriers.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        return path


def log_of(folder: Path, name: str) -> Path:
    return folder / f"{name}.ndjson"


@contextmanager
def running(folder: Path, *, seed: int) -> Iterator[Peers]:
    """All of them for the block, logging into `folder`. Raises CannotStart where one is not installed."""
    with ExitStack() as stack:
        smscs = {
            name: stack.enter_context(smsc.running(log_of(folder, name), seed=seed + place, **ALWAYS))
            for place, name in enumerate(SMSCS)
        }
        yield Peers(smscs, stack.enter_context(_mail_relay(folder)), folder)


@contextmanager
def _mail_relay(folder: Path) -> Iterator[int]:
    """The relay's port."""
    root = checkout()
    if root is None or find_spec("aiosmtpd") is None:
        raise CannotStart("There is no mail relay to prove against.", "Run ./test once in a checkout: it installs one.")
    words = [sys.executable, "-m", "tests.peers.mail.serving", str(folder), "none"]
    process = subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(root)})
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        if not first:
            raise CannotStart("The mail relay did not start.", "See what it wrote above.")
        yield int(first)
    finally:
        process.terminate()
        try:
            process.wait(_ENDED_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
