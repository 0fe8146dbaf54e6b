"""Keys of demo departments and devices, derived from one secret of the installation and therefore never stored."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEED_BYTES_MIN = 32

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SCALAR_BYTES = 48  # 128 bits more than the order: the bias of the remainder is below 2^-128 (FIPS 186-5, A.2.1)


def demo_key(seed_secret: bytes, name: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 key of one demo client. The same secret and name always give the same key, on any machine.

    `name` says whose it is: `department:police`, `device:qinghe-hospital-counter-1`.
    """
    assert len(seed_secret) >= SEED_BYTES_MIN
    derived = HKDF(
        algorithm=hashes.SHA256(),
        length=_SCALAR_BYTES,
        salt=None,
        info=b"suishenban demo client key\x00" + name.encode(),
    ).derive(seed_secret)
    scalar = int.from_bytes(derived, "big") % (_P256_ORDER - 1) + 1
    return ec.derive_private_key(scalar, ec.SECP256R1())
