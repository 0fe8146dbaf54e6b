"""Conditional reads: a catalogue that has not changed since it was read last is not sent again (RFC 9110 §13).

The tag is strong: two answers with the same tag are the same bytes.
"""

import re
from hashlib import sha256
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

TAG_CHARACTERS = 32
"""Of the hexadecimal digest of the answer: 128 bits tell any two answers apart."""
TAGS_TEXT_MAX = 1_000
_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_KEPT_AND_ASKED = "private, no-cache"
"""Whoever reads it may keep it, and asks whether it is still good before using it again (RFC 9111 §5.2.2.4)."""

View = TypeVar("View", bound=msgspec.Struct)

IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        max_length=TAGS_TEXT_MAX,
        description="The `ETag` of an answer you have: it is not sent again while it is still the same.",
    ),
]

NOT_MODIFIED = {
    304: ResponseSpec(
        data_container=None, generate_examples=False, description="What you have under this `ETag` is still the same."
    )
}
"""For the `responses` of an operation that answers with `unless_known`."""


def unless_known(view: View, if_none_match: str | None) -> Response[View]:
    """The view under its `ETag`; 304 without it for whoever names that tag, or `*`."""
    body = msgspec.json.encode(view)
    tag = f'"{sha256(body).hexdigest()[:TAG_CHARACTERS]}"'
    headers = {"ETag": tag, "Cache-Control": _KEPT_AND_ASKED}
    if if_none_match is not None and names(if_none_match, tag):
        nothing: Response[Any] = Response(None, status_code=304, headers=headers)
        return nothing
    whole: Response[Any] = Response(body, media_type="application/json", headers=headers)
    return whole


def names(if_none_match: str, tag: str) -> bool:
    """Whether a list of tags has this one, or is `*`. Weak ones count too (RFC 9110 §13.1.2)."""
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
