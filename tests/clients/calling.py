"""Calls operations as whom they are for, checks every answer, and counts how each was answered."""

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, Final

import requests
from schemathesis import Case, Response

from kernel.principal import Audience
from tests.clients.described import Operation, audience_of, is_open, operation_id
from tests.clients.everybody import Everybody
from tests.clients.known_good import Good

ANSWERED_WITHIN_SECONDS: Final = 20.0
USES_UP_ITS_TOKEN: Final = {"signOut", "signOutStaff", "closeAccount", "checkRealName"}
"""Operations after which a token proves nobody: each call has one of its own."""

Identify = Callable[[Operation], str | None]
"""Whose access token an operation is called with; None for who comes without."""


class Calling:
    """Sends requests to one server, and keeps the tally."""

    def __init__(self, url: str, identify: Identify) -> None:
        self.answers: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._url = url
        self._identify = identify
        self._session = requests.Session()
        self._session.trust_env = False

    def send(self, case: Case[Any], token: str | None = None) -> Response:
        """Send a request and check its answer in every way. Raises what is wrong with it."""
        token = token or self._identify(case.operation)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        how: dict[str, Any] = {"base_url": self._url, "session": self._session, "timeout": ANSWERED_WITHIN_SECONDS}
        response = case.call(headers=headers, **how)
        if response.request.method == case.operation.method.upper():  # some are sent with a method it does not take
            self.answers[case.operation.label][response.status_code] += 1
        case.validate_response(response, headers=headers, transport_kwargs={**how, "headers": headers})
        return response

    def send_good(self, operation: Operation, good: Good) -> Response:
        """Send a request that must be answered well."""
        body = {} if good.body is None else {"body": good.body, "media_type": good.media}
        case = operation.Case(
            path_parameters=dict(good.path), query=dict(good.query), headers=dict(good.headers), **body
        )
        return self.send(case, good.token)

    def never_well(self) -> list[str]:
        """The operations that never answered 2xx, and how they did."""
        return [
            f"{label}: {dict(counts)}"
            for label, counts in sorted(self.answers.items())
            if not any(200 <= status < 300 for status in counts)
        ]


def as_everybody(everybody: Everybody) -> Identify:
    """Each operation is called by its own audience; of departments, by a system or by staff at a desk."""

    def identify(operation: Operation) -> str | None:
        audience = audience_of(operation)
        if is_open(operation):
            return None
        if operation_id(operation) in USES_UP_ITS_TOKEN:
            return everybody.city.somebody(audience)
        if audience is Audience.DEPARTMENT:
            is_desk = "/desk/" in operation.path or operation_id(operation) == "readStaffMe"
            return everybody.desk.access_token if is_desk else everybody.police
        return {
            Audience.RESIDENT: everybody.resident.access_token,
            Audience.MINI: everybody.mini.access_token,
            Audience.VENUE: everybody.gate,
            Audience.OPERATOR: everybody.operator.access_token,
        }[audience]

    return identify
