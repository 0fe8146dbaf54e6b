"""A department's own program, as it talks to the city: it proves itself by a signed assertion, and asks over HTTP."""

import argparse
import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from city import locating
from city.errors import CannotStart
from city.journey.calling import ASSERTION_TYPE, assertion
from gateway.demo.cast import Cast, PlayedClient
from gateway.outside import AnswerTooLong, read_bounded

ANSWER_SECONDS: Final = 20.0
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024


class Lost(Exception):
    """The connection, or the city for a moment; going on may do."""


class Declined(Lost):
    """The city answered, and will not as things stand: asking again alone does not help."""


class Program:
    """The department, as it talks to the city."""

    def __init__(self, http: aiohttp.ClientSession, url: str, client: PlayedClient, issuer: str) -> None:
        self._http = http
        self._url = url
        self._client = client
        self._issuer = issuer
        self._token = ""

    async def prove(self) -> None:
        """Get a fresh access token. Raises Lost, CannotStart."""
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(self._client, issuer=self._issuer, now=datetime.now(UTC)),
        }
        body = await self.ask("POST", "/department/token", data=form)
        self._token = str(msgspec.json.decode(body, type=dict[str, Any])["access_token"])

    async def ask(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, data: Any = None,
        seconds: float | None = ANSWER_SECONDS,
    ) -> bytes:  # fmt: skip
        """The body of a good answer. Raises Lost, CannotStart."""
        sent = {**(headers or {}), **({"Authorization": f"Bearer {self._token}"} if self._token else {})}
        try:
            async with asyncio.timeout(seconds):
                async with self._http.request(
                    method, self._url + path, headers=sent, data=data, allow_redirects=False
                ) as answer:
                    body = await read_bounded(answer, ANSWER_BYTES_MAX)
        except AnswerTooLong:
            raise CannotStart(f"What answers at {self._url} is no city.", "Say with --url where one is.") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            raise Lost(f"the connection was lost: {type(problem).__name__}") from problem
        if answer.status == 401 and self._token:
            self._token = ""
            await self.prove()
            raise Lost("the access token had expired")
        if answer.status // 100 == 2:
            return body
        said = _problem_of(body)
        if answer.status in (400, 409):
            raise Declined(f"{answer.status} {said}")
        if answer.status == 429 or answer.status >= 500:
            raise Lost(f"{answer.status} {said}")
        raise CannotStart(f"The city refuses: {answer.status} {said}.", "Nothing more was sent; what was read stays.")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which city, and how the department proves itself."""
    parser.add_argument("--url", help="the city to send to (default: the one that runs here)")
    parser.add_argument(
        "--key", type=Path, metavar="JWK", help="the department's private key, a JWK (default: its key in the demo)"
    )
    parser.add_argument("--client", metavar="ID", help="its client id (default: department:SLUG)")


def url_of(args: argparse.Namespace) -> str:
    """Where the city is. Raises CannotStart."""
    if args.url:
        return str(args.url).rstrip("/")
    city = locating.running_city(args)
    if city is None:
        raise CannotStart("No city runs here.", "Start one with ./run, or say with --url where one is.")
    return city.url.rstrip("/")


def opened_client() -> aiohttp.ClientSession:
    """A client that waits for as long as a stream takes."""
    timeout = aiohttp.ClientTimeout(total=None, connect=ANSWER_SECONDS)
    return aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)


async def credentials(args: argparse.Namespace, http: aiohttp.ClientSession, url: str) -> tuple[PlayedClient, str]:
    """Whom the department proves to be, and to which issuer. Raises CannotStart."""
    client_id = args.client or f"department:{args.department}"
    if args.key is not None:
        try:
            jwk = msgspec.json.decode(args.key.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.MsgspecError):
            raise CannotStart(f"{args.key} is not a key.", "Name a private key, EC P-256, as a JWK.") from None
        return PlayedClient(client_id, "department", "", args.department, jwk), url
    try:
        async with http.get(f"{url}/demo/cast", allow_redirects=False) as answer:
            cast = msgspec.json.decode(await read_bounded(answer, ANSWER_BYTES_MAX), type=Cast)
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise CannotStart(f"The city does not answer at {url}.", "Look with ./run check how it is.") from None
    except (msgspec.MsgspecError, AnswerTooLong):
        raise CannotStart("This city gives no department's key away.", "Name yours with --key.") from None
    played = next((one for one in cast.clients if one.client_id == client_id), None)
    if played is None:
        known = ", ".join(sorted(one.sort for one in cast.clients if one.audience == "department"))
        raise CannotStart(f"There is no department {args.department}.", f"Name one of: {known}.")
    return played, cast.issuer


def _problem_of(body: bytes) -> str:
    try:
        problem = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        return "without a word"
    return f"{problem.get('code', '')} {problem.get('detail') or problem.get('title', '')}".strip()
