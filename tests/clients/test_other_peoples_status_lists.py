"""Our status lists and trust lists are read by other people's libraries, unmodified, and their status lists by ours."""

import time
from dataclasses import replace

import pytest

from suishenban_verify import jws, status_list, trust_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import EDDSA, ES256, PublicKey
from suishenban_verify.status_list import JWT_TYPE, WIDTHS, NotAStatusList, StatusList
from suishenban_verify.trust_list import OFFLINE, TrustedIssuer, TrustEntry, TrustList
from tests import changes
from tests.clients.other_peoples_jose import Others
from tests.signing_keys import eddsa, es256, private_jwk, stranger

URI = "https://city.example/status/1"
NOW = int(time.time())
LIVES_SECONDS = 86_400
"""Longer than the whole suite: those libraries ask the clock themselves."""
TIMES = {"uri": URI, "issued_at": NOW - 5, "expires_at": NOW + LIVES_SECONDS, "ttl_seconds": 30}
SIGNERS = {ES256: es256(7), EDDSA: eddsa(7)}


@pytest.fixture(scope="module")
def others() -> Others:
    return Others()


def million() -> tuple[StatusList, dict[int, int]]:
    """A full-size list, and what stands in it where."""
    statuses = StatusList(2, 2**20)
    written = {0: 1, 1993: 2, 2**19 + 3: 3, 2**20 - 1: 1}
    for index, value in written.items():
        statuses.set(index, value)
    return statuses, written | {1: 0, 2**19: 0}


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_our_list_of_a_million_is_read_by_openvc_in_both_forms(others: Others, algorithm: str) -> None:
    signer, (statuses, written) = SIGNERS[algorithm], million()
    jwt = status_list.publish_jwt(statuses, **TIMES, signer=signer, aggregation_uri=f"{URI}/all")
    cwt = status_list.publish_cwt(statuses, **TIMES, signer=signer, aggregation_uri=f"{URI}/all")
    asked = {"jwk": dict(signer.public.jwk), "indexes": list(written)}
    assert others.say("openvc_reads_status_jwt", token=jwt, uri=URI, **asked) == list(written.values())
    assert others.say("openvc_reads_status_cwt", token=cwt.hex(), **asked) == {
        "type": "application/statuslist+cwt",
        "uri": URI,
        "times": [NOW - 5, NOW + LIVES_SECONDS, 30],
        "statuses": list(written.values()),
    }
    broken, elsewhere, beyond = others.all(
        ("openvc_reads_status_jwt", {"token": changes.misread(jwt), "uri": URI, **asked}),
        ("openvc_reads_status_jwt", {"token": jwt, "uri": f"{URI}0", **asked}),
        ("openvc_reads_status_jwt", {"token": jwt, "uri": URI, **asked, "indexes": [2**20]}),
    )
    assert [list(each) for each in (broken, elsewhere, beyond)] == [["refused"]] * 3


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("algorithm", SIGNERS)
def test_a_list_that_openvc_publishes_is_read_by_us(others: Others, bits: int, algorithm: str) -> None:
    values = [number * 7 % 2**bits for number in range(40)]
    theirs = private_jwk(21, algorithm)
    token = others.say(
        "openvc_publishes",
        values=values,
        bits=bits,
        private_jwk=theirs,
        kid="theirs",
        uri=URI,
        issued_at=NOW,
        expires_at=NOW + 60,
        ttl=5,
    )
    found = status_list.read_jwt(token, [stranger(theirs, "theirs")], uri=URI, now=NOW)
    assert [found.list.get(index) for index in range(40)] == values
    assert (found.issued_at, found.expires_at, found.ttl_seconds) == (NOW, NOW + 60, 5)
    with pytest.raises(NotSigned):
        status_list.read_jwt(token, [stranger(private_jwk(22, algorithm), "theirs")], uri=URI, now=NOW)


@pytest.mark.parametrize("bits", WIDTHS)
def test_lists_are_packed_alike_by_token_status_list(others: Others, bits: int) -> None:
    values = [number * 5 % 2**bits for number in range(48)]
    ours = StatusList.of(bits, values)
    assert others.say("packing_reads", claim=ours.as_json(), indexes=list(range(48))) == values
    assert others.say("packing_writes", values=values, bits=bits) == ours.as_json()


def test_what_joserfc_signs_is_opened_by_us_and_what_we_sign_by_joserfc(others: Others) -> None:
    theirs = private_jwk(21)
    claims = {"sub": URI, "iat": NOW, "exp": NOW + 9, "status_list": StatusList.of(2, [0, 1, 2, 3]).as_json()}
    header = {"alg": "ES256", "typ": JWT_TYPE, "kid": "theirs"}
    token = others.say("joserfc_signs", header=header, claims=claims, private_jwk=theirs)
    key = stranger(theirs, "theirs")
    assert status_list.read_jwt(token, [key], uri=URI, now=NOW).list.get(2) == 2
    refused = others.say("joserfc_signs", header=header, claims=claims | {"ttl": 0}, private_jwk=theirs)
    with pytest.raises(NotAStatusList):
        status_list.read_jwt(refused, [key], uri=URI, now=NOW)
    signer = SIGNERS[ES256]
    opened = others.say("joserfc_opens", token=jws.sign({"名": "证"}, signer, typ="x"), jwk=dict(signer.public.jwk))
    assert opened == {"header": {"alg": "ES256", "typ": "x", "kid": signer.public.key_id}, "claims": {"名": "证"}}


def test_our_trust_list_is_opened_by_joserfc_and_its_keys_are_keys_to_everybody(others: Others) -> None:
    root, city = SIGNERS[ES256], es256(9)
    entry = TrustEntry(city.public, frozenset({OFFLINE}), NOW - 9, NOW + 9)
    issuer = TrustedIssuer("https://city.example", "本市", "This city", None, (entry,))
    trusted = TrustList("https://city.example", NOW, NOW + 600, 1, {issuer.issuer: issuer}, (root.public,))
    token = trust_list.sign(trusted, root)
    opened = others.say("joserfc_opens", token=token, jwk=dict(root.public.jwk))
    assert opened["header"]["typ"] == "trust-list+jwt"
    (key,) = opened["claims"]["issuers"][0]["keys"]
    signed = jws.sign({"a": 1}, city, typ="x")
    assert others.say("joserfc_opens", token=signed, jwk=key)["claims"] == {"a": 1}
    found = trust_list.read(token, [root.public], now=NOW)
    assert _ids(found.keys("https://city.example", OFFLINE, None, NOW)) == _ids([city.public])
    assert replace(found, issuers={}, roots=()) == replace(trusted, issuers={}, roots=())


def _ids(keys: tuple[PublicKey, ...] | list[PublicKey]) -> list[str]:
    return [key.key_id for key in keys]
