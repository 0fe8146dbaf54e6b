"""JSON lines on standard error: the event in words, ids as fields, never a name, number, token or code."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, cast

import structlog
from structlog.typing import FilteringBoundLogger, Processor

FORBIDDEN_FIELDS = frozenset(
    {
        "name",
        "phone",
        "id_number",
        "token",
        "code",
        "authorization",
        "secret",
        "password",
        "values",
        "body",
        "address",
        "openid",
    }
)
_PERSONAL = re.compile(
    r"(?<!\d)\d{17}[\dXx](?!\d)"  # resident identity number, GB 11643
    r"|(?<!\d)(?:\+?86)?1[3-9]\d{9}(?!\d)"  # mainland mobile number
    r"|/Q/[A-Z2-7]{26}"  # an online code
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JWT
)


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module; `name` is its `__name__`."""
    return cast("FilteringBoundLogger", structlog.get_logger(part=name))


def redact(text: str) -> str:
    """`text` with whatever looks like a personal value, a token or a code struck out."""
    return _PERSONAL.sub("[struck out]", text)


def _of_process(process: str) -> Processor:
    def name_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return name_process


def _strike_out(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if key in FORBIDDEN_FIELDS:
            event[key] = "[struck out]"
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


class _ThroughStructlog(logging.Handler):
    """Libraries log through `logging`; their lines leave in the same form and under the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        line = structlog.get_logger(record.name)
        failure = {"failure": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        line.log(max(record.levelno, logging.DEBUG), record.getMessage(), **failure)


def configure(level: str, *, process: str) -> None:
    """Send everything this process logs to standard error as JSON lines that begin with the event."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            _of_process(process),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.format_exc_info,
            _strike_out,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ThroughStructlog()]
    root.setLevel(max(threshold, logging.WARNING))
