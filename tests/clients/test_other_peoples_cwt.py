"""Our offline codes are read and verified by PyPI `cwt`, unmodified, which knows CWT and COSE and nothing of us."""

import time
from pathlib import Path
from typing import Any

import pytest

from suishenban_verify import offline_code
from suishenban_verify.offline_code import Claims
from suishenban_verify.signatures import LocalSigner, cose_key_of
from tests.builders_offline import (
    CITY,
    ED_ISSUER,
    ED_PHONE,
    ISSUER,
    PHONE,
    STRANGER,
    claims,
    framed,
    live,
    shown,
    unframed,
)
from tests.clients.own_environment import answer, python_environment

FOLDER = Path(__file__).parent / "cwt"


def at() -> int:
    """Now: that library asks the clock itself, and bears a minute of skew."""
    return int(time.time())


@pytest.fixture(scope="module")
def python() -> Path:
    return python_environment("cwt", FOLDER / "requirements.lock")


def ask(python: Path, signer: LocalSigner, *codes: str) -> list[dict[str, Any]]:
    question = {"key": as_json(signer), "short_id": signer.public.short_id.hex(), "codes": codes}
    answers: list[dict[str, Any]] = answer(python, FOLDER / "decoding.py", question)
    return answers


def as_json(signer: LocalSigner) -> dict[str, Any]:
    members = cose_key_of(signer.public).items()
    return {str(label): each.hex() if isinstance(each, bytes) else each for label, each in members}


def now(of: Claims, lives: int = 250) -> Claims:
    issued_at = at() - 5
    return of._replace(issued_at=issued_at, expires_at=issued_at + lives)


def expected(of: Claims, holder: LocalSigner | None = None) -> dict[str, Any]:
    """What the claims are to a reader of RFC 8392 and the status list draft."""
    alone = len(of.certificates) == 1
    found: dict[str, Any] = {"1": of.issuer, "4": of.expires_at, "6": of.issued_at, "7": of.cti.hex()}
    if holder is not None:
        found["8"] = {"1": as_json(holder)}
    if alone and of.certificates[0].status:
        found["65535"] = {"status_list": of.certificates[0].status._asdict()}
    found["-65537"] = [
        {
            "1": each.kind_code,
            "2": each.issuer_code,
            "3": dict(each.fields),
            "4": [str(each.valid_from), str(each.valid_until)],
        }
        | ({} if alone or each.status is None else {"5": [each.status.uri.removeprefix(f"{CITY}/"), each.status.idx]})
        for each in of.certificates
    ]
    return found | {"-65538": of.scenario_code, "-65539": of.binding.hex()}


@pytest.mark.parametrize("signer", [ISSUER, ED_ISSUER], ids=["ES256", "EdDSA"])
def test_a_live_code_says_to_cwt_what_we_signed(python: Path, signer: LocalSigner) -> None:
    one = now(claims(shown(fields={"name": "张三", "floor": -3, "is_resident": True})))
    two = now(claims(shown(), shown(kind_code="ticket", fields={"seat": 7})))
    without = now(claims(shown(status=None)))
    answers = ask(python, signer, *(live(of, signer) for of in (one, two, without)))
    assert answers == [{"said": {"claims": expected(of), "shown_at": None}} for of in (one, two, without)]


@pytest.mark.parametrize("phone", [PHONE, ED_PHONE], ids=["ES256", "EdDSA"])
def test_a_pre_issued_code_and_the_phones_signature_hold_for_cwt(python: Path, phone: LocalSigner) -> None:
    of = now(claims(holder=phone), 3600)
    cwt = offline_code.sign(of, ISSUER)
    shown_at = at()
    good, strange = (offline_code.present(cwt, holder, shown_at) for holder in (phone, STRANGER))
    answers = ask(python, ISSUER, good, strange)
    assert answers[0] == {"said": {"claims": expected(of, phone), "shown_at": shown_at}}
    assert list(answers[1]) == ["refused"]


def test_what_was_changed_or_has_expired_or_a_stranger_signed_is_refused_by_cwt_too(python: Path) -> None:
    good = unframed(live(now(claims())))
    changed = [framed(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1 :]) for at in range(20, len(good), 40)]
    expired = live(claims(issued_at=at() - 400, expires_at=at() - 150))
    answers = ask(python, ISSUER, framed(good), expired, live(now(claims()), STRANGER), *changed)
    assert [list(each) for each in answers] == [["said"], *[["refused"]] * (len(changed) + 2)]
