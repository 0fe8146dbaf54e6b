"""A department's own program, as it opens, fills, reads and steers batches over HTTP."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec

from city.department_program import Declined, Lost, Program
from city.errors import CannotStart

REFUSED_PAGE: Final = 500
LIST_PAGE: Final = 20
TRIES_MAX: Final = 8
"""In a row that come to nothing; then somebody has to look."""
BACKOFF_SECONDS: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 8.0

T = TypeVar("T")


class Progressed(msgspec.Struct):
    """What the city says of a batch."""

    batch_id: UUID
    name: str
    state: str
    received: int
    refused: int
    missing: int
    next_row: int
    fed: int
    waiting: int
    sent: int
    withdrawn: int
    delivered: int
    failed: int
    unknown: int
    ends_at: str | None

    @property
    def taken(self) -> int:
        return self.received - self.refused


class _Page(msgspec.Struct):
    batches: list[Progressed]


class SendableText(msgspec.Struct):
    """A text of the department's. `in_use`: the version that is sent, if an operator approved one."""

    text_id: UUID
    name: str
    in_use: int | None


class _Texts(msgspec.Struct):
    texts: list[SendableText]


class Refused(msgspec.Struct):
    """A row that was refused."""

    row: int
    reference: str | None
    code: str
    detail: str
    field: str | None

    def words(self) -> str:
        named = "" if self.reference is None else f" ({self.reference})"
        field = "" if self.field is None else f", {self.field}"
        return f"row {self.row}{named}: {self.code}: {self.detail}{field}"


class Sender(Program):
    """The department, as it sends batches."""

    async def batch(self, method: str, batch_id: UUID, act: str = "", body: dict[str, Any] | None = None) -> Progressed:
        """Open, read or steer a batch. Raises Lost, CannotStart."""
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        said = await self.ask(method, f"/department/batches/{batch_id}{act}", headers=headers, data=data)
        return msgspec.json.decode(said, type=Progressed)

    async def newest(self) -> list[Progressed]:
        """The batches opened last, newest first. Raises Lost, CannotStart."""
        said = await self.ask("GET", f"/department/batches?limit={LIST_PAGE}")
        return msgspec.json.decode(said, type=_Page).batches

    async def texts(self) -> list[SendableText]:
        """The first texts that can be sent. Raises Lost, CannotStart."""
        said = await self.ask("GET", "/department/texts")
        return [one for one in msgspec.json.decode(said, type=_Texts).texts if one.in_use is not None]

    async def send(self, batch_id: UUID, lines: AsyncGenerator[bytes], form: str, *, first: int) -> Progressed:
        """Send rows. Raises Lost, CannotStart."""
        path = f"/department/batches/{batch_id}/lines?from={first}"
        said = await self.ask("POST", path, data=lines, headers={"Content-Type": form}, seconds=None)
        return msgspec.json.decode(said, type=Progressed)

    async def refused(self, batch_id: UUID) -> AsyncGenerator[Refused]:
        """Every refused row, in order. Raises CannotStart."""
        cursor = ""
        while True:
            path = f"/department/batches/{batch_id}/refused?limit={REFUSED_PAGE}{cursor and '&cursor=' + cursor}"
            page = msgspec.json.decode(await self._page(path), type=dict[str, Any])
            for one in msgspec.convert(page["refused"], list[Refused]):
                yield one
            if page["next_cursor"] is None:
                return
            cursor = page["next_cursor"]

    async def _page(self, path: str) -> bytes:
        return await patiently(lambda: self.ask("GET", path))


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again while the connection is lost or the city is away for a moment. Raises CannotStart."""
    for tried in range(1, TRIES_MAX + 1):
        try:
            return await ask()
        except Declined as declined:
            raise CannotStart(f"The city will not: {declined}.", "Nothing was changed by this.") from None
        except Lost as lost:
            if tried == TRIES_MAX:
                raise CannotStart(f"The city does not answer: {lost}.", "Run it again later.") from None
        await asyncio.sleep(min(BACKOFF_SECONDS * 2**tried, BACKOFF_SECONDS_MAX))
    raise AssertionError("the last try returns or raises")
