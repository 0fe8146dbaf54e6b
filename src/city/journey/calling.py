"""How the journey talks to the city: HTTP and nothing else, as a phone, a gate or a department's server would."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from uuid import uuid4

import aiohttp
import jwt
import msgspec

from city.journey.telling import Broken, Exchange, Story, shortened, told
from gateway.demo.cast import PlayedClient

ANSWER_WITHIN_SECONDS: Final = 20.0
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
ASSERTION_SECONDS: Final = 60
ASKED_AGAIN_SECONDS: Final = 0.1
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JSON: Final = "application/json"

T = TypeVar("T")


class CityAway(Exception):
    """The city cannot be reached; the text says where it was looked for."""


class Answer(msgspec.Struct, frozen=True):
    """What came back. `content` is the decoded JSON, or None; `headers` by their names in lower case."""

    status: int
    media: str
    body: bytes
    content: Any
    headers: Mapping[str, str] = {}

    @property
    def code(self) -> str:
        """The permanent code of a refusal (RFC 9457), empty for anything else."""
        return str(self.content.get("code", "")) if isinstance(self.content, dict) else ""

    def words(self) -> str:
        if self.content is not None:
            return f"{self.status} {told(self.content)}"
        if self.media.startswith(("text/", "image/svg")):
            return f"{self.status} {self.media}: {shortened(' '.join(self.body.decode(errors='replace').split()))}"
        return f"{self.status} {self.media}, {len(self.body)} bytes" if self.body else f"{self.status}"


class Caller:
    """Somebody who talks to the city: nobody in particular, or whoever `token` proves."""

    def __init__(self, http: aiohttp.ClientSession, url: str, story: Story, token: str | None = None) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._story = story
        self.token = token

    @property
    def url(self) -> str:
        """Where the city answers, without a slash at the end."""
        return self._url

    def proved(self, token: str) -> "Caller":
        """The same way to the city, with an access token."""
        return Caller(self._http, self._url, self._story, token)

    def at(self, url: str) -> "Caller":
        """Another server, without a token: the stand-in for the chat platform."""
        return Caller(self._http, url, self._story)

    async def get(self, path: str, *, status: int = 200) -> Answer:
        return await self.ask("GET", path, status=status)

    async def post(self, path: str, body: Any = None, *, status: int = 200, accept: str = JSON) -> Answer:
        return await self.ask("POST", path, body, status=status, headers={"Accept": accept})

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        form: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        status: int | None = 200,
    ) -> Answer:
        """Send a request and note it in the story. Raises Broken when the answer has another status, CityAway.

        `body` goes as JSON, `form` as a form, `raw` as it is under the Content-Type in `headers`.
        """
        began = time.monotonic()
        answer = await self._exchange(method, path, body, form if raw is None else raw, dict(headers or {}))
        milliseconds = (time.monotonic() - began) * 1000
        sent = dict(form) if form is not None else body
        words = f"{method} {path}" + (f" {told(sent)}" if sent is not None else "")
        words += f" {len(raw)} bytes" if raw is not None else ""
        self._story.note(Exchange(words, answer.words(), round(milliseconds, 1)))
        if status is not None and answer.status != status:
            raise Broken(f"{method} {path.split('?')[0]} is answered {status}", str(status), answer.words())
        return answer

    async def _exchange(
        self, method: str, path: str, body: Any, data: Mapping[str, str] | bytes | None, headers: dict[str, str]
    ) -> Answer:
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body, ensure_ascii=False).encode(), JSON
        try:
            async with self._http.request(
                method, self._url + path, data=data, headers=headers, allow_redirects=False
            ) as answer:
                received = await answer.content.read(BODY_BYTES_MAX)
                while len(received) <= BODY_BYTES_MAX and (more := await answer.content.read(BODY_BYTES_MAX)):
                    received += more
                content = _decoded(answer.content_type, received)
                named = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, answer.content_type, received, content, named)
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise CityAway(f"{method} {self._url}{path}: {type(problem).__name__}") from problem


def _decoded(media: str, body: bytes) -> Any:
    if not (media == JSON or media.endswith("+json")) or not body:
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise Broken("what is called JSON is JSON", "JSON", body.decode(errors="replace")) from None


def open_http() -> aiohttp.ClientSession:
    """A client for one journey: no proxies of the environment, no cookies, every answer within a bound."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def assertion(client: PlayedClient, *, issuer: str, now: datetime, signed_by: PlayedClient | None = None) -> str:
    """A JWT by which a machine proves itself (RFC 7523): signed with its own key, for one use."""
    key = jwt.PyJWK((signed_by or client).private_jwk, "ES256").key
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": f"{issuer}/{client.audience}/token",
        "jti": str(uuid4()),
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + ASSERTION_SECONDS,
    }
    return jwt.encode(claims, key, algorithm="ES256")


async def token_of(city: Caller, client: PlayedClient, text: str, *, status: int = 200) -> Answer:
    """Ask for an access token with a signed assertion (OAuth 2.0 client credentials, private_key_jwt)."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
    }
    return await city.ask("POST", f"/{client.audience}/token", form=form, status=status)


async def machine(city: Caller, client: PlayedClient, *, issuer: str) -> Caller:
    """A machine that has proved itself."""
    answer = await token_of(city, client, assertion(client, issuer=issuer, now=datetime.now(UTC)))
    return city.proved(answer.content["access_token"])


async def until(
    ask: Callable[[], Awaitable[T | None]], *, within_seconds: float, every_seconds: float = ASKED_AGAIN_SECONDS
) -> T | None:
    """What `ask` finds, asked again and again; None when it found nothing in time."""
    end = time.monotonic() + within_seconds
    while True:
        found = await ask()
        if found is not None or time.monotonic() >= end:
            return found
        await asyncio.sleep(every_seconds)
