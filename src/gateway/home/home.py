"""What the first page knows: how to ask each part, the demo's cast, and the API descriptions."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import msgspec

from gateway.demo.cast import Cast
from gateway.home import parts_state
from kernel.telemetry import Telemetry


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

    async def state(self) -> parts_state.CityState:
        return await parts_state.look(self._needed, self._useful)

    @cached_property
    def _descriptions(self) -> dict[str, bytes]:
        return {name: msgspec.json.encode(document) for name, document in self._describe().items()}

    def descriptions(self) -> dict[str, bytes]:
        """The API descriptions by audience, as JSON; made at the first call."""
        return self._descriptions
