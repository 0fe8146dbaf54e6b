"""How a callback proves that it is ours: Standard Webhooks (standardwebhooks.com, specification 1.0), symmetric. Pure.

`webhook-signature` holds, space by space, `v1,` and the base64 of the HMAC-SHA-256 of id, timestamp and body with dots
between, under each secret that signs at the time. A secret is written `whsec_` and its base64, of 24 to 64 bytes.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from notifications.callbacks.model import EventId

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- how every secret begins
SECRET_BYTES: Final = 32
assert 24 <= SECRET_BYTES <= 64


def written(secret: bytes) -> str:
    """A secret as the department's library reads it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def webhook_id(event_id: EventId) -> str:
    """The id that an event has at every try; by it a receiver knows what it has seen."""
    return f"evt_{event_id.hex}"


def signed_headers(event_id: EventId, body: bytes, secrets: Sequence[bytes], *, now: datetime) -> dict[str, str]:
    """The three headers of one try at `now`: receivers refuse what was signed more than five minutes ago."""
    name, at = webhook_id(event_id), str(int(now.timestamp()))
    message = f"{name}.{at}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, message, sha256)).decode() for key in secrets]
    return {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
