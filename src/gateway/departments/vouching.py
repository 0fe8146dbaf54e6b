"""The token a department's server is called with: made for it, one person and one request, never the person's own."""

import base64
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from gateway import tokens
from gateway.departments.model import App
from kernel.ids import DepartmentId, uuid7
from kernel.principal import Audience, Resident

LIFETIME = timedelta(seconds=60)


class Vouching:
    """Signs who is calling."""

    def __init__(self, signing_keys: tokens.Signs, pairwise_key: bytes, *, issuer: str) -> None:
        self._signing_keys = signing_keys
        self._pairwise_key = pairwise_key
        self._issuer = issuer

    def subject(self, resident: Resident, department_id: DepartmentId) -> str:
        """Who a person is to one department and to no other.

        Before their real name is checked a resident is known by the account, afterwards by the person.
        """
        who = resident.account_id if resident.person_id is None else resident.person_id
        digest = hmac.digest(self._pairwise_key, department_id.bytes + who.bytes, sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def token(self, app: App, resident: Resident, audience: Audience, method: str, *, now: datetime) -> str:
        issued_at = int(now.timestamp())
        claims = {
            "iss": self._issuer,
            "aud": app.slug,
            "sub": self.subject(resident, app.registered.department_id),
            "iat": issued_at,
            "exp": issued_at + int(LIFETIME.total_seconds()),
            "jti": str(uuid7(now)),
            "scope": "read" if method == "GET" else "write",
            "channel": audience.value,
            "assurance": "phone" if resident.person_id is None else "real_name",
        }
        return self._signing_keys.sign(tokens.DEPARTMENT_PURPOSE, claims)
