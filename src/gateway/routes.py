"""Every route of the city, by audience: what the application serves and the API descriptions are made from."""

from collections.abc import Sequence

from litestar.handlers import HTTPRouteHandler

import appointments.http
import gateway.clients.http
import gateway.demo.http
import gateway.demo.http_cast
import gateway.departments.http
import gateway.home.http
import gateway.miniapp.http
import gateway.operators.http
import gateway.residents.http
import gateway.staff.http
import notifications.batches.http
import notifications.batches.operating.http
import notifications.callbacks.http
import notifications.cases.http
import notifications.channels.clouds.http
import notifications.http
import notifications.replies.http
import notifications.retention.http
import notifications.services.http
import notifications.standing.http
import notifications.statistics.http
import notifications.texts.http
import wallet.http
from kernel.audience import Handlers
from kernel.principal import Audience

_EVERYWHERE: tuple[Handlers, ...] = (
    gateway.home.http.HANDLERS,
    gateway.residents.http.HANDLERS,
    gateway.staff.http.HANDLERS,
    gateway.operators.http.HANDLERS,
    gateway.clients.http.HANDLERS,
    gateway.departments.http.HANDLERS,
    gateway.miniapp.http.HANDLERS,
    wallet.http.HANDLERS,
    appointments.http.HANDLERS,
    notifications.http.HANDLERS,
    notifications.services.http.HANDLERS,
    notifications.batches.http.HANDLERS,
    notifications.batches.operating.http.HANDLERS,
    notifications.texts.http.HANDLERS,
    notifications.callbacks.http.HANDLERS,
    notifications.cases.http.HANDLERS,
    notifications.replies.http.HANDLERS,
    notifications.standing.http.HANDLERS,
    notifications.statistics.http.HANDLERS,
    notifications.retention.http.HANDLERS,
    notifications.channels.clouds.http.HANDLERS,
)
_IN_A_DEMO: tuple[Handlers, ...] = (gateway.demo.http.HANDLERS, gateway.demo.http_cast.HANDLERS)


def handlers_of(audience: Audience, *, demo: bool) -> Sequence[HTTPRouteHandler]:
    """The handlers of one audience; those of the demo only when asked for."""
    packages = _EVERYWHERE + (_IN_A_DEMO if demo else ())
    return [handler for handlers in packages for handler in handlers.get(audience, ())]
