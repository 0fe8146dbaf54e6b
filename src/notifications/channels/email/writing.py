"""How an e-mail of the city is written: RFC 5322, plain text alone, so that nothing in it loads, hides or clicks."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

import msgspec

from kernel.clock import in_shanghai
from notifications.channels.provider import Mail

SUBJECT_MAX: Final = 200
"""Signs of a subject; what is longer ends with an ellipsis. A line of a header may have 998 (RFC 5322 §2.1.1)."""

URL_MAX: Final = 900
"""Signs of a link in a field, so that the field stays on a line."""


class Sender(msgspec.Struct, frozen=True):
    """Who writes: an address of a domain whose mail the relay may send and sign (SPF, DKIM), and how it is called."""

    address: str
    name: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def message_id_of(reference: str, sender: Sender) -> str:
    """The Message-ID, ours and the same at every try: a receiver that sees it twice may show it once."""
    return f"<{reference}@{sender.domain}>"


def write(mail: Mail, sender: Sender, now: datetime, *, unsubscribe_url: str | None = None) -> bytes:
    """The whole message, lines ended by CRLF, nothing in it beyond ASCII.

    With `unsubscribe_url` a reader's program can ask for no more with one POST (RFC 2369 §3.2, RFC 8058 §3.1; the
    relay's DKIM signature has to cover both fields, §4). It is automatic mail (RFC 3834 §5): nobody's absence answers.
    """
    message = EmailMessage(policy=SMTP)
    message["Message-ID"] = message_id_of(mail.reference, sender)
    message["Date"] = format_datetime(in_shanghai(now))
    message["From"] = _address(sender.address, sender.name)
    message["To"] = _address(mail.address)
    message["Subject"] = _one_line(mail.subject)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_text(mail.text, unsubscribe_url), subtype="plain", charset="utf-8", cte="base64")
    return _of_a_list(unsubscribe_url) + message.as_bytes()


def _of_a_list(unsubscribe_url: str | None) -> bytes:
    """The two fields on a line each, however long: a library that folds an address makes it another."""
    if unsubscribe_url is None:
        return b""
    assert len(unsubscribe_url) <= URL_MAX
    fields = f"List-Unsubscribe: <{unsubscribe_url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return fields.encode("ascii")


def _address(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def _one_line(subject: str) -> str:
    line = " ".join(subject.split())
    return line if len(line) <= SUBJECT_MAX else line[: SUBJECT_MAX - 1] + "…"


def _text(text: str, unsubscribe_url: str | None) -> str:
    tail = "" if unsubscribe_url is None else f"\n--\n退订 / Unsubscribe: {unsubscribe_url}\n"
    return f"{text.rstrip()}\n{tail}"
