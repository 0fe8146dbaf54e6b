"""A venue's scanner in forty lines: prove the device, send what was scanned, act on the verdict.

    python examples/scan.py CODE [--url http://127.0.0.1:8700] [--client device:suishen-railway-station-gate-1]

Needs PyJWT and httpx. In the demo the device's private key is read from the city; your own stays on your device.
"""

import argparse
import sys
import time
import uuid

import httpx
import jwt


def access_token(city: httpx.Client, client_id: str, key: jwt.PyJWK) -> str:
    """Ten minutes of access for an assertion signed with the device's own key (RFC 7523)."""
    endpoint = str(city.base_url.join("/venue/token"))
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": endpoint, "iat": now, "exp": now + 60, "jti": uuid.uuid4().hex}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode(claims, key.key, algorithm="ES256"),
    }
    answer = city.post("/venue/token", data=form)
    if answer.is_error:
        raise SystemExit(f"no token: {answer.text}")
    return str(answer.json()["access_token"])


def verify(city: httpx.Client, token: str, code: str) -> dict[str, object]:
    """The verdict. After a lost answer send the same `use_id` again: it does not count as a second scan."""
    scan = {"code": code, "use_id": str(uuid.uuid4())}
    for _ in range(3):
        try:
            answer = city.post("/venue/verifications", json=scan, headers={"Authorization": f"Bearer {token}"})
        except httpx.TransportError:
            continue
        if answer.status_code != 503:
            return dict(answer.raise_for_status().json())
        time.sleep(float(answer.headers.get("Retry-After", 1)))
    return {"verdict": "cannot_tell"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", help="what the scanner read")
    parser.add_argument("--url", default="http://127.0.0.1:8700")
    parser.add_argument("--client", default="device:suishen-railway-station-gate-1")
    args = parser.parse_args()
    with httpx.Client(base_url=args.url, timeout=5) as city:
        cast = city.get("/demo/cast").raise_for_status().json()
        key = next(client["private_jwk"] for client in cast["clients"] if client["client_id"] == args.client)
        verdict = verify(city, access_token(city, args.client, jwt.PyJWK(key)), args.code)
    sys.stdout.write(f"{verdict}\n")
    return 0 if verdict["verdict"] == "valid" else 1


if __name__ == "__main__":
    sys.exit(main())
