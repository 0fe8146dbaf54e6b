"""Checkpoints and proofs of the log as texts: signed by a key one knows, in one spelling, or refused."""

import base64
import os
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from suishenban_verify import checkpoint, merkle
from suishenban_verify.checkpoint import Checkpoint, NotANote, NoteKey
from suishenban_verify.signatures import LocalSigner, NotAKey, b64url, un_b64url

ORIGIN = "suishenban.example/ledger"
SIGNER = LocalSigner("ledger-1", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = LocalSigner("ledger-2", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
KEY, OTHER_KEY = NoteKey(ORIGIN, SIGNER.public), NoteKey(ORIGIN, OTHER.public)
SAID = Checkpoint(ORIGIN, 20_852_163, bytes(range(32, 64)))
NOTE = checkpoint.sign(SAID, SIGNER)

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_PRIVATE = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETERS_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
"""The key and the note with which Go's module `sumdb/note`, where the form comes from, tests itself."""


def test_a_verifier_key_is_read_and_written_as_the_reference_does() -> None:
    key = NoteKey.of_text(PETER)
    assert key.name == "PeterNeumann"
    assert key.key_hash.hex() == "c74f20a3"
    assert key.text() == PETER
    signature = base64.b64decode(PETERS_SIGNATURE)
    assert signature[:4] == key.key_hash
    assert key.key.verify(signature[4:], PETERS_TEXT.encode())


def test_a_note_is_signed_as_the_reference_does() -> None:
    seed = base64.b64decode(PETERS_PRIVATE)[1:]
    peter = LocalSigner("peter", ed25519.Ed25519PrivateKey.from_private_bytes(seed))
    assert NoteKey("PeterNeumann", peter.public).text() == PETER
    assert base64.b64decode(PETERS_SIGNATURE)[4:] == peter.sign(PETERS_TEXT.encode())


def test_a_checkpoint_says_origin_size_and_root_and_is_signed() -> None:
    body, _, signature = NOTE.partition("\n\n")
    assert body == f"{ORIGIN}\n20852163\nICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
    assert signature.startswith(f"\u2014 {ORIGIN} ")
    assert checkpoint.read(NOTE, [KEY]) == SAID
    assert checkpoint.read(NOTE, [OTHER_KEY, KEY]) == SAID
    empty = Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT)
    assert checkpoint.read(checkpoint.sign(empty, SIGNER), [KEY]) == empty


def test_nobody_else_can_sign_a_checkpoint() -> None:
    for keys in ([], [OTHER_KEY], [NoteKey("elsewhere.example", SIGNER.public)]):
        with pytest.raises(NotANote):
            checkpoint.read(NOTE, keys)
    renamed = NOTE.replace(ORIGIN, "elsewhere.example")
    with pytest.raises(NotANote):
        checkpoint.read(renamed, [KEY, NoteKey("elsewhere.example", OTHER.public)])
    body = SAID.body()
    in_a_name_of_its_own = NoteKey("witness.example", OTHER.public)
    signature = base64.b64encode(in_a_name_of_its_own.key_hash + OTHER.sign(body.encode())).decode()
    with pytest.raises(NotANote):  # known, and it holds, but it is not the log's own
        checkpoint.read(f"{body}\n\u2014 witness.example {signature}\n", [KEY, in_a_name_of_its_own])


def test_signatures_by_unknown_keys_are_ignored() -> None:
    cosigned = f"{NOTE}\u2014 witness.example {base64.b64encode(os.urandom(76)).decode()}\n"
    assert checkpoint.read(cosigned, [KEY]) == SAID
    renewed = NOTE + checkpoint.sign(SAID, OTHER).rpartition("\n\n")[2]
    for keys in ([KEY], [OTHER_KEY], [KEY, OTHER_KEY]):
        assert checkpoint.read(renewed, keys) == SAID
    body, _, line = NOTE.rpartition("\n\n")
    another = base64.b64encode(os.urandom(4) + os.urandom(64)).decode()
    same_name = f"{body}\n\n\u2014 {ORIGIN} {another}\n{line}"
    assert checkpoint.read(same_name, [KEY]) == SAID


def test_a_signature_by_a_known_key_must_hold_whoever_else_signed() -> None:
    body, _, line = NOTE.rpartition("\n\n")
    bad = base64.b64encode(OTHER_KEY.key_hash + bytes(64)).decode()
    short = base64.b64encode(OTHER_KEY.key_hash + bytes(63)).decode()
    for signature in (bad, short):
        with pytest.raises(NotANote):
            checkpoint.read(f"{body}\n\n{line}\u2014 {ORIGIN} {signature}\n", [KEY, OTHER_KEY])
    with pytest.raises(NotANote):
        checkpoint.read(f"{body}\n\n{line}{line}", [KEY])


def every_change(text: str) -> Iterator[str]:
    """The text with each character changed, left out and doubled, with something before and after it."""
    for at, character in enumerate(text):
        for other in {"A", "0", "1", " ", "\n", "+", "=", "\u00a0", chr(ord(character) ^ 1), character.swapcase()}:
            if other != character:
                yield text[:at] + other + text[at + 1 :]
        yield text[:at] + text[at + 1 :]
        yield text[:at] + character + text[at:]
    for more in ("\n", " ", "A", "\u2014 x AAAAAAAA", "\r\n", "\ufeff", "\x00"):
        yield text + more
        yield more + text


def test_every_changed_character_of_a_checkpoint_is_refused() -> None:
    for changed in every_change(NOTE):
        if changed != NOTE:
            with pytest.raises(NotANote):
                checkpoint.read(changed, [KEY])


def test_every_changed_byte_of_a_checkpoint_is_refused() -> None:
    raw = NOTE.encode()
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            try:
                text = changed.decode()
            except UnicodeDecodeError:
                text = changed.decode("latin-1")
            with pytest.raises(NotANote):
                checkpoint.read(text, [KEY])


@pytest.mark.parametrize(
    "body",
    [
        f"{ORIGIN}\n020852163\n{{root}}\n",
        f"{ORIGIN}\n+20852163\n{{root}}\n",
        f"{ORIGIN}\n-1\n{{root}}\n",
        f"{ORIGIN}\n٢\n{{root}}\n",
        f"{ORIGIN}\n{2**63}\n{{root}}\n",
        f"{ORIGIN}\n{'9' * 400}\n{{root}}\n",
        f"{ORIGIN}\n\n{{root}}\n",
        f"{ORIGIN}\n1\n{{root}}\nextension\n",
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n1\n{{root}}=\n",
        f"{ORIGIN}\n1\nAAAA\n",
        f"{ORIGIN}\n1\n ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n",
        f"{ORIGIN}\n1\nICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9=\n",
        f"{ORIGIN}\n1\nICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\n",
    ],
)
def test_a_second_spelling_is_refused_even_when_the_right_key_signs_it(body: str) -> None:
    said = body.format(root=base64.b64encode(SAID.root).decode())
    signature = base64.b64encode(KEY.key_hash + SIGNER.sign(said.encode())).decode()
    with pytest.raises(NotANote):
        checkpoint.read(f"{said}\n\u2014 {ORIGIN} {signature}\n", [KEY])


def test_a_signature_line_without_its_dash_is_no_signature_line() -> None:
    for line in (NOTE.replace("\u2014 ", ""), NOTE.replace("\u2014", "-"), NOTE.replace("\u2014 ", "\u2014")):
        with pytest.raises(NotANote):
            checkpoint.read(line, [KEY])


def test_a_note_has_no_more_signatures_than_a_verifier_must_take() -> None:
    line = f"\u2014 witness.example {base64.b64encode(bytes(68)).decode()}\n"
    assert checkpoint.read(NOTE + line * 15, [KEY]) == SAID
    for crowd in (NOTE + line * 16, NOTE + f"\u2014 w {'A' * 200_000}\n"):
        with pytest.raises(NotANote):
            checkpoint.read(crowd, [KEY])


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_noise_is_refused_and_nothing_else_happens(noise: str) -> None:
    for text in (noise, NOTE + noise, noise + NOTE, f"{SAID.body()}\n{noise}"):
        try:
            assert checkpoint.read(text, [KEY]) == SAID
        except NotANote:
            assert text != NOTE
        with pytest.raises(NotANote):
            checkpoint.read_proof(text, [KEY])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("Peter", "Paul"),
        PETER.replace("+ARpc", "+BRpc"),
        PETER[:-1],
        PETER + "=",
        PETER + "\n",
        " " + PETER,
        "a b+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy1w==",
    ],
)
def test_what_is_not_a_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(NotAKey):
        NoteKey.of_text(text)


def test_a_note_key_is_an_ed25519_key_with_a_name() -> None:
    with pytest.raises(NotAKey):
        NoteKey(ORIGIN, LocalSigner("x", ec.generate_private_key(ec.SECP256R1())).public)
    for name in ("", "a b", "a+b", "a\nb", "a\u3000b", "a\x00b", "a" * 1000):
        with pytest.raises(NotAKey):
            NoteKey(name, SIGNER.public)


LEAVES = [nth.to_bytes(32, "big") for nth in range(300)]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
TILES = merkle.append(0, {}, HASHES)
LOG = checkpoint.sign(Checkpoint(ORIGIN, len(LEAVES), merkle.root_of(len(LEAVES), TILES)), SIGNER)


def proof_of(index: int) -> str:
    spans = merkle.inclusion_spans(index, len(LEAVES))
    return checkpoint.proof_text(index, merkle.hashes_of(spans, TILES), LOG)


def test_a_proof_is_one_text_that_proves_its_leaf_and_no_other() -> None:
    for index in (0, 1, 137, 255, 256, 299):
        proof = checkpoint.read_proof(proof_of(index), [KEY])
        assert proof.index == index
        assert [nth for nth, leaf in enumerate(LEAVES) if proof.holds(leaf)] == [index]
    assert proof_of(137).startswith("c2sp.org/tlog-proof@v1\nindex 137\n")
    only = checkpoint.sign(Checkpoint(ORIGIN, 1, HASHES[0]), SIGNER)
    alone = checkpoint.proof_text(0, [], only)
    assert alone == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{only}"
    assert checkpoint.read_proof(alone, [KEY]).holds(LEAVES[0])


def test_every_changed_character_of_a_proof_is_refused_or_proves_nothing() -> None:
    text = proof_of(137)
    for changed in every_change(text):
        if changed == text:
            continue
        try:
            proof = checkpoint.read_proof(changed, [KEY])
        except NotANote:
            continue
        assert not proof.holds(LEAVES[137])


def test_a_proof_with_extra_data_or_too_many_hashes_is_refused() -> None:
    text = proof_of(0)
    extra = text.replace("\nindex", "\nextra AAAA\nindex")
    hashed = base64.b64encode(bytes(32)).decode()
    crowd = text.replace("\n\n", f"\n{hashed}" * 60 + "\n\n", 1)
    for bad in (extra, crowd, text.replace("@v1", "@v2"), text.partition("\n\n")[0], f"x\n\n{LOG}"):
        with pytest.raises(NotANote):
            checkpoint.read_proof(bad, [KEY])


def test_raw_keys_survive_the_way_through_their_text() -> None:
    read_back = NoteKey.of_text(KEY.text())
    assert read_back.raw == un_b64url(SIGNER.public.jwk["x"])
    assert b64url(read_back.raw) == SIGNER.public.jwk["x"]
    assert checkpoint.read(NOTE, [read_back]) == SAID
