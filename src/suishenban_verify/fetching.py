"""Updating what a device keeps, and uploading what it scanned, over HTTP with the standard library alone.

What is fetched is believed for its signature, not for where it came from; still no redirect is followed, and only
http and https are spoken.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from http.client import HTTPException
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

from suishenban_verify.bundle import LISTS_MAX, Bundle, BundleRefused
from suishenban_verify.jws import NotSigned, strict_json
from suishenban_verify.remembering import Memory, Scan
from suishenban_verify.trust_list import TrustList

TIMEOUT_SECONDS = 20.0
TRUST_BYTES_MAX = 4 * 2**20
LIST_BYTES_MAX = 2**21
"""A list of 2^20 statuses of 2 bits that do not compress is 2^18 bytes, and base64 twice makes 466,000 of them."""
ANSWER_BYTES_MAX = 2**20
SCANS_AT_ONCE = 1_000
_JWT = "application/statuslist+jwt"


class CannotFetch(Exception):
    """The city did not answer as it should; the message is fit for people."""


class Updated(NamedTuple):
    """What an update brought: the trust list, how many status lists, and what went wrong with others."""

    trust: TrustList
    lists: int
    problems: tuple[str, ...]


class Uploaded(NamedTuple):
    """How many scans the city has now, and what it found out about them: the id of the scan, and findings."""

    sent: int
    findings: tuple[tuple[str, tuple[str, ...]], ...]


def update(bundle: Bundle, city: str, now: int, *, token: str | None = None) -> Updated:
    """Fetch the trust list, then every status list of the city; with a device's `token`, what it is granted too.

    What cannot be had stays as it is. `city` is where the city answers; lists of the city's own are asked for there,
    whatever name they carry. Raises CannotFetch, BundleRefused.
    """
    base = city.rstrip("/")
    trust = bundle.keep_trust(_text(fetch(f"{base}/.well-known/trust-list", size_max=TRUST_BYTES_MAX)), now)
    if token is not None:
        granted = _json(fetch(f"{base}/venue/bundle", token=token))
        bundle.keep_scenarios(granted.get("scenarios"))
    uris = _json(fetch(f"{base}/status-lists")).get("status_lists")
    if not isinstance(uris, list) or len(uris) > LISTS_MAX or not all(isinstance(uri, str) for uri in uris):
        raise CannotFetch("the city's list of status lists is none")
    problems = []
    for uri in uris:
        own = f"{trust.issuer}/"
        address = f"{base}/{uri.removeprefix(own)}" if uri.startswith(own) else uri
        try:
            served = _text(fetch(address, accept=_JWT, size_max=LIST_BYTES_MAX))
            bundle.keep_list(served, uri=uri, trust=trust, now=now)
        except (CannotFetch, BundleRefused) as problem:
            problems.append(str(problem))
    return Updated(trust, len(uris) - len(problems), tuple(problems))


def upload(memory: Memory, city: str, token: str) -> Uploaded:
    """Send the scans that wait, the oldest first. Sent twice, each is recorded once. Raises CannotFetch."""
    sent, findings = 0, []
    while scans := memory.owed(SCANS_AT_ONCE):
        answers = _upload_some(scans, city, token)
        memory.settle([scan for scan in scans if scan.use_id in answers])
        if not answers:
            raise CannotFetch("the city answered for none of the scans")
        sent += len(answers)
        findings += [(use_id, found) for use_id, found in answers.items() if found]
    return Uploaded(sent, tuple(findings))


def _upload_some(scans: Sequence[Scan], city: str, token: str) -> dict[str, tuple[str, ...]]:
    """One request to POST {city}/venue/offline-scans: of each scan that the city has now, what it found out."""
    body = {
        "scans": [
            {
                "code": scan.code,
                "use_id": scan.use_id,
                "scanned_at": datetime.fromtimestamp(scan.scanned_at, UTC).isoformat(),
                "verdict": scan.verdict,
            }
            for scan in scans
        ]
    }
    address = f"{city.rstrip('/')}/venue/offline-scans"
    answered = _json(fetch(address, token=token, body=json.dumps(body).encode())).get("scans")
    sent = {scan.use_id for scan in scans}
    found = {}
    for answer in answered if isinstance(answered, list) else ():
        match answer:
            case {"use_id": str(use_id), "findings": [*findings]} if use_id in sent:
                found[use_id] = tuple(map(str, findings))
    return found


def fetch(
    address: str,
    *,
    accept: str = "*/*",
    token: str | None = None,
    body: bytes | None = None,
    size_max: int = ANSWER_BYTES_MAX,
) -> bytes:
    """What is served at `address`; with a `body`, what is answered to it. Raises CannotFetch."""
    if urlsplit(address).scheme not in ("http", "https"):
        raise CannotFetch(f"{address} is not an http or https address")
    headers = {"Accept": accept, "User-Agent": "suishenban-verify"}
    headers |= {} if token is None else {"Authorization": f"Bearer {token}"}
    headers |= {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(address, body, headers)  # noqa: S310 -- the scheme was looked at
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS) as answer:
            raw: bytes = answer.read(size_max + 1)
    except urllib.error.HTTPError as problem:
        with problem:
            raise CannotFetch(f"{address} answered {problem.code}") from None
    except (OSError, HTTPException, ValueError) as problem:
        raise CannotFetch(f"{address} cannot be reached: {getattr(problem, 'reason', problem)}") from None
    if len(raw) > size_max:
        raise CannotFetch(f"{address} answered with more than {size_max} bytes")
    return raw


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


_OPENER = urllib.request.build_opener(_NoRedirect)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("ascii").strip()
    except UnicodeDecodeError:
        raise CannotFetch("a token was expected, which is ASCII") from None


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        found = strict_json(raw)
    except (NotSigned, ValueError):
        raise CannotFetch("the city did not answer in JSON") from None
    if not isinstance(found, dict):
        raise CannotFetch("the city did not answer as expected")
    return found
