"""What is sealed opens only where it was sealed, and only with a key we still keep."""

import hmac
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from kernel import sealing
from kernel.sealing import KeyFile, KeyFileRefused, Keys, MasterKey, NotSealedHere, fresh_key

OLD, NEW = fresh_key(), fresh_key()
SEALER = Keys(KeyFile([OLD], [OLD])).sealer("tests.values")


@given(plain=st.binary(max_size=300), place=st.binary(max_size=40))
def test_what_was_sealed_opens_in_its_place(plain: bytes, place: bytes) -> None:
    assert SEALER.unseal(SEALER.seal(plain, place), place) == plain


@given(plain=st.binary(max_size=60), at=st.integers(0), flip=st.integers(1, 255))
def test_changing_any_byte_of_an_envelope_closes_it_for_ever(plain: bytes, at: int, flip: int) -> None:
    envelope = bytearray(SEALER.seal(plain, b"row 1"))
    envelope[at % len(envelope)] ^= flip
    with pytest.raises(NotSealedHere):
        SEALER.unseal(bytes(envelope), b"row 1")


@given(st.binary(max_size=80))
def test_bytes_that_are_no_envelope_are_refused(noise: bytes) -> None:
    with pytest.raises(NotSealedHere):
        SEALER.unseal(noise, b"row 1")


def test_an_envelope_moved_to_another_row_or_purpose_does_not_open() -> None:
    envelope = SEALER.seal(b"value", b"row 1")
    with pytest.raises(NotSealedHere):
        SEALER.unseal(envelope, b"row 2")
    with pytest.raises(NotSealedHere):
        Keys(KeyFile([OLD], [OLD])).sealer("tests.other").unseal(envelope, b"row 1")


def test_two_sealings_of_one_value_share_nothing_a_reader_could_compare() -> None:
    assert SEALER.seal(b"value", b"row 1")[5:] != SEALER.seal(b"value", b"row 1")[5:]


def test_after_a_rotation_old_envelopes_open_and_new_ones_use_the_new_key() -> None:
    old = Keys(KeyFile([OLD], [OLD])).sealer("tests.values")
    rotated = Keys(KeyFile([NEW, OLD], [OLD])).sealer("tests.values")
    envelope = old.seal(b"value", b"row 1")
    assert rotated.unseal(envelope, b"row 1") == b"value"
    assert not rotated.is_current(envelope)
    assert rotated.is_current(rotated.seal(b"value", b"row 1"))
    with pytest.raises(NotSealedHere):
        old.unseal(rotated.seal(b"value", b"row 1"), b"row 1")


def test_digests_find_rows_filed_under_the_old_key_while_keys_are_rotated() -> None:
    before = Keys(KeyFile([OLD], [OLD])).digester("tests.phone").digest("a value")
    after = Keys(KeyFile([OLD], [NEW, OLD])).digester("tests.phone")
    assert after.digest("a value") != before
    assert before in after.every_digest("a value")
    assert after.digest("a value") != after.digest("another value")


def test_a_key_file_is_made_once_kept_private_and_grows_at_rotation(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    sealing.make_key_file(path)
    first = path.read_bytes()
    sealing.make_key_file(path)
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o600
    envelope = Keys.read(path).sealer("p").seal(b"value", b"")
    digest = Keys.read(path).digester("p").digest("value")
    sealing.rotate_key_file(path)
    sealing.rotate_key_file(path, digest=True)
    assert Keys.read(path).sealer("p").unseal(envelope, b"") == b"value"
    assert digest in Keys.read(path).digester("p").every_digest("value")
    assert Keys.read(path).derived("x") != Keys.read(path).derived("y")


def test_a_key_file_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with pytest.raises(KeyFileRefused, match="does not exist"):
        Keys.read(path)
    sealing.make_key_file(path)
    path.chmod(0o644)
    with pytest.raises(KeyFileRefused, match="chmod 600"):
        Keys.read(path)
    path.chmod(0o600)
    path.write_text(json.dumps({"sealing": [{"key_id": "x", "key": "!"}], "digest": []}))
    with pytest.raises(KeyFileRefused, match="not a key file"):
        Keys.read(path)


def test_keys_do_not_show_themselves() -> None:
    assert OLD.key.hex() not in repr(OLD)
    assert repr(OLD.key)[2:-1] not in repr(KeyFile([OLD], [OLD]))


@given(st.binary(min_size=32, max_size=32), st.text(max_size=300))
def test_digests_are_hmac_sha_256_as_another_author_makes_them(key: bytes, value: str) -> None:
    file = KeyFile([OLD], [MasterKey("00000001", key)])
    derived = HKDF(SHA256(), 32, salt=None, info=b"suishenban digest tests.phone").derive(key)
    assert Keys(file).digester("tests.phone").digest(value) == hmac.digest(derived, value.encode(), "sha256")
