"""Keys for tests, the same in every run."""

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from suishenban_verify.signatures import COORDINATE_BYTES, EDDSA, ES256, LocalSigner, PublicKey, b64url, public_key


def es256(number: int, key_id: str | None = None) -> LocalSigner:
    """The P-256 signer of this number."""
    return LocalSigner(key_id or f"es256-{number}", ec.derive_private_key(number, ec.SECP256R1()))


def eddsa(number: int, key_id: str | None = None) -> LocalSigner:
    """The Ed25519 signer of this number."""
    private = ed25519.Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big"))
    return LocalSigner(key_id or f"eddsa-{number}", private)


def private_jwk(number: int, algorithm: str = ES256) -> dict[str, str]:
    """The private JWK of the signer of this number, for other people's libraries."""
    if algorithm == EDDSA:
        seed = number.to_bytes(32, "big")
        public = ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(public), "d": b64url(seed)}
    point = ec.derive_private_key(number, ec.SECP256R1()).public_key().public_numbers()
    x, y, d = (b64url(part.to_bytes(COORDINATE_BYTES, "big")) for part in (point.x, point.y, number))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": d}


def stranger(private: dict[str, str], key_id: str | None = None) -> PublicKey:
    """The public key as a stranger publishes it: nothing is said of which half it signs with."""
    named = {} if key_id is None else {"kid": key_id}
    return public_key({name: value for name, value in private.items() if name != "d"} | named)
