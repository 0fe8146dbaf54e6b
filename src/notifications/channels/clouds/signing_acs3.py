"""Aliyun's V3 request signature, ACS3-HMAC-SHA256, as pure functions.

Source: help.aliyun.com document_detail/2593177, "V3 request structure and signature". What the official SDK makes of
the same call is frozen in `tests/vectors/cloud_signing`.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

import msgspec

ALGORITHM = "ACS3-HMAC-SHA256"


class Call(msgspec.Struct, frozen=True):
    """One call of an RPC-style action: everything of it stands in the query, the body is empty."""

    host: str
    """As it is sent: with the port where that is not the scheme's own."""
    action: str
    version: str
    query: Mapping[str, str]
    method: str = "POST"
    path: str = "/"

    def __repr__(self) -> str:
        return f"Call({self.action})"


def encoded(text: str) -> str:
    """Percent-encoded by RFC 3986: everything but letters, digits and `-_.~`, as UTF-8, in capitals."""
    return quote(text, safe="")


def canonical_query(query: Mapping[str, str]) -> str:
    """The query as it is signed, and as we send it: sorted by name."""
    return "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(query.items()))


def headers_of(call: Call, *, key_id: str, secret: str, at: datetime, nonce: str, user_agent: str) -> dict[str, str]:
    """The headers of a call, signed. `at` is good for fifteen minutes, `nonce` for one call."""
    headers = {
        "accept": "application/json",
        "host": call.host,
        "user-agent": user_agent,
        "x-acs-action": call.action,
        "x-acs-content-sha256": sha256(b"").hexdigest(),
        "x-acs-date": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": call.version,
    }
    return {**headers, "authorization": authorization(call, headers, key_id=key_id, secret=secret)}


def authorization(call: Call, headers: Mapping[str, str], *, key_id: str, secret: str) -> str:
    """The Authorization header over a call and the headers that are to be signed, which name the body's digest."""
    lines = {name.lower(): value.strip() for name, value in headers.items()}
    names = ";".join(sorted(lines))
    canonical = "\n".join(
        (
            call.method,
            call.path,
            canonical_query(call.query),
            "".join(f"{name}:{lines[name]}\n" for name in sorted(lines)),
            names,
            lines["x-acs-content-sha256"],
        )
    )
    to_sign = f"{ALGORITHM}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), to_sign.encode(), sha256).hexdigest()
    return f"{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}"
