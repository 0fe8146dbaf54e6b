"""Signing keys and their rotation: a new key is announced before use, an old one trusted while what it signed lives.

A key's life: announced → signs → trusted only → gone; `revoked` ends it at once (a leak). Private halves are sealed in
the database; public halves are published as a JWK set (RFC 7517). JSON Web Tokens are signed ES256 (RFC 7518 §3.4).
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from kernel import audit, queries
from kernel.clock import Clock
from kernel.db import Connection, Database, Row
from kernel.sealing import Sealer
from kernel.snapshots import Snapshot, announce

ANNOUNCED_FOR = timedelta(hours=1)
"""How long a key is published before it signs: longer than anybody may cache the key set."""
SIGNS_FOR = timedelta(days=30)
TRUSTED_AFTER = timedelta(days=1)
"""How long a key is trusted after its last signature: longer than any token it signed lives."""
PURPOSES = ("access", "department")
RENEWED_BEFORE = timedelta(days=3)
"""How long before its end a key's successor is made: time enough for operators to notice that it was not."""
assert ANNOUNCED_FOR < RENEWED_BEFORE < SIGNS_FOR


class SigningKey(msgspec.Struct, frozen=True):
    """One key pair and its hours. `purpose` says what it may sign; a key signs for one purpose only."""

    key_id: str
    purpose: str
    private_key: ec.EllipticCurvePrivateKey
    announced_at: datetime
    signs_from: datetime
    signs_until: datetime
    trusted_until: datetime
    revoked_at: datetime | None

    def signs_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and self.signs_from <= moment < self.signs_until

    def trusted_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and self.announced_at <= moment < self.trusted_until

    def public_jwk(self) -> dict[str, Any]:
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return jwk | {"kid": self.key_id, "use": "sig", "alg": "ES256"}

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id}, {self.purpose})"


class NotOurSignature(Exception):
    """The token is malformed, signed by nobody we trust now, or signed for another purpose."""


def is_canonical(token: str) -> bool:
    """Whether every part of a JWT is base64url in its one spelling (RFC 7515 §2): no padding, spare bits zero."""
    try:
        return all(base64url_encode(base64url_decode(part)).decode() == part for part in token.split("."))
    except ValueError:
        return False


class SigningKeys:
    """The keys of this city as this process knows them; `snapshot` keeps them fresh."""

    def __init__(self, db: Database, sealer: Sealer, clock: Clock) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock
        self.snapshot: Snapshot[tuple[SigningKey, ...]] = Snapshot("kernel.signing_keys", self._read)
        self._read_last: tuple[list[tuple[Any, ...]], tuple[SigningKey, ...]] = ([], ())

    async def _read(self) -> tuple[SigningKey, ...]:
        async with self._db.connection() as conn:
            rows = await queries.select_signing_keys(conn)
        found = [tuple(row) for row in rows]
        if found != self._read_last[0]:  # otherwise the very same keys: whoever remembers what they proved goes on
            self._read_last = (found, self._opened(rows))
        return self._read_last[1]

    def _opened(self, rows: list[Row]) -> tuple[SigningKey, ...]:
        return tuple(
            SigningKey(
                key_id=row["key_id"],
                purpose=row["purpose"],
                private_key=self._open(row["key_id"], row["private_key"]),
                announced_at=row["announced_at"],
                signs_from=row["signs_from"],
                signs_until=row["signs_until"],
                trusted_until=row["trusted_until"],
                revoked_at=row["revoked_at"],
            )
            for row in rows
        )

    def _open(self, key_id: str, sealed: bytes) -> ec.EllipticCurvePrivateKey:
        key = load_der_private_key(self._sealer.unseal(sealed, key_id.encode()), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def signer(self, purpose: str) -> SigningKey:
        """The key that signs for `purpose` now: of several, the one that began last."""
        now = self._clock.now()
        signing = [key for key in self.snapshot.current if key.purpose == purpose and key.signs_at(now)]
        assert signing, f"no key signs for {purpose}: SigningKeys.ensure was not run"
        return max(signing, key=lambda key: (key.signs_from, key.key_id))

    def sign(self, purpose: str, claims: dict[str, Any], *, headers: dict[str, Any] | None = None) -> str:
        """A JWT over `claims`, by the key that signs for `purpose` now."""
        key = self.signer(purpose)
        return jwt.encode(claims, key.private_key, algorithm="ES256", headers={"kid": key.key_id} | (headers or {}))

    def claims_of(self, purpose: str, token: str, *, audience: str | None, issuer: str) -> dict[str, Any]:
        """What a token of ours says. Raises NotOurSignature, and jwt.ExpiredSignatureError for one that was good.

        `audience` None accepts any, so that the caller can tell a token made for somebody else from a forged one.
        """
        if not is_canonical(token):
            raise NotOurSignature
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            now = self._clock.now()
            key = next((k for k in self.snapshot.current if k.key_id == kid and k.purpose == purpose), None)
            if key is None or not key.trusted_at(now):
                raise NotOurSignature
            claims: dict[str, Any] = jwt.decode(
                token,
                key.private_key.public_key(),
                algorithms=["ES256"],
                audience=audience,
                issuer=issuer,
                options={
                    "require": ["exp", "iat", "aud", "sub"],
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_aud": audience is not None,
                },
            )
        except jwt.InvalidTokenError as problem:
            raise NotOurSignature from problem
        if claims["exp"] <= now.timestamp():
            raise jwt.ExpiredSignatureError
        return claims

    def jwks(self, purpose: str | None = None) -> dict[str, list[dict[str, Any]]]:
        """The public keys trusted now, as a JWK set: those announced for later use included."""
        now = self._clock.now()
        trusted = [k for k in self.snapshot.current if k.trusted_at(now) and purpose in (None, k.purpose)]
        return {"keys": [key.public_jwk() for key in trusted]}

    async def ensure(self) -> None:
        """Make sure that for each purpose a key signs now, and a next one is announced before that one ends."""
        await self.snapshot.refresh()
        now = self._clock.now()
        for purpose in PURPOSES:
            alive = [k for k in self.snapshot.current if k.purpose == purpose and k.revoked_at is None]
            if not any(key.signs_at(now) for key in alive):
                await self._make(purpose, now=now, signs_from=now)
            last = max((key.signs_until for key in alive), default=now + SIGNS_FOR)
            if last - now <= RENEWED_BEFORE:
                await self._make(purpose, now=now, signs_from=max(now, last - ANNOUNCED_FOR))
        await self.snapshot.refresh()

    async def rotate(self, purpose: str, *, actor: str) -> str:
        """Announce a new key now that takes over after `ANNOUNCED_FOR`; return its id."""
        now = self._clock.now()
        return await self._make(purpose, now=now, signs_from=now + ANNOUNCED_FOR, actor=actor)

    async def revoke(self, key_id: str, *, actor: str) -> bool:
        """A key leaked: trust nothing it signed, and put a fresh one in its place at once."""
        now = self._clock.now()
        async with self._db.transaction() as conn:
            revoked = await queries.revoke_signing_key(conn, key_id, now=now)
            if revoked:
                await audit.record(conn, actor=actor, act="kernel.revoke_signing_key", subject=f"key:{key_id}", now=now)
                await announce(conn, self.snapshot.name)
        await self.ensure()
        return revoked

    async def _make(self, purpose: str, *, now: datetime, signs_from: datetime, actor: str = "system:keys") -> str:
        private = ec.generate_private_key(ec.SECP256R1())
        key_id = f"{purpose}-{now:%Y%m%d}-{secrets.token_hex(4)}"
        key = SigningKey(
            key_id,
            purpose,
            private,
            now,
            signs_from,
            signs_from + SIGNS_FOR,
            signs_from + SIGNS_FOR + TRUSTED_AFTER,
            None,
        )
        async with self._db.transaction() as conn:
            await self._file(conn, key)
            await audit.record(conn, actor=actor, act="kernel.make_signing_key", subject=f"key:{key_id}", now=now)
            await announce(conn, self.snapshot.name)
        await self.snapshot.refresh()
        return key_id

    async def _file(self, conn: Connection, key: SigningKey) -> None:
        der = key.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        await queries.insert_signing_key(
            conn,
            key.key_id,
            key.purpose,
            msgspec.json.encode(key.public_jwk()).decode(),
            self._sealer.seal(der, key.key_id.encode()),
            announced_at=key.announced_at,
            signs_from=key.signs_from,
            signs_until=key.signs_until,
            trusted_until=key.trusted_until,
        )
