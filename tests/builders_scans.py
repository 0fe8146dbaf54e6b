"""Offline codes of a wallet, phones that keep some, and scans of them, with good defaults."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from kernel.ids import UseId
from kernel.sealing import Keys
from suishenban_verify import offline_code
from suishenban_verify.claim_set import CTI_BYTES
from suishenban_verify.signatures import LocalSigner, un_b64url
from wallet.model import Certificate
from wallet.offline.binding import Bindings
from wallet.offline.minting import Showing
from wallet.offline.model import Uploaded
from wallet.parts import Wallet
from wallet.residents.showing import Chosen

STATION_ENTRY = "station.entry"


def showing_of(
    *certificates: Certificate, scenario: str = STATION_ENTRY, fields: Sequence[str] | None = None
) -> Showing:
    chosen = tuple([Chosen(one.certificate_id, fields) for one in certificates])
    return Showing(certificates[0].person_id, scenario, chosen)


async def a_live_code(wallet: Wallet, certificate: Certificate, scenario: str = STATION_ENTRY) -> str:
    return (await wallet.offline_minter.live(showing_of(certificate, scenario=scenario))).text


def codes_like(wallet: Wallet, keys: Keys, text: str, count: int) -> list[str]:
    """Live codes that show what one of the city's shows, signed and sealed as that is, each with an id of its own."""
    signer, bindings = wallet.signing_keys.signer("offline"), Bindings(keys)
    code = offline_code.opened(offline_code.read(text), (signer.public,))
    assert code is not None
    bound = bindings.open(code.claims.binding, code.claims.cti)
    assert bound is not None
    claims = []
    for _ in range(count):
        cti = secrets.token_bytes(CTI_BYTES)
        claims.append(code.claims._replace(cti=cti, binding=bindings.seal(bound, cti)))
    return [offline_code.text_of(offline_code.sign(one, signer)) for one in claims]


class Phone:
    """A phone that will have no network: it makes a key for each code, and signs each showing."""

    def __init__(self, count: int = 1) -> None:
        self.keys = [LocalSigner(f"phone {nth}", ec.generate_private_key(ec.SECP256R1())) for nth in range(count)]
        self.codes: list[bytes] = []

    def jwks(self) -> list[dict[str, str]]:
        return [{name: str(key.public.jwk[name]) for name in ("kty", "crv", "x", "y")} for key in self.keys]

    async def fetch(self, wallet: Wallet, showing: Showing, lifetime: timedelta = timedelta(hours=24)) -> None:
        issued = await wallet.offline_minter.pre_issue(showing, self.jwks(), lifetime)
        self.codes = [un_b64url(code.cwt) for code in issued]

    def show(self, nth: int, at: datetime) -> str:
        return offline_code.present(self.codes[nth], self.keys[nth], int(at.timestamp()))


def a_scan(code: str, at: datetime, *, verdict: str = "valid", use_id: UseId | None = None) -> Uploaded:
    return Uploaded(code, use_id or UseId(uuid4()), at, verdict)
