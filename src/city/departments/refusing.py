"""What a department's server says when it will not: problem documents (RFC 9457) with permanent codes."""

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

PROBLEM_MEDIA = "application/problem+json"


class Refused(Exception):
    """A refusal on its way out."""

    def __init__(self, status: int, code: str, title: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.title = title
        self.retry_after_seconds = retry_after_seconds

    def answer(self) -> web.Response:
        headers = {"Content-Type": PROBLEM_MEDIA, "Cache-Control": "no-store"}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(self.retry_after_seconds)
        problem = {
            "type": f"urn:suishenban:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        return web.Response(body=msgspec.json.encode(problem), status=self.status, headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every refusal, the server's own included, leaves as a problem document."""
    try:
        return await handler(request)
    except Refused as refused:
        return refused.answer()
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        return Refused(refused.status, f"parks.http_{refused.status}", refused.reason).answer()
