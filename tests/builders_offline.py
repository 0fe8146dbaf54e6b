"""Offline codes, and devices that judge them, as tests need them: keys, claims, trust and status lists, a verifier."""

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from zlib import adler32

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from suishenban_verify import base45, offline_code, trust_list
from suishenban_verify.offline_code import Claims, Shown, StatusRef
from suishenban_verify.replay import Replay, ReplayMemory
from suishenban_verify.signatures import LocalSigner, PublicKey
from suishenban_verify.status_list import Published, StatusList
from suishenban_verify.trust_list import TrustedIssuer, TrustEntry, TrustList
from suishenban_verify.verifying import Verifier

NOW = 1_772_413_300
"""Monday 2 March 2026, 09:01:40 in Shanghai."""
CITY = "https://suishenban.example"
LIST = f"{CITY}/status-lists/17"
SCENARIO = "hotel-check-in"
KIND = "id-card"
GRANTS = {SCENARIO: {KIND: ("name", "birth_date", "is_resident", "floor"), "ticket": ("seat",)}}
DAY = 86_400

ISSUER = LocalSigner("city-1", ec.derive_private_key(0x1234567, ec.SECP256R1()))
ED_ISSUER = LocalSigner("city-2", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = LocalSigner("stranger", ec.derive_private_key(0x7654321, ec.SECP256R1()))
PHONE = LocalSigner("phone", ec.derive_private_key(0xABCDEF, ec.SECP256R1()))
ED_PHONE = LocalSigner("phone-2", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))

_chance = random.Random(20260302)


def shown(**changes: object) -> Shown:
    """A certificate that is good, at index 4711 of the list."""
    fields = {"name": "张三", "birth_date": "1987-05-04"}
    made = Shown(KIND, "11310000000000001X", date(2024, 1, 2), date(2034, 1, 1), fields, StatusRef(LIST, 4711))
    return made._replace(**changes)


def claims(*certificates: Shown, holder: LocalSigner | None = None, **changes: object) -> Claims:
    """What a good code says that was made 100 s ago: a live one, or one issued to the phone `holder`."""
    lives = 200 if holder is None else DAY
    public = None if holder is None else holder.public
    made = Claims(
        CITY, NOW - 100, NOW - 100 + lives, _chance.randbytes(16), SCENARIO,
        certificates or (shown(),), _chance.randbytes(64), public,
    )  # fmt: skip
    return made._replace(**changes)


def live(of: Claims | None = None, signer: LocalSigner = ISSUER) -> str:
    """The text of a live code."""
    return offline_code.text_of(offline_code.sign(of or claims(), signer))


def pre_issued(of: Claims | None = None, holder: LocalSigner = PHONE, at: int = NOW - 5) -> str:
    """The text of a pre-issued code that a phone showed at `at`."""
    return offline_code.present(offline_code.sign(of or claims(holder=holder), ISSUER), holder, at)


def framed(body: bytes) -> str:
    """The text around `body`, whatever it is, in the frame that codes have."""
    length = len(body)
    start = b"\x78\x01\x01" + length.to_bytes(2, "little") + (length ^ 0xFFFF).to_bytes(2, "little")
    return "EC1:" + base45.encode(start + body + adler32(body).to_bytes(4, "big"))


def unframed(text: str) -> bytes:
    """The body of a code."""
    return base45.decode(text[4:])[7:-4]


def entry(key: PublicKey, **changes: object) -> TrustEntry:
    """A key that may sign codes, from a month ago for two months."""
    return replace(TrustEntry(key, frozenset({trust_list.OFFLINE}), NOW - 30 * DAY, NOW + 30 * DAY), **changes)


def trust(
    *entries: TrustEntry, issuer: str = CITY, kinds: Mapping[str, str] | None = None, **changes: object
) -> TrustList:
    """A trust list with one issuer, who by default has both keys of the city."""
    given = entries or (entry(ISSUER.public), entry(ED_ISSUER.public))
    trusted = TrustedIssuer(issuer, "上海", "Shanghai", kinds, given)
    return replace(TrustList(CITY, NOW - 3600, NOW + 7 * DAY, 7, {issuer: trusted}, ()), **changes)


def listed(statuses: Mapping[int, int] | None = None, *, uri: str = LIST, **changes: object) -> Published:
    """A status list made ten minutes ago, in which all is good but for `statuses`."""
    values = StatusList(2, 2**14)
    for index, status in (statuses or {}).items():
        values.set(index, status)
    return replace(Published(uri, NOW - 600, NOW + DAY, 60, values), **changes)


def device(
    trusted: TrustList | None = None,
    *lists: Published,
    replay: Replay | None = None,
    grants: Mapping[str, Mapping[str, tuple[str, ...]]] = GRANTS,
) -> Verifier:
    """A device that holds a good trust list and a good status list, unless it is given others."""
    held = {each.uri: each for each in lists or (listed(),)}
    return Verifier(trusted or trust(), held, ReplayMemory() if replay is None else replay, scenarios=grants)
