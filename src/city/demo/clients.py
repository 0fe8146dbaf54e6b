"""The machines of the demo city and their keys: every department's own system, every venue's devices."""

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from city.demo.keys import demo_key
from kernel.sealing import Keys

_PURPOSE: Final = "demo"


def department_client(slug: str) -> str:
    """The `client_id` under which a department's own system proves itself."""
    return f"department:{slug}"


def device_client(slug: str) -> str:
    """The `client_id` under which a venue's device proves itself."""
    return f"device:{slug}"


class DemoKeys:
    """The key pair of every client of one installation; only the public halves are ever filed."""

    def __init__(self, keys: Keys) -> None:
        self._secret = keys.derived(_PURPOSE)

    def _key(self, client_id: str) -> ec.EllipticCurvePrivateKey:
        return demo_key(self._secret, client_id)

    def public_jwk(self, client_id: str) -> dict[str, Any]:
        """What the city is told (RFC 7517)."""
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(self._key(client_id).public_key(), as_dict=True)
        return jwk

    def private_jwk(self, client_id: str) -> dict[str, Any]:
        """What the client's owner holds."""
        jwk: dict[str, Any] = ECAlgorithm.to_jwk(self._key(client_id), as_dict=True)
        return jwk
