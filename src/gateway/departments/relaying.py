"""An answer of a department on its way to the resident, as an ASGI application of its own."""

from contextlib import aclosing
from typing import Any

from gateway.departments.calling import Answer

_BODILESS = frozenset({204, 304})


class Relayed:
    """Sends an answer, streaming what is not held yet, and releases it whatever happens."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = self._answer
        try:
            headers = list(answer.headers)
            if answer.is_whole and answer.status not in _BODILESS:
                headers.append((b"content-length", str(len(answer.start)).encode()))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            start = b"" if answer.status in _BODILESS else answer.start
            await send({"type": "http.response.body", "body": start, "more_body": not answer.is_whole})
            if not answer.is_whole:
                async with aclosing(answer.rest()) as rest:
                    async for chunk in rest:
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await answer.release()
