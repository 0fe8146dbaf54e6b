"""Signing keys and their rotation: a new key is announced before use, an old one trusted while what it signed lives.

A key's life: announced → signs → trusted only → gone; `revoked` ends it at once (a leak). Its hours are those of its
purpose. Private halves are sealed in the database; public halves are published as a JWK set (RFC 7517) or in the trust
list. JSON Web Tokens are signed ES256 (RFC 7518 §3.4).
"""

import json
import logging
import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_decode, base64url_encode

from kernel import audit, queries
from kernel.clock import Clock
from kernel.db import Connection, Database, Row
from kernel.purposes import ACCESS, DEPARTMENT, OVERLAP, PURPOSES, Purpose
from kernel.purposes import ListedKey as ListedKey
from kernel.sealing import Sealer
from kernel.signers import LOCAL_MAKERS, SignerMaker
from kernel.snapshots import Snapshot, announce
from suishenban_verify.signatures import ES256, PublicKey, Signer, b64url

OF_TOKENS = (ACCESS.name, DEPARTMENT.name)
"""The purposes whose keys sign JSON Web Tokens here."""
TRIES_MAX = 10
"""How often a key that was asked for is filed anew when another process filed one at the same moment."""
_REGISTERED = frozenset({"kty", "crv", "x", "y", "kid", "use", "alg"})
"""What a JWK says to other people's libraries; what a key of ours promises beyond is for the trust list."""

log = logging.getLogger(__name__)


class Stage(StrEnum):
    """Where in its life a key is. `replaced`: it could still sign, but one that began later does."""

    ANNOUNCED = "announced"
    SIGNS = "signs"
    REPLACED = "replaced"
    TRUSTED = "trusted"
    GONE = "gone"
    REVOKED = "revoked"


class SigningKey(msgspec.Struct, frozen=True):
    """One key pair and its hours: itself a `Signer`. `purpose` says what it may sign."""

    key_id: str
    purpose: str
    signer: Signer
    announced_at: datetime
    signs_from: datetime
    signs_until: datetime
    trusted_until: datetime
    revoked_at: datetime | None

    @property
    def public(self) -> PublicKey:
        return self.signer.public

    def sign(self, message: bytes) -> bytes:
        """The raw signature, 64 bytes, whatever the hour: which key signs now, `SigningKeys.signer` says."""
        return self.signer.sign(message)

    def signs_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and self.signs_from <= moment < self.signs_until

    def trusted_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and self.listed_at(moment)

    def listed_at(self, moment: datetime) -> bool:
        """Whether people are told of this key: as trusted, or as long as it would have been, as revoked."""
        return self.announced_at <= moment < self.trusted_until

    def public_jwk(self) -> dict[str, Any]:
        return {name: value for name, value in self.public.jwk.items() if name in _REGISTERED}

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

    def __init__(
        self, db: Database, sealer: Sealer, clock: Clock, makers: Mapping[str, SignerMaker] = LOCAL_MAKERS
    ) -> None:
        self._db = db
        self._sealer = sealer
        self._clock = clock
        self._makers = makers
        self.snapshot: Snapshot[tuple[SigningKey, ...]] = Snapshot("kernel.signing_keys", self._read)
        self._read_last: tuple[list[tuple[Any, ...]], tuple[SigningKey, ...]] = ([], ())
        self._sorted: tuple[object, dict[str, dict[str, SigningKey]]] = (None, {})
        self._signers: dict[str, Signer] = {}
        self._of_tokens: dict[str, ec.EllipticCurvePublicKey] = {}
        self._counted: Counter[str] = Counter()

    async def _read(self) -> tuple[SigningKey, ...]:
        async with self._db.connection() as conn:
            rows = await queries.select_signing_keys(conn)
        found = [tuple(row) for row in rows]
        if found != self._read_last[0]:  # otherwise the very same keys: whoever remembers what they proved goes on
            self._read_last = (found, self._opened(rows))
        return self._read_last[1]

    def _opened(self, rows: list[Row]) -> tuple[SigningKey, ...]:
        opened = []
        self._counted = Counter(row["purpose"] for row in rows)
        for row in rows:
            maker = self._makers.get(row["algorithm"])
            if maker is None:  # a newer version of us made it and knows what to do with it
                log.warning("a signing key is of an algorithm that is not known here")
                continue
            key_id = row["key_id"]
            key = SigningKey(
                key_id=key_id,
                purpose=row["purpose"],
                signer=self._signer_of(maker, key_id, row["private_key"]),
                announced_at=row["announced_at"],
                signs_from=row["signs_from"],
                signs_until=row["signs_until"],
                trusted_until=row["trusted_until"],
                revoked_at=row["revoked_at"],
            )
            if key.purpose in OF_TOKENS and key_id not in self._of_tokens:
                self._of_tokens[key_id] = _for_tokens(key)
            opened.append(key)
        return tuple(opened)

    def _signer_of(self, maker: SignerMaker, key_id: str, sealed: bytes) -> Signer:
        if key_id not in self._signers:
            self._signers[key_id] = maker.open(key_id, self._sealer.unseal(sealed, key_id.encode()))
        return self._signers[key_id]

    def _keys_of(self, purpose: str) -> dict[str, SigningKey]:
        """Every key there ever was of one purpose, by id."""
        current = self.snapshot.current
        if current is not self._sorted[0]:
            by_purpose: dict[str, dict[str, SigningKey]] = {}
            for key in current:
                by_purpose.setdefault(key.purpose, {})[key.key_id] = key
            self._sorted = (current, by_purpose)
        return self._sorted[1].get(purpose, {})

    def signer(self, purpose: str) -> SigningKey:
        """The key that signs for `purpose` now: of several, the one that began last."""
        key = self._signing(purpose, self._clock.now())
        assert key is not None, f"no key signs for {purpose}: SigningKeys.ensure was not run"
        return key

    def _signing(self, purpose: str, moment: datetime) -> SigningKey | None:
        signing = [key for key in self._keys_of(purpose).values() if key.signs_at(moment)]
        return max(signing, key=lambda key: (key.signs_from, key.announced_at, key.key_id), default=None)

    def sign(self, purpose: str, claims: dict[str, Any], *, headers: dict[str, Any] | None = None) -> str:
        """A JWT over `claims`, by the key that signs for `purpose` now."""
        key = self.signer(purpose)
        head = {"alg": key.public.algorithm, "kid": key.key_id, "typ": "JWT"} | (headers or {})
        signed = f"{_part(dict(sorted(head.items())))}.{_part(claims)}"
        return f"{signed}.{b64url(key.sign(signed.encode()))}"

    def claims_of(self, purpose: str, token: str, *, audience: str | None, issuer: str) -> dict[str, Any]:
        """What a token of ours says. Raises NotOurSignature, and jwt.ExpiredSignatureError for one that was good.

        `audience` None accepts any, so that the caller can tell a token made for somebody else from a forged one.
        """
        assert purpose in OF_TOKENS
        if not is_canonical(token):
            raise NotOurSignature
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            now = self._clock.now()
            key = self._keys_of(purpose).get(kid) if isinstance(kid, str) else None
            if key is None or not key.trusted_at(now):
                raise NotOurSignature
            claims: dict[str, Any] = jwt.decode(
                token,
                self._of_tokens[key.key_id],
                algorithms=[ES256],
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

    def trusted(self, purpose: str, at: datetime | None = None) -> list[ListedKey]:
        """What the trust list says of the keys of `purpose`, now or at another hour, oldest first.

        Those announced for later use are in it. Those that were revoked are, as revoked, for as long as they would
        have been trusted, so that nobody with an older list is left to believe in them.
        """
        moment = self._clock.now() if at is None else at
        return [
            ListedKey(
                key.public,
                purpose,
                int(key.announced_at.timestamp()),
                ceil(key.signs_until.timestamp()),
                None if key.revoked_at is None else int(key.revoked_at.timestamp()),
            )
            for key in self._keys_of(purpose).values()
            if key.listed_at(moment)
        ]

    def stage_of(self, key: SigningKey) -> Stage:
        """Where in its life a key is now."""
        now = self._clock.now()
        if key.revoked_at is not None:
            return Stage.REVOKED
        if now < key.signs_from:
            return Stage.ANNOUNCED
        if now < key.signs_until:
            return Stage.SIGNS if key is self._signing(key.purpose, now) else Stage.REPLACED
        return Stage.TRUSTED if now < key.trusted_until else Stage.GONE

    async def ensure(self) -> None:
        """Make sure that for each purpose a key signs now, and a next one is announced before that one ends."""
        await self.snapshot.refresh()
        now = self._now()
        for purpose in PURPOSES.values():
            if self._signing(purpose.name, self._clock.now()) is None:
                async with self._db.transaction() as conn:
                    await self._begin(conn, purpose, now=now, tries=1)
                await self.snapshot.refresh()
            last = max((key.signs_until for key in self._alive(purpose)), default=None)
            if last is not None and last - now <= purpose.renewed_before:
                signs_from = max(now, min(max(last - OVERLAP, now + purpose.announced_for), last))
                async with self._db.transaction() as conn:
                    await self._add(conn, purpose, now=now, signs_from=signs_from, tries=1)
                await self.snapshot.refresh()
        await self.snapshot.refresh()

    async def rotate(self, purpose: str, *, actor: str) -> str:
        """Announce a new key now that takes over once it was announced as long as its purpose asks; return its id."""
        await self.snapshot.refresh()
        now, wanted = self._now(), PURPOSES[purpose]
        async with self._db.transaction() as conn:
            key_id = await self._add(conn, wanted, now=now, signs_from=now + wanted.announced_for, actor=actor)
        assert key_id is not None, "as many processes made keys at this moment as there are tries"
        await self.snapshot.refresh()
        return key_id

    async def revoke(self, key_id: str, *, actor: str) -> bool:
        """A key leaked: trust nothing it signed, and if it signs, put another in its place in the same transaction.

        The place is taken by the next key where that was announced already, else by a fresh one. False when there is
        no such key, or it was revoked before.
        """
        await self.snapshot.refresh()
        now = self._now()
        async with self._db.transaction() as conn:
            purpose = await queries.revoke_signing_key(conn, key_id, now=now)
            if purpose is not None:
                await audit.record(conn, actor=actor, act="kernel.revoke_signing_key", subject=f"key:{key_id}", now=now)
                await announce(conn, self.snapshot.name)
                signing = self._signing(purpose, self._clock.now())
                if signing is not None and signing.key_id == key_id:
                    await self._begin(conn, PURPOSES[purpose], now=now, leaked=key_id, actor=actor)
        await self.ensure()
        return purpose is not None

    def _now(self) -> datetime:
        """The hour that is filed: whole seconds, as in everything that is signed."""
        return self._clock.now().replace(microsecond=0)

    def _alive(self, purpose: Purpose) -> list[SigningKey]:
        return [key for key in self._keys_of(purpose.name).values() if key.revoked_at is None]

    async def _begin(
        self,
        conn: Connection,
        purpose: Purpose,
        *,
        now: datetime,
        leaked: str | None = None,
        actor: str = "system:keys",
        tries: int = TRIES_MAX,
    ) -> None:
        """Let a key sign from now on: the one that was announced for later use, else a fresh one."""
        announced = [key for key in self._alive(purpose) if key.signs_from > now and key.key_id != leaked]
        if not announced:
            await self._add(conn, purpose, now=now, signs_from=now, actor=actor, tries=tries)
            return
        key_id = min(announced, key=lambda key: (key.announced_at, key.key_id)).key_id
        signs_until, trusted_until = purpose.hours_from(now)
        await queries.begin_signing_key(
            conn, key_id, signs_from=now, signs_until=signs_until, trusted_until=trusted_until
        )
        await audit.record(conn, actor=actor, act="kernel.begin_signing_key", subject=f"key:{key_id}", now=now)
        await announce(conn, self.snapshot.name)

    async def _add(
        self,
        conn: Connection,
        purpose: Purpose,
        *,
        now: datetime,
        signs_from: datetime,
        actor: str = "system:keys",
        tries: int = TRIES_MAX,
    ) -> str | None:
        """File a fresh key and return its id; None when other processes filed one at each try, which then serves."""
        key_id = f"{purpose.name}-{now:%Y%m%d}-{secrets.token_hex(4)}"
        signer, kept = self._makers[purpose.algorithm].make(key_id)
        signs_until, trusted_until = purpose.hours_from(signs_from)
        known = self._counted[purpose.name]
        for nth in range(1, tries + 1):
            filed = await queries.insert_signing_key(
                conn,
                key_id,
                purpose.name,
                known + nth,
                purpose.algorithm,
                msgspec.json.encode(signer.public.jwk).decode(),
                self._sealer.seal(kept, key_id.encode()),
                announced_at=now,
                signs_from=signs_from,
                signs_until=signs_until,
                trusted_until=trusted_until,
            )
            if filed:
                await audit.record(conn, actor=actor, act="kernel.make_signing_key", subject=f"key:{key_id}", now=now)
                await announce(conn, self.snapshot.name)
                return key_id
        return None


def _part(members: dict[str, Any]) -> str:
    return b64url(json.dumps(members, separators=(",", ":")).encode())


def _for_tokens(key: SigningKey) -> ec.EllipticCurvePublicKey:
    public = ECAlgorithm.from_jwk(key.public_jwk())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    return public
