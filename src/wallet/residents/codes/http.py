"""A code on the wire, in the form that was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from litestar import Request, Response
from litestar.openapi.spec import OpenAPIMediaType, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType

from wallet import qr
from wallet.residents.codes.forms import JSON, best_form


@dataclass
class CodeOperation(Operation):
    """Names the other forms in which a code can be had."""

    def __post_init__(self) -> None:
        created = (self.responses or {}).get("201")
        content = getattr(created, "content", None)
        if content is not None:
            for media in ("text/plain", "image/svg+xml", "image/png"):
                content[media] = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING))


class Drawable(Protocol):
    """Whatever shows a code has its text."""

    @property
    def text(self) -> str: ...


Code = TypeVar("Code", bound=Drawable)


def form_of(request: Request[Any, Any, Any]) -> str:
    """The form asked for, JSON unless told otherwise. Raises NotAcceptable."""
    for name, value in request.scope["headers"]:
        if name == b"accept":
            return best_form(value.decode("latin-1"))
    return JSON


def answered(request: Request[Any, Any, Any], form: str, code: Code, headers: Mapping[str, str]) -> Response[Code]:
    """The code in the form asked for; `headers` tell what the text alone does not."""
    if form == JSON:
        answer = request.app.response_class or Response  # the application's own, made for plain structs
        return answer(code)
    return _drawn(form, code.text, headers)


def _drawn(form: str, text: str, headers: Mapping[str, str]) -> Response[Any]:
    if form == "text/plain":
        return Response(text, media_type=form, headers=dict(headers))
    draw = qr.png if form == "image/png" else qr.svg
    return Response(draw(text), media_type=form, headers=dict(headers))
