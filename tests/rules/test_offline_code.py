"""An offline code has one text: every other spelling of it, and every change of it, is refused."""

import zlib
from collections.abc import Callable
from datetime import date

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suishenban_verify import base45, claim_set, cose, offline_code
from suishenban_verify.claim_set import NotClaims
from suishenban_verify.offline_code import PREFIX, Claims, HolderProof, NotACode, Presented, Shown, StatusRef, TooLong
from suishenban_verify.signatures import COSE_ALGORITHMS, LocalSigner, cose_key_of
from tests import other_spellings
from tests.builders_offline import (
    CITY,
    DAY,
    ED_ISSUER,
    ED_PHONE,
    ISSUER,
    LIST,
    NOW,
    PHONE,
    SCENARIO,
    STRANGER,
    claims,
    framed,
    live,
    pre_issued,
    shown,
    unframed,
)

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
KEYS = (ISSUER.public, ED_ISSUER.public)

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
days = st.dates(date(1950, 1, 1), date(2150, 1, 1))
addresses = words.map("https://lists.example/{}".format) | words.map(f"{CITY}/{{}}".format)
statuses = st.none() | st.builds(StatusRef, addresses, st.integers(0, 2**32))
values = words | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
certificates = st.builds(
    Shown, words, words, days, st.none() | days, st.dictionaries(words, values, max_size=3), statuses
)
any_claims = st.builds(
    lambda **given: Claims(**given)._replace(expires_at=given["issued_at"] + given["expires_at"]),
    issuer=words | st.just(CITY),
    issued_at=st.integers(2**16, 2**31),
    expires_at=st.integers(1, 300),
    cti=st.binary(min_size=16, max_size=16),
    scenario_code=words,
    certificates=st.lists(certificates, min_size=1, max_size=5).map(tuple),
    binding=st.binary(max_size=200),
    holder=st.none() | st.sampled_from([PHONE.public, ED_PHONE.public]),
)


def shortened(uri: str, issuer: str) -> str:
    return uri[len(issuer) + 1 :] if uri.startswith(f"{issuer}/") and "://" not in uri[len(issuer) + 1 :] else uri


def as_map(of: Claims) -> dict[int, object]:
    """What the claims are in CBOR, put together apart from the code under test."""
    alone = len(of.certificates) == 1
    made: dict[int, object] = {1: of.issuer, 4: of.expires_at, 6: of.issued_at, 7: of.cti}
    if of.holder is not None:
        made[8] = {1: cose_key_of(of.holder)}
    if alone and (status := of.certificates[0].status):
        made[65535] = {"status_list": {"idx": status.idx, "uri": status.uri}}
    made[-65537] = [
        {
            1: each.kind_code,
            2: each.issuer_code,
            3: dict(each.fields),
            4: [str(each.valid_from), None if each.valid_until is None else str(each.valid_until)],
        }
        | ({5: [shortened(each.status.uri, of.issuer), each.status.idx]} if each.status and not alone else {})
        for each in of.certificates
    ]
    return made | {-65538: of.scenario_code, -65539: of.binding}


def comparable(of: Claims) -> tuple[object, ...]:
    return (*of[:-1], None if of.holder is None else cose_key_of(of.holder))


def opens(text: str) -> bool:
    """Whether anything is read from `text` after its signature, and the phone's, were checked."""
    try:
        code = offline_code.opened(offline_code.read(text), KEYS)
    except NotACode:
        return False
    return code is not None and offline_code.holder_proof(code) in (HolderProof.NOT_NEEDED, HolderProof.HOLDS)


@pytest.mark.parametrize("signer", [ISSUER, ED_ISSUER], ids=["ES256", "EdDSA"])
def test_a_live_code_says_what_was_signed(signer: LocalSigner) -> None:
    for of in (claims(), claims(shown(), shown(kind_code="ticket", fields={"seat": 7, "is_vip": False}))):
        text = live(of, signer)
        code = offline_code.opened(offline_code.read(text), KEYS)
        assert code is not None
        assert code.claims == of
        assert code.key is signer.public
        assert offline_code.holder_proof(code) is HolderProof.NOT_NEEDED
        assert set(text) <= set(ALPHANUMERIC)


@pytest.mark.parametrize("phone", [PHONE, ED_PHONE], ids=["ES256", "EdDSA"])
def test_a_pre_issued_code_needs_the_phone_it_was_issued_to(phone: LocalSigner) -> None:
    of = claims(holder=phone)
    cwt = offline_code.sign(of, ISSUER)

    def proof(text: str) -> HolderProof:
        code = offline_code.opened(offline_code.read(text), KEYS)
        assert code is not None
        assert comparable(code.claims) == comparable(of)
        return offline_code.holder_proof(code)

    assert proof(offline_code.present(cwt, phone, NOW)) is HolderProof.HOLDS
    assert proof(offline_code.text_of(cwt)) is HolderProof.MISSING
    assert proof(offline_code.present(cwt, STRANGER, NOW)) is HolderProof.REFUSED
    body = unframed(offline_code.present(cwt, phone, NOW))
    later = (NOW + 1).to_bytes(4, "big")
    assert proof(framed(body.replace(NOW.to_bytes(4, "big") + b"\x58\x40", later + b"\x58\x40"))) is HolderProof.REFUSED


def test_a_live_code_shown_with_a_proof_nobody_can_have_made_is_refused() -> None:
    code = offline_code.opened(offline_code.read(offline_code.present(unframed(live()), PHONE, NOW)), KEYS)
    assert code is not None
    assert offline_code.holder_proof(code) is HolderProof.REFUSED


def test_the_proof_of_one_code_does_not_serve_another() -> None:
    first, second = (unframed(pre_issued(claims(holder=PHONE))) for _ in range(2))
    length = len(offline_code.read(framed(first)).cwt)
    assert opens(framed(first))
    assert not opens(framed(second[: 3 + length] + first[3 + length :]))


@given(any_claims)
@settings(max_examples=300, deadline=None)
def test_claims_have_the_deterministic_encoding_of_rfc_8949(of: Claims) -> None:
    payload = claim_set.write(of)
    assert payload == cbor2.dumps(as_map(of), canonical=True)
    assert comparable(claim_set.read(payload)) == comparable(of)


@given(any_claims, st.data())
@settings(max_examples=500, deadline=None)
def test_whatever_is_read_is_in_its_one_encoding(of: Claims, data: st.DataObject) -> None:
    payload = bytearray(claim_set.write(of))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        found = claim_set.read(bytes(payload))
    except NotClaims:
        return
    assert claim_set.write(found) == payload
    assert cbor2.dumps(cbor2.loads(bytes(payload)), canonical=True) == payload


@pytest.mark.parametrize("make", [live, pre_issued])
def test_every_change_of_one_character_is_refused(make: Callable[[], str]) -> None:
    text = make()
    assert opens(text)
    for at, character in enumerate(text):
        for other in ALPHANUMERIC:
            if other != character:
                assert not opens(text[:at] + other + text[at + 1 :]), (at, other)
        assert not opens(text[:at] + text[at + 1 :])
        assert not opens(text[:at] + character.lower() + text[at + 1 :]) or character.lower() == character
    for more in (*ALPHANUMERIC, "\n", "\0"):
        assert not opens(text + more)
        assert not opens(more + text)


@pytest.mark.parametrize("make", [live, pre_issued])
def test_every_change_of_one_byte_under_the_frame_is_refused(make: Callable[[], str]) -> None:
    body = unframed(make())
    header_bytes = body.index(b"\xa0\x59") + 4
    for at, byte in enumerate(body):
        others = range(256) if at < header_bytes else {byte ^ 1 << bit for bit in range(8)} | {0, 0xFF, 0x40, 0x58}
        for other in set(others) - {byte}:
            assert not opens(framed(body[:at] + bytes((other,)) + body[at + 1 :])), (at, other)
        assert not opens(framed(body[:at] + body[at + 1 :]))
        assert not opens(framed(body[:at] + b"\0" + body[at:]))


def test_every_change_of_one_byte_of_signed_claims_is_another_code_or_none() -> None:
    payload = claim_set.write(claims())
    for at, byte in enumerate(payload):
        for other in set(range(256)) - {byte}:
            changed = payload[:at] + bytes((other,)) + payload[at + 1 :]
            try:
                assert claim_set.write(claim_set.read(changed)) == changed
            except NotClaims:
                continue


@pytest.mark.parametrize(
    "of",
    [
        claims(shown(fields={"name": "张三", "floor": 3, "is_resident": True, "shift": -70000, "note": "x" * 30})),
        claims(shown(status=None, valid_until=None)),
        claims(shown(), shown(status=None)),
        claims(holder=PHONE),
        claims(holder=ED_PHONE),
    ],
    ids=["live", "without a status", "two certificates", "pre-issued", "pre-issued EdDSA"],
)
def test_every_other_spelling_of_the_claims_is_refused_even_when_the_city_signs_it(of: Claims) -> None:
    found = other_spellings.of_item(as_map(of))
    payload = claim_set.write(of)
    assert next(found) == payload
    assert opens(framed(cose.sign(payload, ISSUER))) is (of.holder is None)
    others = list(found)
    assert len(others) > 250
    for other in others:
        try:
            said = claim_set.read(other)
        except NotClaims:
            continue
        assert comparable(said) != comparable(of), "less was said"
        assert claim_set.write(said) == other


def test_what_is_not_in_its_one_encoding_is_refused_whoever_signed_it() -> None:
    payload = claim_set.write(claims())
    with pytest.raises(NotACode):
        offline_code.opened(offline_code.read(framed(cose.sign(payload + b"\0", ISSUER))), KEYS)


def test_every_other_message_around_the_claims_is_refused() -> None:
    messages = other_spellings.Messages(claim_set.write(claims()), ISSUER)
    assert opens(framed(messages.message()))
    assert [what for what, other in messages.others().items() if opens(framed(other))] == []


def test_every_other_zlib_stream_is_refused() -> None:
    body = unframed(live())
    assert framed(body) == PREFIX + base45.encode(zlib.compress(body, 0))
    others = other_spellings.of_zlib(body)
    assert len(others) > 2000
    accepted = [what for what, raw in others.items() if opens(PREFIX + base45.encode(raw))]
    assert accepted == []


def test_every_other_way_to_add_a_proof_is_refused() -> None:
    body = unframed(pre_issued())
    cwt = offline_code.read(framed(body)).cwt
    head, at, signature = body[:3], body[-71:-66], body[-64:]
    assert body == b"\x83" + head[1:] + body[3:4] + cwt + at + b"\x58\x40" + signature
    length = body[1:4]
    others = {
        "tagged": b"\xd8\x3d" + body,
        "an array in two bytes": b"\x98\x03" + body[1:],
        "indefinite": b"\x9f" + body[1:] + b"\xff",
        "an array of four": b"\x84" + body[1:] + b"\x00",
        "an array of two": b"\x82" + length + cwt + at,
        "the CWT not in a string": b"\x83" + cwt + at + b"\x58\x40" + signature,
        "a length in five bytes": b"\x83\x5a\x00\x00" + length[1:] + cwt + at + b"\x58\x40" + signature,
        "a time in eight bytes": b"\x83" + length + cwt + b"\x1b\x00\x00\x00\x00" + at[1:] + b"\x58\x40" + signature,
        "a time as a float": b"\x83" + length + cwt + cbor2.dumps(float(NOW - 5)) + b"\x58\x40" + signature,
        "a time too small": b"\x83" + length + cwt + b"\x1a\x00\x00\x00\x05" + b"\x58\x40" + signature,
        "a signature in three bytes": b"\x83" + length + cwt + at + b"\x59\x00\x40" + signature,
        "a short signature": b"\x83" + length + cwt + at + b"\x58\x3f" + signature[:-1],
        "a long signature": b"\x83" + length + cwt + at + b"\x58\x41" + signature + b"\x00",
        "something behind": body + b"\x00",
    }
    assert opens(framed(body))
    assert [what for what, other in others.items() if opens(framed(other))] == []


@pytest.mark.parametrize(
    "bad",
    [
        {"cti": bytes(15)},
        {"cti": bytes(17)},
        {"binding": bytes(201)},
        {"certificates": ()},
        {"certificates": (shown(),) * 6},
        {"expires_at": NOW - 100},
        {"expires_at": NOW + 201},
        {"issued_at": 5, "expires_at": 50},
        {"issued_at": 2**32, "expires_at": 2**32 + 5},
        {"issuer": "x" * 256},
        {"certificates": (shown(fields={"n": 2**53}),)},
        {"certificates": (shown(fields={f"f{at}": True for at in range(33)}),)},
        {"certificates": (shown(status=StatusRef(LIST, -1)),)},
        {"holder": PHONE.public, "expires_at": NOW - 100 + 3 * DAY + 1},
    ],
)
def test_what_is_out_of_bounds_is_not_signed_and_not_read(bad: dict[str, object]) -> None:
    of = claims()._replace(**bad)
    with pytest.raises(NotACode):
        offline_code.sign(of, ISSUER)
    try:
        payload = cbor2.dumps(as_map(of), canonical=True)
    except (OverflowError, ValueError):
        return
    with pytest.raises(NotClaims):
        claim_set.read(payload)


def test_claims_may_be_as_long_as_they_are_allowed() -> None:
    offline_code.sign(claims(expires_at=NOW + 200), ISSUER)
    offline_code.sign(claims(holder=PHONE, expires_at=NOW - 100 + 3 * DAY), ISSUER)
    offline_code.sign(claims(*[shown()] * 5, binding=bytes(200)), ISSUER)


def test_a_code_fits_a_version_22_m_symbol_or_is_not_made() -> None:
    for extra in range(200, 500):
        of = claims(shown(fields={"name": "x" * (extra // 2), "birth_date": "y" * (extra - extra // 2)}))
        cwt = offline_code.sign(of, ISSUER)
        if len(cwt) + 11 <= 753:
            text = offline_code.text_of(cwt)
            assert len(text) <= offline_code.TEXT_MAX
            assert opens(text)
        else:
            with pytest.raises(TooLong):
                offline_code.text_of(cwt)
            assert not opens(framed(cwt))


def test_a_signature_of_another_suite_or_key_opens_nothing() -> None:
    presented = offline_code.read(live())
    assert offline_code.opened(presented, [STRANGER.public, ED_ISSUER.public]) is None
    assert offline_code.opened(presented, []) is None
    message = presented.message._replace(algorithm="EdDSA")
    assert offline_code.opened(Presented(presented.cwt, message, None), KEYS) is None
    assert set(COSE_ALGORITHMS) == {"ES256", "EdDSA"}


def test_of_several_keys_with_the_same_short_id_each_is_tried() -> None:
    twin = LocalSigner("twin", STRANGER._private)
    twin.public.short_id = ISSUER.public.short_id
    code = offline_code.opened(offline_code.read(live()), [twin.public, ISSUER.public])
    assert code is not None
    assert code.key is ISSUER.public


@given(st.text(max_size=60) | st.text(st.sampled_from(ALPHANUMERIC), max_size=300).map("EC1:".__add__))
def test_anything_else_is_no_code(text: str) -> None:
    with pytest.raises(NotACode):
        offline_code.read(text)


@given(st.binary(max_size=300))
def test_anything_else_in_a_frame_is_no_code(body: bytes) -> None:
    assert not opens(framed(body))


def test_a_code_names_no_scenario_and_no_city_before_its_signature_was_checked() -> None:
    presented = offline_code.read(live(claims()))
    assert set(presented._fields) == {"cwt", "message", "proof"}
    assert SCENARIO.encode() in presented.message.payload
    assert CITY.encode() in presented.message.payload


def test_the_address_of_a_list_is_written_in_one_way() -> None:
    near, far = StatusRef(LIST, 4711), StatusRef("https://elsewhere.example/lists/1", 3)
    of = claims(certificates=(shown(status=near), shown(status=far)))
    payload = offline_code.claim_set.write(of)
    assert payload.count(LIST.encode()) == 0
    assert offline_code.claim_set.read(payload).certificates[0].status == near
    assert offline_code.claim_set.read(payload).certificates[1].status == far
    with pytest.raises(NotACode):
        offline_code.sign(claims(certificates=(shown(), shown(status=StatusRef("status-lists/17", 1)))), ISSUER)
    short, whole = b"ostatus-lists/17", b"x" + bytes([len(LIST)]) + LIST.encode()
    assert payload.count(short) == 1
    with pytest.raises(offline_code.claim_set.NotClaims):
        offline_code.claim_set.read(payload.replace(short, whole))


def test_two_certificates_fit_beside_a_phones_proof() -> None:
    two = (shown(status=StatusRef(LIST, 4711)), shown(status=StatusRef(LIST, 815)))
    cwt = offline_code.sign(claims(certificates=two, holder=PHONE, binding=bytes(150)), ISSUER)
    assert len(offline_code.present(cwt, PHONE, NOW)) <= offline_code.TEXT_MAX
