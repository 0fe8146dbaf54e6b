"""No personal value, token or code reaches a log line, whoever logs it."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from kernel import log


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Whatever a test configures ends with it: its captured standard error is closed then."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook = hook
    structlog.reset_defaults()


PLANTED = {
    "an ID number": "310101199001019961",
    "a phone": "+8613800138000",
    "an online code": "HTTPS://127.0.0.1:8700/Q/ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "a printed proof": "https://127.0.0.1:8700/P/ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "a printed proof as it is typed": "http://127.0.0.1:8700/P/abcdefghijklmnopqrstuvwxyz",
    "a token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
    "an e-mail address": "wang.xiaoming+city@people.example",
    "an e-mail address in a URL": "wang.xiaoming%40people.example",
    "a link of an e-mail": "https://127.0.0.1:8700/unsubscribe/AQAAAAD0s2-pKz8_",
    "where a carrier calls": "/carriers/aliyun/0123456789abcdef01234567",
    "a secret of callbacks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "an API key": "demo-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0",
    "a name": "司马青",
    "a name in bytes": repr("司马青".encode())[2:-1],
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_value_is_struck_out_wherever_it_stands(planted: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", process="test")
    log.get_logger("tests").warning(f"event with {planted}", note=f"a {planted} b")
    logging.getLogger("a.library").error("said %s", planted)
    try:
        raise ValueError(planted)
    except ValueError:
        log.get_logger("tests").exception("failed")
    said = capsys.readouterr().err
    assert said.count("[struck out]") >= 4
    assert planted.rsplit("/", 1)[-1].lstrip("+") not in said


def test_fields_that_name_people_are_struck_out_whatever_they_hold(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", process="test")
    log.get_logger("tests").info("signed in", name="某甲", person_id="an id")
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert line["name"] == "[struck out]"
    assert (line["event"], line["person_id"], line["process"]) == ("signed in", "an id", "test")


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_field_of_any_shape_is_struck_out(planted: str, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", process="test")
    held = {"list": [planted], "keys": {planted: 1}, "deep": {"a": ({"b": planted},)}, "object": ValueError(planted)}
    log.get_logger("tests").info("held", count=2, held=held, number=310101199001019961)
    said = capsys.readouterr().err
    assert planted.rsplit("/", 1)[-1].lstrip("+") not in said
    line = json.loads(said)
    assert (line["count"], line["number"]) == (2, "[struck out]")
    assert len(line["held"]) == len(held)


def test_what_ends_a_process_is_struck_out_like_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info", process="test")
    try:
        raise KeyError("司马青", "310101199001019961")
    except KeyError as failure:
        sys.excepthook(type(failure), failure, failure.__traceback__)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["level"]) == ("the process ends by a failure", "critical")
    assert line["exception"].endswith("KeyError: ('[struck out]', '[struck out]')")


@pytest.mark.parametrize(
    "kept", ["2026-03-02T01:00:00Z", "0196a1b2-0000-7000-8000-123456789012", "12345678901234567890"]
)
def test_what_is_no_personal_value_is_kept(kept: str) -> None:
    assert log.redact_line(kept) == kept
