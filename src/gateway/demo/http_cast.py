"""Who can be played in the demo, and the making old of a code. Never in a real city."""

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from gateway.demo.ageing import AGED_MAX, Ageing
from gateway.demo.cast import Cast
from gateway.demo.errors import CodeUnknown, NobodyToPlay
from kernel.audience import Handlers
from kernel.errors import PartAway
from kernel.principal import Audience
from kernel.problems import refuses
from wallet.online_code import TEXT_MAX


@get(
    "/demo/cast",
    operation_id="readCast",
    summary="Who can be played, and with which keys",
    responses=refuses(NobodyToPlay),
)
async def read_cast(cast: NamedDependency[Cast | None]) -> Cast:
    """Invented residents and staff, and the private keys of invented machines, as their owners would hold them."""
    if cast is None:
        raise NobodyToPlay
    return cast


class AgeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A code as it is shown, and by how many seconds it is to be older."""

    code_text: Annotated[str, Meta(min_length=1, max_length=TEXT_MAX, pattern=r"^[\x21-\x7e]+$(?!\n)")]
    seconds: Annotated[int, Meta(ge=1, le=int(AGED_MAX.total_seconds()))]


class AgedView(msgspec.Struct):
    """When the code counts as shown now."""

    shown_at: datetime


@post(
    "/demo/codes/age",
    operation_id="ageCode",
    summary="Make a shown code older",
    status_code=200,
    responses=refuses(CodeUnknown, PartAway),
)
async def age_code(data: JSONBody[AgeRequest], ageing: NamedDependency[Ageing]) -> AgedView:
    """As if it had been shown earlier: what an old code is answered can be seen without waiting."""
    shown_at = await ageing.age(data.code_text, timedelta(seconds=data.seconds))
    if shown_at is None:
        raise CodeUnknown
    return AgedView(shown_at)


HANDLERS: Handlers = {Audience.PUBLIC: [read_cast, age_code]}
