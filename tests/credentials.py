"""SD-JWTs for tests: the credential of one resident, what is shown of it, and whether a verifier takes it."""

import json
import random
from collections.abc import Callable
from hashlib import sha256, sha512
from typing import Any

from suishenban_verify import jws, sd_jwt
from suishenban_verify.sd_jwt import CREDENTIAL, Binding, NotVerified, Verified
from suishenban_verify.signatures import LocalSigner, b64url
from tests.signing_keys import es256

NOW = 1_700_000_000
CITY = "https://city.example"
OURS, HOLDER = es256(7), es256(11)
ASKED = Binding("https://venue.example", "n-1")
CLAIMS = {
    "iss": CITY,
    "iat": NOW - 10,
    "exp": NOW + 3600,
    "vct": f"{CITY}/kinds/licence",
    "status": {"status_list": {"idx": 5, "uri": f"{CITY}/status/1"}},
    "name": "王小明",
    "classes": ["C1", "D"],
    "address": {"district": "浦东", "lane": 7},
}
OPEN = {"name", "classes", "address"}


def random_bytes() -> Callable[[int], bytes]:
    """Salts, the same in every run."""
    return random.Random(5).randbytes


def issued(claims: dict[str, Any] = CLAIMS, *, holder: LocalSigner | None = None, **options: Any) -> str:
    return sd_jwt.issue(
        claims,
        options.pop("signer", OURS),
        disclosable=OPEN & claims.keys(),
        random_bytes=random_bytes(),
        holder=None if holder is None else holder.public,
        **options,
    )


def bound(text: str | None = None, *, at: int = NOW, to: Binding = ASKED, holder: LocalSigner = HOLDER) -> str:
    return sd_jwt.bind(issued(holder=HOLDER) if text is None else text, holder, to, at=at)


def check(text: str, *, binding: Binding | None = None, now: int = NOW, issuer: str | None = CITY) -> Verified:
    return sd_jwt.verify(text, [OURS.public], issuer=issuer, now=now, binding=binding)


def proves(text: str, *, binding: Binding | None = None, now: int = NOW) -> bool:
    try:
        check(text, binding=binding, now=now)
    except NotVerified:
        return False
    return True


def spelt(payload: dict[str, Any], *disclosed: Any, typ: str = CREDENTIAL, algorithm: str = "sha-256") -> str:
    """An SD-JWT of exactly this payload; disclosures are given as their JSON, `DIGEST n` is the digest of the nth."""
    texts = [b64url(each if isinstance(each, bytes) else json.dumps(each).encode()) for each in disclosed]
    hashed = {"sha-256": sha256, "sha-512": sha512}[algorithm]
    digests = [b64url(hashed(text.encode()).digest()) for text in texts]
    whole = json.dumps({"iss": CITY, "vct": "v"} | payload)
    for number, digest in enumerate(digests):
        whole = whole.replace(f"DIGEST {number}", digest)
    return "~".join([jws.sign(json.loads(whole), OURS, typ=typ), *texts, ""])


def claims_of(text: str) -> dict[str, Any]:
    return {name: value for name, value in check(text).claims.items() if name not in ("iss", "vct")}
