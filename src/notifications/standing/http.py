"""How sending does, on the wire: for operators."""

from datetime import datetime

import msgspec
from litestar import get
from litestar.di import NamedDependency

from kernel.audience import Handlers
from kernel.errors import RoleMissing
from kernel.principal import Audience, Operator
from kernel.problems import refuses
from notifications.model import Channel
from notifications.standing.model import Counted, LaneStanding, NetworkStanding, ProviderStanding, WorkerTold
from notifications.standing.parts import SendingStanding


class ProviderView(msgspec.Struct):
    """A provider, as one worker saw it at `told_at`.

    `is_stand_in`: it only shows what it is given. `is_connected`: null where it keeps no connection. `hands_in_use`:
    parcels it is given at this moment, of `hands_max` that it may be given at once.
    """

    worker: str
    told_at: datetime
    name: str
    channel: Channel
    is_stand_in: bool
    is_connected: bool | None
    hands_in_use: int
    hands_max: int
    networks: list[NetworkStanding]


class SendingView(msgspec.Struct):
    """Sending at one moment. `lanes`: what goes first stands first. `awaiting_receipt`: of all lanes together.

    Workers say every few seconds how their `providers` do, through Redis; `are_providers_known` is false while it is
    away. None at all: no worker is there.
    """

    at: datetime
    lanes: list[LaneStanding]
    awaiting_receipt: Counted
    are_providers_known: bool
    providers: list[ProviderView]


@get("/sending", operation_id="readSending", summary="How sending does at this moment", responses=refuses(RoleMissing))
async def read_sending(operator: NamedDependency[Operator], standing: NamedDependency[SendingStanding]) -> SendingView:
    """What is due in each lane and for how long, up to ten thousand; and how each provider does on each network."""
    found = await standing.lanes()
    told = await standing.workers()
    return SendingView(
        at=standing.clock.now(),
        lanes=found.lanes,
        awaiting_receipt=found.awaiting_receipt,
        are_providers_known=told is not None,
        providers=[_view(worker, provider) for worker in told or () for provider in worker.providers],
    )


def _view(worker: WorkerTold, provider: ProviderStanding) -> ProviderView:
    return ProviderView(worker.worker, worker.told_at, **msgspec.structs.asdict(provider))


HANDLERS: Handlers = {Audience.OPERATOR: [read_sending]}
