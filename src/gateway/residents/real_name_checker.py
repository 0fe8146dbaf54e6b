"""The three-element check (三要素核验): whether a name, an ID number and a phone belong to one person.

The city asks a service outside: `POST {base}/real-name` with `{name, id_number, phone}`, which answers
`{match, serial}`; the serial is the receipt by which the service knows the check again.
"""

import asyncio
from typing import Annotated

import aiohttp
import msgspec
from msgspec import Meta

from gateway.outside import AnswerTooLong, read_bounded
from gateway.residents.errors import RealNameAway, RealNameLate, RealNameOff
from gateway.residents.model import Phone
from kernel.log import get_logger
from kernel.people import Identity

TIMEOUT_SECONDS = 5.0
ANSWER_BYTES_MAX = 16_384

log = get_logger(__name__)


class CheckAnswer(msgspec.Struct, frozen=True):
    """What the service said. Members it adds later are ignored."""

    match: bool
    serial: Annotated[str, Meta(max_length=128, pattern=r"^[\x21-\x7e]*$")]


_decoder = msgspec.json.Decoder(CheckAnswer)


class RealNameChecker:
    """Asks the service. An empty `base_url` means that this city has none."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._http = http
        self._timeout_seconds = timeout_seconds
        self._url = f"{base_url.rstrip('/')}/real-name" if base_url else ""

    async def check(self, identity: Identity, phone: Phone) -> CheckAnswer:
        """Whether the three belong together. Raises RealNameOff, RealNameAway, RealNameLate."""
        if not self._url:
            raise RealNameOff
        asked = {"name": identity.name, "id_number": identity.id_number, "phone": phone.e164}
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._ask(msgspec.json.encode(asked))
        except TimeoutError:
            log.warning("the real-name check did not answer in time")
            raise RealNameLate(retry_after_seconds=5) from None
        except (aiohttp.ClientError, OSError, msgspec.DecodeError, AnswerTooLong, _Unusable) as problem:
            log.warning("the real-name check failed", error=type(problem).__name__)
            raise RealNameAway(retry_after_seconds=5) from None

    async def _ask(self, body: bytes) -> CheckAnswer:
        headers = {"Content-Type": "application/json"}
        async with self._http.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise _Unusable
            return _decoder.decode(await read_bounded(response, ANSWER_BYTES_MAX))


class _Unusable(Exception):
    """The answer is not one this check gives."""
