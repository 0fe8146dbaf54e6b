"""Status lists for tests: one short list, published in both forms, and whether a reader takes it."""

from typing import Any

import cbor2

from suishenban_verify import cose, jws, status_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import LocalSigner
from suishenban_verify.status_list import (
    CWT_TYPE,
    INVALID,
    JWT_TYPE,
    SUSPENDED,
    VALID,
    NotAStatusList,
    Published,
    StatusList,
)
from tests.signing_keys import eddsa, es256

URI = "https://city.example/status/1"
ISSUED, EXPIRES, NOW = 1_700_000_000, 1_700_086_400, 1_700_000_030
OURS = es256(7)
SIGNERS = [OURS, eddsa(7)]
STATUSES = StatusList.of(2, [VALID, INVALID, SUSPENDED, 3, VALID, VALID, VALID, INVALID])
TIMES = {"uri": URI, "issued_at": ISSUED, "expires_at": EXPIRES, "ttl_seconds": 60}
CLAIMS = {"sub": URI, "iat": ISSUED, "exp": EXPIRES, "ttl": 60, "status_list": STATUSES.as_json()}
CWT_CLAIMS = {2: URI, 4: EXPIRES, 6: ISSUED, 65533: STATUSES.as_cbor(), 65534: 60}


def read_jwt(token: str, *, now: int = NOW, uri: str = URI, signer: LocalSigner = OURS) -> Published:
    return status_list.read_jwt(token, [signer.public], uri=uri, now=now)


def read_cwt(token: bytes, *, now: int = NOW, uri: str = URI, signer: LocalSigner = OURS) -> Published:
    return status_list.read_cwt(token, [signer.public], uri=uri, now=now)


def read_foreign(token: bytes) -> Published:
    return status_list.read_foreign_cwt(token, [OURS.public], uri=URI, now=NOW)


def with_claims(claims: dict[str, Any]) -> str:
    return jws.sign(claims, OURS, typ=JWT_TYPE)


def with_cwt_claims(claims: Any) -> bytes:
    return cose.sign(cbor2.dumps(claims), OURS, content_type=CWT_TYPE)


def is_read(reader: Any, token: Any) -> bool:
    try:
        reader(token)
    except (NotSigned, NotAStatusList):
        return False
    return True
