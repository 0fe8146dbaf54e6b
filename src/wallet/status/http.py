"""Status lists over HTTP: open to everybody, so that nobody learns who asks about whom."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Schema
from litestar.params import FromPath

from kernel.audience import Handlers
from kernel.conditional import NOT_MODIFIED, IfNoneMatch, names
from kernel.principal import Audience
from kernel.problems import refuses
from suishenban_verify.status_list import CWT_TYPE, JWT_TYPE
from wallet.parts import Wallet
from wallet.status.building import CACHED_FOR
from wallet.status.errors import StatusListNotFound

JWT_MEDIA = f"application/{JWT_TYPE}"
LIST_ID_MAX = 2**31 - 1
_CACHED = f"public, max-age={int(CACHED_FOR.total_seconds())}"


class StatusListsView(msgspec.Struct):
    """Where every status list of the city is found (draft-ietf-oauth-status-list, aggregation)."""

    status_lists: list[str]


@get("/status-lists", operation_id="listStatusLists", summary="Where the status lists are")
async def list_status_lists(wallet: NamedDependency[Wallet]) -> StatusListsView:
    """Fetch them all before you go where there is no network: each serves a day."""
    return StatusListsView(await wallet.builder.uris())


@dataclass
class _ListOperation(Operation):
    """Names the two forms of a list."""

    def __post_init__(self) -> None:
        answer = (self.responses or {}).get("200")
        if getattr(answer, "content", None) is not None:
            whole = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))
            answer.content = {JWT_MEDIA: whole, CWT_TYPE: whole}  # type: ignore[union-attr]


@get("/status-lists/{list_id:int}", operation_id="readStatusList", operation_class=_ListOperation,
     summary="One status list, signed",
     responses=refuses(StatusListNotFound) | NOT_MODIFIED)  # fmt: skip
async def read_status_list(
    list_id: FromPath[int],
    request: Request[Any, Any, Any],
    wallet: NamedDependency[Wallet],
    if_none_match: IfNoneMatch = None,
) -> Response[bytes]:
    """A JWT, or with `Accept: application/statuslist+cwt` a CWT. Answers 304 while it is the one you have."""
    if not 0 <= list_id <= LIST_ID_MAX:
        raise StatusListNotFound
    is_cwt = any(name == b"accept" and CWT_TYPE.encode() in value for name, value in request.scope["headers"])
    if if_none_match is not None:
        head = await wallet.builder.head(list_id)
        if head is not None and names(if_none_match, _tag(*head, is_cwt=is_cwt)):
            return Response(b"", status_code=304, headers=_headers(_tag(*head, is_cwt=is_cwt)))
    found = await wallet.builder.published(list_id)
    if found is None:
        raise StatusListNotFound
    body = found.cwt if is_cwt else found.jwt.encode()
    headers = _headers(_tag(found.edition, found.built_at, is_cwt=is_cwt))
    return Response(body, media_type=CWT_TYPE if is_cwt else JWT_MEDIA, headers=headers)


def _tag(edition: int, built_at: datetime, *, is_cwt: bool) -> str:
    """Of one edition in one form, known without reading the list."""
    return f'"{edition}-{int(built_at.timestamp()):x}-{"cwt" if is_cwt else "jwt"}"'


def _headers(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": _CACHED, "Vary": "Accept"}


HANDLERS: Handlers = {Audience.PUBLIC: [list_status_lists, read_status_list]}
