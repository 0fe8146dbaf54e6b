"""Where signers come from: one maker for each algorithm, so that another (SM2, a hardware module) is one entry more."""

from collections.abc import Callable, Mapping
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from suishenban_verify.signatures import EDDSA, ES256, LocalSigner, Signer

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class SignerMaker(Protocol):
    """Makes signers of one algorithm, and finds them again.

    What is handed out to be kept is sealed and stored with the key: the private half where that is in memory, its name
    where it never leaves a hardware module.
    """

    def make(self, key_id: str) -> tuple[Signer, bytes]:
        """A signer with a fresh key, and what to keep of it."""
        ...

    def open(self, key_id: str, kept: bytes) -> Signer:
        """The signer of which `kept` was kept."""
        ...


class LocalMaker:
    """Signers whose private keys are in the memory of this process, kept as PKCS #8 (RFC 5958)."""

    def __init__(self, generate: Callable[[], PrivateKey]) -> None:
        self._generate = generate

    def make(self, key_id: str) -> tuple[Signer, bytes]:
        private_key = self._generate()
        return LocalSigner(key_id, private_key), private_key.private_bytes(
            Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
        )

    def open(self, key_id: str, kept: bytes) -> Signer:
        private_key = load_der_private_key(kept, None)
        assert isinstance(private_key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
        return LocalSigner(key_id, private_key)


LOCAL_MAKERS: Mapping[str, SignerMaker] = {
    ES256: LocalMaker(lambda: ec.generate_private_key(ec.SECP256R1())),
    EDDSA: LocalMaker(ed25519.Ed25519PrivateKey.generate),
}
"""By algorithm (RFC 7518 §3.1, RFC 8037 §3.1)."""
