"""Tencent Cloud's API 3.0 request signature, TC3-HMAC-SHA256, as pure functions.

Source: cloud.tencent.com document/api/382/52072, "signature method v3". What the official SDK makes of the same call
is frozen in `tests/vectors/cloud_signing`.
"""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

ALGORITHM = "TC3-HMAC-SHA256"
CONTENT_TYPE = "application/json"
_END = "tc3_request"
_SIGNED = "content-type;host"


class Call(msgspec.Struct, frozen=True):
    """One call of an action; all of it stands in the body, which is JSON."""

    host: str
    """As it is sent: with the port where that is not the scheme's own."""
    service: str
    action: str
    version: str
    region: str
    body: bytes

    def __repr__(self) -> str:
        return f"Call({self.action})"


def headers_of(call: Call, *, secret_id: str, secret_key: str, at: datetime) -> dict[str, str]:
    """The headers of a call, signed. `at` is good for five minutes."""
    return {
        "Content-Type": CONTENT_TYPE,
        "Host": call.host,
        "X-TC-Action": call.action,
        "X-TC-Region": call.region,
        "X-TC-Timestamp": str(int(at.timestamp())),
        "X-TC-Version": call.version,
        "Authorization": authorization(call, secret_id=secret_id, secret_key=secret_key, at=at),
    }


def authorization(call: Call, *, secret_id: str, secret_key: str, at: datetime) -> str:
    """The Authorization header over a call: its body, where it goes and the second it was made in."""
    day = at.astimezone(UTC).strftime("%Y-%m-%d")
    scope = f"{day}/{call.service}/{_END}"
    canonical = "\n".join(
        (
            "POST",
            "/",
            "",
            f"content-type:{CONTENT_TYPE}\nhost:{call.host}\n",
            _SIGNED,
            sha256(call.body).hexdigest(),
        )
    )
    to_sign = f"{ALGORITHM}\n{int(at.timestamp())}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    key = f"TC3{secret_key}".encode()
    for word in (day, call.service, _END):
        key = _keyed(key, word)
    return (
        f"{ALGORITHM} Credential={secret_id}/{scope}, SignedHeaders={_SIGNED}, Signature={_keyed(key, to_sign).hex()}"
    )


def _keyed(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), sha256).digest()
