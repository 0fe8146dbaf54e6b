"""A second city, made of its own keys: it signs trust lists, status lists and codes, and has no network."""

import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from kernel.clock import Clock
from suishenban_verify import offline_code, status_list, trust_list
from suishenban_verify.offline_code import Claims, Shown, StatusRef
from suishenban_verify.signatures import LocalSigner, PublicKey
from suishenban_verify.status_list import StatusList
from suishenban_verify.trust_list import TrustedIssuer, TrustEntry, TrustList
from tests.builders_wallet import ID_CARD
from tests.signing_keys import es256
from wallet.model import Words
from wallet.parts import Wallet
from wallet.trust.cities import Recognition
from wallet.trust.pulling import NotFetched

REGION = "330100"
ISSUER = "https://hangzhou.example"
TRUST_LIST_URL = f"{ISSUER}/.well-known/trust-list"
LIST = f"{ISSUER}/status-lists/3"
THEIR_CARD = "11330000DEMH0001XX001"
THEIR_PASS = "11330000DEMH0001XX002"
SCENARIO = "station.entry"
OPERATOR = "operator:1"
DAY = 86_400
_chance = random.Random(7)


class OtherCity:
    """What the other city signs, by the hour of the test's clock. `sequence` counts its trust lists."""

    def __init__(self, clock: Clock, number: int = 100, issuer: str = ISSUER) -> None:
        self.issuer = issuer
        self.root, self.next_root = es256(number), es256(number + 1)
        self.codes, self.statuses, self.other = es256(number + 2), es256(number + 3), es256(number + 4)
        self._clock = clock
        self.sequence = 0

    @property
    def now(self) -> int:
        return int(self._clock.now().timestamp())

    def entry(self, key: PublicKey, purpose: str, **changes: Any) -> TrustEntry:
        made = TrustEntry(key, frozenset({purpose}), self.now - DAY, self.now + 60 * DAY)
        return replace(made, **changes)

    def entries(self) -> tuple[TrustEntry, ...]:
        return (
            self.entry(self.codes.public, trust_list.OFFLINE),
            self.entry(self.statuses.public, trust_list.STATUS),
        )

    def trust_list(
        self,
        *entries: TrustEntry,
        others: Collection[TrustedIssuer] = (),
        signer: LocalSigner | None = None,
        **changes: Any,
    ) -> str:
        """Its signed list, of its own keys unless others are named."""
        self.sequence += 1
        own = TrustedIssuer(self.issuer, "杭州市", "Hangzhou", None, entries or self.entries())
        issuers = {each.issuer: each for each in (own, *others)}
        roots = (self.root.public, self.next_root.public)
        made = TrustList(self.issuer, self.now - 5, self.now + 20 * DAY, self.sequence, issuers, roots)
        return trust_list.sign(replace(made, **changes), signer or self.root)

    def status_list(self, statuses: Mapping[int, int] | None = None, *, uri: str = LIST, **changes: Any) -> str:
        """Its signed status list, in which all is good but for `statuses`."""
        values = StatusList(2, 2**12)
        for index, value in (statuses or {}).items():
            values.set(index, value)
        how: dict[str, Any] = {"issued_at": self.now - 5, "expires_at": self.now + DAY, "ttl_seconds": 30}
        return status_list.publish_jwt(values, uri=uri, **(how | {"signer": self.statuses} | changes))

    def shown(self, **changes: Any) -> Shown:
        fields = {"name": "某丙", "id_number": "330106199001010015"}
        made = Shown(THEIR_CARD, "11330000DEMH0001XX", date(2024, 1, 2), date(2034, 1, 1), fields, StatusRef(LIST, 17))
        return made._replace(**changes)

    def code(self, *certificates: Shown, signer: LocalSigner | None = None, **changes: Any) -> str:
        """A live code of one of its residents."""
        made = Claims(
            self.issuer, self.now, self.now + 300, _chance.randbytes(16), SCENARIO, certificates or (self.shown(),),
            _chance.randbytes(64), None,
        )  # fmt: skip
        return offline_code.text_of(offline_code.sign(made._replace(**changes), signer or self.codes))

    def recognition(self, **changes: Any) -> Recognition:
        """What our operator says of it: its card is our identity card, nothing else of it is anything."""
        said: dict[str, Any] = {
            "region_code": REGION,
            "issuer": self.issuer,
            "name": Words("杭州市", "Hangzhou"),
            "roots": [dict(self.root.public.jwk)],
            "kinds": {THEIR_CARD: ID_CARD},
            "list_url": None,
        }
        return Recognition(**(said | changes))


async def refreshed(wallet: Wallet) -> None:
    """What every process hears within a second or five."""
    await wallet.trust.listing.publish_due()
    for snapshot in wallet.snapshots:
        await snapshot.refresh()


async def recognised(wallet: Wallet, city: OtherCity, *, token: str | None = None, **changes: Any) -> None:
    """The city is recognised here and its trust list taken in."""
    await wallet.trust.cities.put(city.recognition(**changes), actor=OPERATOR)
    region_code = str(changes.get("region_code", REGION))
    await wallet.trust.cities.accept_list(region_code, token or city.trust_list(), actor=OPERATOR)
    await refreshed(wallet)


class Net:
    """The network as the worker sees it: addresses and what they answer."""

    def __init__(self, **answers: str) -> None:
        self.answers: dict[str, str] = answers
        self.asked: list[str] = []

    async def __call__(self, url: str, *, accept: str, bytes_max: int) -> bytes:
        del accept
        self.asked.append(url)
        answer = self.answers.get(url)
        if answer is None or len(answer) > bytes_max:
            raise NotFetched("it answered 404")
        return answer.encode()
