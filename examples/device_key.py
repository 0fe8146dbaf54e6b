"""A machine's own key: make it, and prove a venue's device or a department with it. It never leaves the file.

    python examples/device_key.py new gate.key                 # prints the public half, to be filed
    python examples/device_key.py token gate.key joined.json   # prints an access token, good for ten minutes

`joined.json` says your `client_id`, the `token_url` and the `audience`: the answer to an approved
application does. Needs PyJWT with cryptography, and nothing else.
"""

import argparse
import json
import os
import sys
import time
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def new(file: Path) -> str:
    """Make a key on P-256 in a file that only its owner can read; the public half as a JWK (RFC 7517)."""
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(key.private_bytes(*form))
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return json.dumps({name: jwk[name] for name in ("kty", "crv", "x", "y")})


def _private(file: Path) -> Any:
    """The key in a file: PEM, as `new` writes it, or a JWK."""
    held = file.read_bytes()
    return ECAlgorithm.from_jwk(held.decode()) if held.lstrip().startswith(b"{") else held


def token(file: Path, client_id: str, token_url: str, audience: str) -> str:
    """An access token for an assertion signed with the device's key (RFC 7523). An assertion is good once."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": jwt.encode(claims, _private(file), algorithm="ES256"),
    }
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(token_url, body, timeout=10) as answer:  # noqa: S310 -- the city's own address
        return str(json.load(answer)["access_token"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["new", "token"])
    parser.add_argument("file", type=Path, help="where the private key is, or is to be")
    parser.add_argument("joined", type=Path, nargs="?", help="what the approved application was answered with")
    args = parser.parse_args()
    if args.what == "new":
        sys.stdout.write(new(args.file) + "\n")
        return 0
    if args.joined is None:
        parser.error("token needs the answer to the approved application")
    answer = json.loads(args.joined.read_text(encoding="utf-8"))
    access = answer.get("access") or answer
    sys.stdout.write(token(args.file, access["client_id"], access["token_url"], access["audience"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
