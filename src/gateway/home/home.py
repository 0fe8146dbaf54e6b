"""What the first page knows: how to ask each part, the demo's cast, and the API descriptions."""

import asyncio
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from gateway.demo.cast import Cast
from gateway.home import parts_state
from kernel.telemetry import Telemetry, stopwatch

LOOK_KEPT_SECONDS = 1.0
"""How long a look at the parts serves everybody who asks: anybody may, and each look asks every department."""


class Home:
    """Given what it shows; opens nothing itself."""

    def __init__(
        self,
        *,
        needed: Mapping[str, parts_state.Ask],
        useful: Mapping[str, parts_state.Ask],
        cast: Cast | None,
        telemetry: Telemetry,
        describe: Callable[[], dict[str, dict[str, Any]]],
    ) -> None:
        self._needed = needed
        self._useful = useful
        self.cast = cast
        self.telemetry = telemetry
        self._describe = describe
        self._look: asyncio.Task[parts_state.CityState] | None = None
        self._looked_at = 0.0

    async def state(self) -> parts_state.CityState:
        """How each part is, at most a second ago; those who ask meanwhile share one look."""
        now = stopwatch()
        look = self._look
        if look is None or (look.done() and now - self._looked_at >= LOOK_KEPT_SECONDS):
            look = self._look = asyncio.create_task(parts_state.look(self._needed, self._useful))
            self._looked_at = now
        return await asyncio.shield(look)

    @cached_property
    def _descriptions(self) -> dict[str, bytes]:
        return {name: msgspec.json.encode(document) for name, document in self._describe().items()}

    def descriptions(self) -> dict[str, bytes]:
        """The API descriptions by audience, as JSON; made at the first call."""
        return self._descriptions
