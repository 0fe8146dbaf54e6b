"""JSON lines on standard error: the event in words, ids as fields, never a name, number, token or code."""

import logging
import re
import sys
from collections.abc import MutableMapping
from types import TracebackType
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
    r"|/[APQ]/[A-Za-z2-7]{26}"  # an ask, a printed proof or an online code, as it was scanned or typed
    r"|eyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JWT
    r"|(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"  # an e-mail address
    r"|/unsubscribe/[\w-]+"  # a link that stops somebody's e-mail
    r"|/carriers/[a-z]+/[\w-]+"  # the address that a carrier proves itself by
    r"|whsec_[\w+/=-]+"  # what callbacks are signed with
    r"|(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-?){2}"  # the end of an API key: a service's id and its secret
)
# Our own lines are in English, so Chinese in them is a value that slipped in, most likely by the words of an exception.
_CHINESE = re.compile(
    r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+"
    r"|(?:\\x[0-9a-f]{2}){6,}"  # the same as bytes, in Python's words
    r"|(?:\\u[0-9a-f]{4}){2,}"
)
STRUCK_OUT = "[struck out]"


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of a module; `name` is its `__name__`."""
    return cast("FilteringBoundLogger", structlog.get_logger(part=name))


def redact(text: str) -> str:
    """`text` with whatever looks like a personal value, a token or a code struck out."""
    return _PERSONAL.sub(STRUCK_OUT, text)


def redact_line(text: str) -> str:
    """`text` of a log line or a trace: without personal values, and without whatever may be somebody's name."""
    return _CHINESE.sub(STRUCK_OUT, redact(text))


def _of_process(process: str) -> Processor:
    def name_process(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        return event

    return name_process


def _strike_out(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = STRUCK_OUT if key in FORBIDDEN_FIELDS else _clean(value)
    return event


def _clean(value: Any) -> Any:
    """A field's value as it may be written; what JSON has no form for, in its own words."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if redact_line(str(value)) == str(value) else STRUCK_OUT
        case dict():
            return {
                redact_line(str(key)): STRUCK_OUT if key in FORBIDDEN_FIELDS else _clean(held)
                for key, held in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [_clean(held) for held in value]
    return redact_line(value if isinstance(value, str) else repr(value))


class _ThroughStructlog(logging.Handler):
    """Libraries log through `logging`; their lines leave in the same form and under the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        line = structlog.get_logger(record.name)
        failure = {"failure": logging.Formatter().formatException(record.exc_info)} if record.exc_info else {}
        line.log(max(record.levelno, logging.DEBUG), record.getMessage(), **failure)


def _tell_of_end(kind: type[BaseException], failure: BaseException, trace: TracebackType | None) -> None:
    """What ends the process is logged like anything else: its words may hold anything."""
    if not issubclass(kind, Exception):
        sys.__excepthook__(kind, failure, trace)
        return
    structlog.get_logger(part=__name__).critical("the process ends by a failure", exc_info=(kind, failure, trace))


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
    sys.excepthook = _tell_of_end
