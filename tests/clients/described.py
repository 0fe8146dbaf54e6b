"""Our API descriptions as Schemathesis reads them: how much it sends, what it checks, what a fair refusal is."""

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final
from zlib import crc32

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.core.result import Err
from schemathesis.openapi.checks import RejectedPositiveData

from kernel.errors import MalformedRequest
from kernel.principal import Audience

SEED: Final = 20260302
"""Which requests are made up follows from it and the descriptions: two runs send the same."""
EXAMPLES: Final = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "10"))
"""How many made-up requests an operation gets beside those that cover its description systematically."""
REFUSED_BY_A_RULE: Final = ["2xx", "304", "401", "403", "404", "406", "409", "410", "422", "429", "502", "503", "504"]
"""How a request that its description calls good may be answered."""
REFUSED_AS_BAD: Final = ["400", "401", "403", "404", "405", "406", "409", "410", "413", "415", "422", "429"]

Operation = Any
"""`schemathesis.APIOperation` with all its type arguments, which nobody here needs."""
Known = Mapping[Audience, Mapping[str, list[str]]]
"""For each audience, values that are known to the city, by the names under which requests carry them."""


class Described:
    """The description of one audience, and the values that made-up requests may carry in place of invented ones."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.known: dict[str, list[str]] = {}
        self.schema = schemathesis.openapi.from_dict(document, config=schemathesis.Config(seed=SEED))
        self.schema.config.generation.update(
            max_examples=EXAMPLES,
            deterministic=True,
            database="none",
            no_shrink=True,
            with_security_parameters=False,  # tokens are given by us; the check `ignored_auth` takes them away
        )
        checks = self.schema.config.checks
        checks.positive_data_acceptance.expected_statuses = REFUSED_BY_A_RULE
        checks.negative_data_rejection.expected_statuses = REFUSED_AS_BAD
        checks.missing_required_header.expected_statuses = ["400", "401", "403"]
        self._hook()

    def operations(self) -> Iterator[Operation]:
        """Every operation. Raises what is wrong with its description."""
        for found in self.schema.get_all_operations():
            if isinstance(found, Err):
                raise found.err()
            yield found.ok()

    def _hook(self) -> None:
        """Say to the schema what its hooks are: functions, which it marks as its own."""

        @self.schema.hook
        def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
            return self._mapped(case)

        @self.schema.hook
        def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
            """A good request may be refused by a rule that has a name of its own, never as malformed."""
            is_about_goodness = isinstance(failure, RejectedPositiveData)
            return not is_about_goodness or response.json().get("code") == MalformedRequest.code

    def _mapped(self, case: Case[Any]) -> Case[Any]:
        """Every other invented id becomes one that exists; and whole numbers are written as such, not as `7.0`."""
        if case.meta is not None and case.meta.generation.mode.is_positive:
            case.path_parameters.update(self._known_in(case.path_parameters))
            case.query.update(self._known_in(case.query))
            if isinstance(case.body, dict):
                case.body = _whole({**case.body, **self._known_in(case.body)})
        return case

    def _known_in(self, values: Mapping[str, Any]) -> dict[str, str]:
        chosen = {}
        for name in values.keys() & self.known.keys():
            mark = crc32(repr(values[name]).encode())
            if mark % 2:
                chosen[name] = self.known[name][mark // 2 % len(self.known[name])]
        return chosen


def _whole(value: Any) -> Any:
    """JSON readers differ on whether `7.0` is an integer (RFC 8259 §6); ours takes `7`, and JSON Schema means both."""
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def operation_id(operation: Operation) -> str:
    return str(operation.definition.raw["operationId"])


def is_open(operation: Operation) -> bool:
    """Whether it comes before signing in."""
    return not operation.definition.raw.get("security")


def audience_of(operation: Operation) -> Audience:
    """Whom an operation is for: everybody, where its path does not say."""
    first = operation.path.split("/")[1]
    return Audience(first) if first in set(Audience) else Audience.PUBLIC
