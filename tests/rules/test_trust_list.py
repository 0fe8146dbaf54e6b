"""The trust list says whose keys are believed, for what and until when; nobody but a root can say it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import jws, trust_list
from suishenban_verify.jws import NotSigned
from suishenban_verify.signatures import LocalSigner
from suishenban_verify.trust_list import (
    OFFLINE,
    PURPOSES,
    STATUS,
    TYPE,
    NotATrustList,
    TrustedIssuer,
    TrustEntry,
    TrustList,
)
from tests import changes
from tests.signing_keys import eddsa, es256

ROOT, NEXT_ROOT = es256(1, "root-1"), eddsa(2, "root-2")
CITY_KEY, OLD_KEY, LEAKED_KEY, THEIR_KEY = es256(3, "c1"), es256(4, "c0"), eddsa(5, "c2"), eddsa(6, "n1")
CITY, NEIGHBOUR = "https://city.example", "https://neighbour.example"
NOW, START, END = 1_700_000_000, 1_690_000_000, 1_800_000_000
TRUST = TrustList(
    CITY,
    NOW - 60,
    NOW + 86_400,
    7,
    {
        CITY: TrustedIssuer(
            CITY,
            "本市",
            "This city",
            None,
            (
                TrustEntry(CITY_KEY.public, frozenset({OFFLINE, STATUS}), START, END),
                TrustEntry(OLD_KEY.public, frozenset({OFFLINE}), START - 1000, START),
                TrustEntry(LEAKED_KEY.public, frozenset(PURPOSES), START, END, NOW - 5),
            ),
        ),
        NEIGHBOUR: TrustedIssuer(
            NEIGHBOUR,
            "邻市",
            "The next city",
            {"theirs": "ours"},
            (TrustEntry(THEIR_KEY.public, frozenset({OFFLINE}), START, END),),
        ),
    },
    (ROOT.public, NEXT_ROOT.public),
)
SMALL = replace(TRUST, issuers={NEIGHBOUR: TRUST.issuers[NEIGHBOUR]}, roots=())


def read(token: str, *, now: int = NOW, root: LocalSigner = ROOT) -> TrustList:
    return trust_list.read(token, [root.public], now=now)


def is_read(token: str) -> bool:
    try:
        read(token)
    except (NotSigned, NotATrustList):
        return False
    return True


def claims() -> dict[str, Any]:
    """The claims of the list, fresh, to be changed."""
    return jws.read(trust_list.sign(TRUST, ROOT)).payload


def with_claims(changed: Any) -> str:
    return jws.sign(changed, ROOT, typ=TYPE)


@pytest.mark.parametrize("root", [ROOT, NEXT_ROOT])
def test_what_a_root_signed_is_read_back(root: LocalSigner) -> None:
    found = read(trust_list.sign(TRUST, root), root=root)
    assert (found.issuer, found.issued_at, found.expires_at, found.sequence) == (CITY, NOW - 60, NOW + 86_400, 7)
    assert [issuer.name_zh for issuer in found.issuers.values()] == ["本市", "邻市"]
    ours, theirs = found.issuers[CITY], found.issuers[NEIGHBOUR]
    assert (ours.our_kind("k"), theirs.our_kind("theirs"), theirs.our_kind("k")) == ("k", "ours", None)
    assert [(e.key.jwk, e.purposes, e.valid_from, e.valid_until, e.revoked_at) for e in ours.entries] == [
        (e.key.jwk, e.purposes, e.valid_from, e.valid_until, e.revoked_at) for e in TRUST.issuers[CITY].entries
    ]
    assert trust_list.sign(found, NEXT_ROOT) == trust_list.sign(TRUST, NEXT_ROOT)


def test_who_trusts_one_root_learns_the_next() -> None:
    found = read(trust_list.sign(TRUST, ROOT))
    assert trust_list.read(trust_list.sign(TRUST, NEXT_ROOT), found.roots, now=NOW).sequence == 7
    with pytest.raises(NotSigned):
        read(trust_list.sign(TRUST, NEXT_ROOT))


def test_no_change_of_a_trust_list_gets_through() -> None:
    token = trust_list.sign(SMALL, ROOT)
    assert is_read(token)
    assert [changed for changed in changes.of_text(token) if is_read(changed)] == []
    assert not is_read(changes.twin_of(token))


def test_an_issuer_that_is_believed_cannot_sign_who_is_believed() -> None:
    assert not is_read(trust_list.sign(TRUST, CITY_KEY))
    assert not is_read(trust_list.sign(TRUST, es256(9, "root-1")))
    assert not is_read(jws.sign(claims(), ROOT, typ="statuslist+jwt"))


def test_a_key_verifies_from_its_beginning_and_before_its_end() -> None:
    def named(at: int) -> list[str]:
        return [key.key_id for key in TRUST.keys(CITY, OFFLINE, None, at)]

    assert named(START) == named(END - 1) == ["c1"]
    assert named(START - 1) == named(START - 1000) == ["c0"]
    assert named(START - 1001) == named(END) == []


def test_a_revoked_key_verifies_nothing_not_even_what_says_it_is_older() -> None:
    for at in (START, NOW - 6, NOW):
        assert TRUST.keys(CITY, OFFLINE, "c2", at) == ()


def test_a_key_is_believed_for_its_purposes_and_its_issuer_alone() -> None:
    assert TRUST.keys(CITY, STATUS, "c1", NOW) == (CITY_KEY.public,)
    assert TRUST.keys(CITY, "vc", "c1", NOW) == ()
    assert TRUST.keys(NEIGHBOUR, OFFLINE, "c1", NOW) == ()
    assert TRUST.keys("https://elsewhere.example", OFFLINE, None, NOW) == ()


def test_every_key_of_a_name_or_short_id_is_found() -> None:
    twice = replace(TRUST.issuers[CITY].entries[0], valid_from=START + 1)
    both = replace(TRUST.issuers[CITY], entries=(TRUST.issuers[CITY].entries[0], twice))
    shared = replace(TRUST, issuers={CITY: both})
    assert len(shared.keys(CITY, OFFLINE, "c1", NOW)) == 2
    assert len(shared.keys(CITY, OFFLINE, CITY_KEY.public.short_id, NOW)) == 2
    assert shared.keys(CITY, OFFLINE, b"another!", NOW) == ()
    assert shared.keys(CITY, OFFLINE, "another", NOW) == ()


def test_a_list_serves_until_its_end_and_not_at_it() -> None:
    token = trust_list.sign(TRUST, ROOT)
    assert read(token, now=TRUST.expires_at - 1).sequence == 7
    with pytest.raises(NotATrustList, match="expired"):
        read(token, now=TRUST.expires_at)
    with pytest.raises(NotSigned):
        read(jws.sign(claims(), es256(9, "root-1"), typ=TYPE), now=TRUST.expires_at)


@pytest.mark.parametrize("member", ["iss", "iat", "exp", "seq", "issuers", "roots"])
@pytest.mark.parametrize("value", [None, -1, 1.5, True, "", [None], {}, "x" * 401])
def test_a_member_of_the_wrong_make_is_refused(member: str, value: Any) -> None:
    assert not is_read(with_claims(claims() | {member: value}))


def test_a_member_that_is_missing_or_unknown_is_refused_at_every_place() -> None:
    assert is_read(with_claims(claims()))
    places = [
        lambda it: it,
        lambda it: it["issuers"][0],
        lambda it: it["issuers"][0]["keys"][0],
        lambda it: it["roots"][0],
    ]
    for place in places:
        more = claims()
        place(more)["surprise"] = 1
        assert not is_read(with_claims(more))
        for member in place(claims()).keys() - {"use", "alg", "low_s"}:
            less = claims()
            del place(less)[member]
            assert not is_read(with_claims(less)), member


@pytest.mark.parametrize(
    "change",
    [
        {"x": "AAAA"},
        {"y": None},
        {"kty": "oct"} | {"crv": ["P-256"]},
        {"kty": None},
        {"alg": "EdDSA"},
        {"alg": "none"},
        {"use": "enc"},
        {"d": "AAAA"},
        {"kid": ""},
        {"kid": 7},
        {"purposes": "offline"},
        {"purposes": [1]},
        {"purposes": ["offline"] * 11},
        {"from": END},
        {"from": None},
        {"until": START + 0.5},
        {"revoked_at": "never"},
        {"revoked_at": -1},
    ],
)
def test_a_key_of_the_wrong_make_is_refused(change: dict[str, Any]) -> None:
    changed = claims()
    changed["issuers"][0]["keys"][0] |= change
    assert not is_read(with_claims(changed))


def test_a_key_of_a_suite_to_come_is_left_out_and_the_others_stay() -> None:
    changed = claims()
    changed["issuers"][0]["keys"][0] |= {"kty": "EC", "crv": "SM2", "alg": "SM2SM3", "z": "new"}
    changed["roots"][0] = {"kty": "AKP", "crv": "none", "kid": "new", "pub": "AAAA"}
    found = read(with_claims(changed))
    assert [entry.key.key_id for entry in found.issuers[CITY].entries] == ["c0", "c2"]
    assert [root.key_id for root in found.roots] == ["root-2"]


def test_a_purpose_to_come_grants_nothing_that_is_known() -> None:
    changed = claims()
    changed["issuers"][0]["keys"][0]["purposes"] = ["something-new"]
    assert read(with_claims(changed)).keys(CITY, OFFLINE, "c1", NOW) == ()


@pytest.mark.parametrize("kinds", [[], "all", {"a": 1}, {"": "a"}, {"a": None}, 0])
def test_kinds_are_a_map_or_null(kinds: Any) -> None:
    changed = claims()
    changed["issuers"][1]["kinds"] = kinds
    assert not is_read(with_claims(changed))


def test_nothing_stands_in_the_list_twice_and_nothing_without_bound() -> None:
    for changed in (
        claims() | {"issuers": claims()["issuers"] + claims()["issuers"][:1]},
        claims() | {"issuers": [claims()["issuers"][0] | {"iss": f"i{n}"} for n in range(trust_list.ISSUERS_MAX + 1)]},
        claims() | {"roots": claims()["roots"] * (trust_list.ROOTS_MAX // 2 + 1)},
    ):
        assert not is_read(with_claims(changed))


def test_a_list_that_would_be_refused_is_never_signed() -> None:
    with pytest.raises(NotATrustList):
        trust_list.sign(replace(TRUST, expires_at=TRUST.issued_at), ROOT)


def test_no_private_key_is_ever_written_into_a_list() -> None:
    written = trust_list.sign(TRUST, ROOT)
    keys = [key for issuer in jws.read(written).payload["issuers"] for key in issuer["keys"]]
    assert keys
    assert all("d" not in key for key in keys + jws.read(written).payload["roots"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["iss", "iat", "exp", "seq", "issuers", "roots"]), json_values, st.integers(0, 3))
def test_any_other_claims_are_refused_and_never_break_the_reader(member: str, value: Any, depth: int) -> None:
    changed = claims()
    if depth == 0:
        changed[member] = [value]
    elif depth == 1:
        changed["issuers"][0]["keys"] = value if value != [] else 0
    elif depth == 2:
        changed["issuers"][0]["keys"][0][sorted(changed["issuers"][0]["keys"][0])[len(member)]] = [value]
    else:
        changed["roots"] = [value]
    assert not is_read(with_claims(changed))
