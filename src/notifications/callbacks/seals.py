"""Which key and which place each value of a callback is sealed under."""

from typing import Final

import msgspec

from kernel.sealing import Keys
from notifications.callbacks.model import EndpointId, EventId, Target

_TARGET: Final = msgspec.msgpack.Decoder(Target)


class CallbackSeals:
    """Seals values to the row they belong to; an envelope moved to another row does not open (NotSealedHere)."""

    def __init__(self, keys: Keys) -> None:
        self._target = keys.sealer("notifications.callback_target")
        self._body = keys.sealer("notifications.callback_body")

    def target(self, endpoint_id: EndpointId, target: Target) -> bytes:
        return self._target.seal_struct(target, endpoint_id.bytes)

    def open_target(self, endpoint_id: EndpointId, envelope: bytes) -> Target:
        return _TARGET.decode(self._target.unseal(envelope, endpoint_id.bytes))

    def body(self, endpoint_id: EndpointId, event_id: EventId, body: bytes) -> bytes:
        return self._body.seal(body, endpoint_id.bytes + event_id.bytes)

    def open_body(self, endpoint_id: EndpointId, event_id: EventId, envelope: bytes) -> bytes:
        return self._body.unseal(envelope, endpoint_id.bytes + event_id.bytes)
