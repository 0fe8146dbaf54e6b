"""A device without a network says yes to a code only when everything it can know speaks for it."""

from datetime import date
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suishenban_verify import offline_code
from suishenban_verify.claim_set import StatusRef
from suishenban_verify.replay import ENTRIES_MAX, KEPT_AFTER_EXPIRY_SECONDS, Claim, ReplayMemory
from suishenban_verify.signatures import LocalSigner
from suishenban_verify.status_list import INVALID, SUSPENDED
from suishenban_verify.verifying import CLOCK_SKEW_MAX_SECONDS, Accepted, Outcome, Verdict, Verifier
from tests.builders_offline import (
    CITY,
    DAY,
    ED_ISSUER,
    GRANTS,
    ISSUER,
    KIND,
    LIST,
    NOW,
    PHONE,
    SCENARIO,
    STRANGER,
    claims,
    device,
    entry,
    framed,
    listed,
    live,
    pre_issued,
    shown,
    trust,
    unframed,
)

TICKET = shown(kind_code="ticket", fields={"seat": 7}, status=StatusRef(LIST, 12))


def outcome(text: str, on: Verifier | None = None, at: int = NOW) -> Outcome:
    verdict = (on or device()).verify(text, at)
    if not verdict.is_valid:
        assert verdict.certificates == ()
        assert verdict.scenario_code is None
        assert verdict.reason
    return verdict.outcome


@pytest.mark.parametrize("signer", [ISSUER, ED_ISSUER], ids=["ES256", "EdDSA"])
def test_a_good_code_is_good_with_its_fields_and_the_time_of_the_list(signer: LocalSigner) -> None:
    fields = {"name": "张三", "birth_date": "1987-05-04"}
    assert device().verify(live(signer=signer), NOW) == Verdict(
        Outcome.VALID, "", SCENARIO, (Accepted(KIND, "11310000000000001X", fields),), as_of=NOW - 600
    )


def test_a_pre_issued_code_is_good_when_its_phone_shows_it() -> None:
    text = pre_issued()
    assert outcome(text) is Outcome.VALID
    assert outcome(framed(offline_code.read(text).cwt)) is Outcome.HOLDER_PROOF_MISSING
    assert outcome(pre_issued(claims(holder=PHONE), STRANGER)) is Outcome.HOLDER_PROOF_REFUSED
    assert outcome(offline_code.present(unframed(live()), PHONE, NOW)) is Outcome.HOLDER_PROOF_REFUSED


def test_a_code_is_good_once_on_a_device() -> None:
    on, of = device(), claims(holder=PHONE)
    assert outcome(pre_issued(of, at=NOW - 5), on) is Outcome.VALID
    assert outcome(pre_issued(of, at=NOW - 5), on) is Outcome.ALREADY_USED
    assert outcome(pre_issued(of, at=NOW + 3), on, NOW + 4) is Outcome.ALREADY_USED
    assert outcome(live(), on) is Outcome.VALID


def test_a_code_that_was_not_good_is_not_used_up() -> None:
    replay, text = ReplayMemory(), live()
    assert outcome(text, device(trust(), listed({4711: SUSPENDED}), replay=replay)) is Outcome.SUSPENDED
    assert outcome(text, device(replay=replay, grants={})) is Outcome.WRONG_SCENARIO
    assert outcome(text, device(replay=replay)) is Outcome.VALID


@pytest.mark.parametrize(
    "at, expected",
    [
        (NOW + 99, Outcome.VALID),
        (NOW + 100, Outcome.EXPIRED),
        (NOW - 100, Outcome.VALID),
        (NOW - 100 - CLOCK_SKEW_MAX_SECONDS, Outcome.VALID),
        (NOW - 101 - CLOCK_SKEW_MAX_SECONDS, Outcome.CLOCK_WRONG),
    ],
)
def test_a_live_code_is_good_until_it_expires_and_a_minute_of_skew_is_borne(at: int, expected: Outcome) -> None:
    verdict = device().verify(live(), at)
    assert verdict.outcome is expected
    if expected is Outcome.VALID:
        assert verdict.clock_skew_seconds == max(0, NOW - 100 - at)


@pytest.mark.parametrize(
    "shown_at, expected, skew",
    [
        (NOW - 119, Outcome.VALID, 0),
        (NOW - 120, Outcome.EXPIRED, 0),
        (NOW + CLOCK_SKEW_MAX_SECONDS, Outcome.VALID, CLOCK_SKEW_MAX_SECONDS),
        (NOW + CLOCK_SKEW_MAX_SECONDS + 1, Outcome.CLOCK_WRONG, 0),
        (NOW - 2 * DAY, Outcome.EXPIRED, 0),
    ],
)
def test_a_phones_signature_is_good_for_two_minutes(shown_at: int, expected: Outcome, skew: int) -> None:
    verdict = device().verify(pre_issued(at=shown_at), NOW)
    assert (verdict.outcome, verdict.clock_skew_seconds) == (expected, skew)


def test_a_pre_issued_code_expires_whenever_its_phone_shows_it() -> None:
    of = claims(holder=PHONE)
    assert outcome(pre_issued(of, at=of.expires_at - 2), at=of.expires_at - 1) is Outcome.VALID
    assert outcome(pre_issued(of, at=of.expires_at), at=of.expires_at) is Outcome.EXPIRED


def test_a_code_is_good_for_the_scenarios_the_device_is_granted_and_no_field_more() -> None:
    assert outcome(live(claims(scenario_code="bank"))) is Outcome.WRONG_SCENARIO
    assert outcome(live(claims(shown(kind_code="passport")))) is Outcome.WRONG_SCENARIO
    assert outcome(live(claims(shown(fields={"name": "张三", "identifier": "1.2.156"})))) is Outcome.WRONG_SCENARIO
    assert outcome(live(claims(shown(fields={"name": "张三"})))) is Outcome.VALID
    assert outcome(live(claims(shown(fields={})))) is Outcome.VALID


@pytest.mark.parametrize(
    "valid_from, valid_until, expected",
    [
        (date(2026, 3, 2), date(2026, 3, 2), Outcome.VALID),
        (date(2026, 3, 3), None, Outcome.NOT_YET_VALID),
        (date(2020, 1, 1), date(2026, 3, 1), Outcome.CERTIFICATE_EXPIRED),
        (date(2020, 1, 1), None, Outcome.VALID),
    ],
)
def test_a_certificate_is_good_from_its_first_day_through_its_last(
    valid_from: date, valid_until: date | None, expected: Outcome
) -> None:
    assert outcome(live(claims(shown(valid_from=valid_from, valid_until=valid_until)))) is expected


def test_days_are_those_of_shanghai() -> None:
    midnight = NOW - NOW % DAY + 16 * 3600
    of = claims(shown(valid_from=date(2026, 3, 3)), issued_at=midnight - 50, expires_at=midnight + 50)
    assert outcome(live(of), at=midnight - 1) is Outcome.NOT_YET_VALID
    assert outcome(live(of), at=midnight) is Outcome.VALID


def test_the_status_decides_and_an_unknown_one_is_no_yes() -> None:
    for status, expected in ((INVALID, Outcome.REVOKED), (SUSPENDED, Outcome.SUSPENDED), (3, Outcome.CANNOT_TELL)):
        assert outcome(live(), device(trust(), listed({4711: status}))) is expected
        assert outcome(live(), device(trust(), listed({4710: status, 4712: status}))) is Outcome.VALID


def test_without_a_list_that_serves_nobody_can_tell() -> None:
    elsewhere = listed(uri=f"{CITY}/status-lists/18")
    assert outcome(live(), device(trust(), elsewhere)) is Outcome.CANNOT_TELL
    assert outcome(live(), device(trust(), listed(expires_at=NOW))) is Outcome.CANNOT_TELL
    assert outcome(live(), device(trust(), listed(expires_at=NOW + 1))) is Outcome.VALID
    assert outcome(live(), device(trust(), listed(issued_at=NOW + 61))) is Outcome.CLOCK_WRONG
    beyond = claims(shown(status=StatusRef(LIST, 2**14)))
    assert outcome(live(beyond)) is Outcome.CANNOT_TELL


def test_a_certificate_without_a_status_stands_by_its_dates_alone() -> None:
    verdict = device().verify(live(claims(shown(status=None))), NOW)
    assert (verdict.outcome, verdict.as_of) == (Outcome.VALID, None)


def test_of_several_certificates_all_must_be_good() -> None:
    second = listed(uri=f"{CITY}/status-lists/18", issued_at=NOW - 900)
    both = claims(shown(), TICKET._replace(status=StatusRef(second.uri, 12)))
    verdict = device(trust(), listed(), second).verify(live(both), NOW)
    assert [(each.kind_code, each.fields) for each in verdict.certificates][1] == ("ticket", {"seat": 7})
    assert (verdict.outcome, verdict.as_of) == (Outcome.VALID, NOW - 900)
    assert outcome(live(both), device(trust(), listed())) is Outcome.CANNOT_TELL
    for statuses, expected in (({4711: INVALID}, Outcome.REVOKED), ({12: SUSPENDED}, Outcome.SUSPENDED)):
        assert outcome(live(claims(shown(), TICKET)), device(trust(), listed(statuses))) is expected
    assert outcome(live(claims(TICKET, shown(valid_until=date(2026, 3, 1))))) is Outcome.CERTIFICATE_EXPIRED
    bad_and_doubtful = claims(TICKET._replace(status=StatusRef(f"{CITY}/status-lists/99", 1)), shown())
    assert outcome(live(bad_and_doubtful), device(trust(), listed({4711: INVALID}))) is Outcome.REVOKED


def test_only_keys_that_may_sign_codes_at_that_time_are_believed() -> None:
    for refused in (
        entry(ISSUER.public, revoked_at=NOW - 50),
        entry(ISSUER.public, revoked_at=NOW + 5 * DAY),
        entry(ISSUER.public, purposes=frozenset({"status", "vc"})),
        entry(ISSUER.public, valid_from=NOW - 99),
        entry(ISSUER.public, valid_until=NOW - 100),
        entry(STRANGER.public),
    ):
        assert outcome(live(), device(trust(refused))) is Outcome.NOT_OURS
    for believed in (entry(ISSUER.public, valid_from=NOW - 100), entry(ISSUER.public, valid_until=NOW - 99)):
        assert outcome(live(), device(trust(believed))) is Outcome.VALID
    assert outcome(live(), device(trust(issuer="https://other.example"))) is Outcome.NOT_OURS


def test_every_key_with_the_same_short_id_is_tried() -> None:
    twin = LocalSigner("twin", STRANGER._private)
    twin.public.short_id = ISSUER.public.short_id
    on = device(trust(entry(twin.public), entry(ISSUER.public, valid_until=NOW - 500), entry(ISSUER.public)))
    assert outcome(live(), on) is Outcome.VALID


def test_without_a_trust_list_that_holds_nobody_can_tell() -> None:
    replay = ReplayMemory()
    assert outcome(live(), Verifier(None, {LIST: listed()}, replay, scenarios=GRANTS)) is Outcome.CANNOT_TELL
    assert outcome(live(), device(trust(expires_at=NOW))) is Outcome.CANNOT_TELL
    assert outcome(live(), device(trust(issued_at=NOW + 61))) is Outcome.CLOCK_WRONG
    assert len(replay) == 0


def test_a_kind_of_another_city_is_looked_at_as_the_kind_of_ours_it_is_recognised_as() -> None:
    theirs = claims(shown(kind_code="ka-card"))
    verdict = device(trust(kinds={"ka-card": KIND})).verify(live(theirs), NOW)
    assert (verdict.outcome, verdict.certificates[0].kind_code) == (Outcome.VALID, KIND)
    assert outcome(live(), device(trust(kinds={"ka-card": KIND}))) is Outcome.NOT_OURS
    assert outcome(live(theirs), device(trust(kinds={"ka-card": "passport"}))) is Outcome.WRONG_SCENARIO


def test_what_is_no_code_is_not_ours() -> None:
    for text in ("", "EC1:", "hello", live()[:-1], live().lower(), "HTTPS://HOST/Q/ABC"):
        assert outcome(text) is Outcome.NOT_OURS
    assert outcome(live(signer=STRANGER)) is Outcome.NOT_OURS


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3000), st.integers(0, 300)), max_size=60))
def test_no_code_is_accepted_twice_however_the_clock_runs(scans: list[tuple[int, int, int]]) -> None:
    replay, accepted = ReplayMemory(), set()
    expiry = {number: 1000 + number * 50 for number in range(41)}
    for number, now, back in scans:
        if now - back < expiry[number]:
            answer = replay.claim(bytes((number,)), expiry[number], now - back)
            assert answer is not Claim.FIRST or number not in accepted
            if answer is Claim.FIRST:
                accepted.add(number)


def test_what_expired_is_dropped_after_a_while_and_a_clock_set_back_brings_no_code_back() -> None:
    replay, of = ReplayMemory(), claims()
    on = device(replay=replay)
    assert outcome(live(of), on) is Outcome.VALID
    later = of.expires_at + KEPT_AFTER_EXPIRY_SECONDS
    assert outcome(live(claims(issued_at=later, expires_at=later + 300)), on, later) is Outcome.VALID
    assert len(replay) == 1
    assert outcome(live(of), on) is Outcome.CLOCK_WRONG


def test_a_device_that_can_remember_no_more_says_that_it_cannot_tell() -> None:
    on = device(replay=ReplayMemory(entries_max=2))
    assert [outcome(live(), on) for _ in range(3)] == [Outcome.VALID, Outcome.VALID, Outcome.CANNOT_TELL]
    later = NOW + 200 + KEPT_AFTER_EXPIRY_SECONDS
    assert outcome(live(claims(issued_at=later, expires_at=later + 9)), on, later) is Outcome.VALID
    assert ENTRIES_MAX >= 72 * 3600


def test_of_many_threads_that_scan_the_same_code_one_hears_yes() -> None:
    on, heard = device(), []
    texts = [live() for _ in range(50)]

    def scan() -> None:
        heard.extend(on.verify(text, NOW).outcome for text in texts)

    threads = [Thread(target=scan) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard.count(Outcome.VALID) == 50
    assert heard.count(Outcome.ALREADY_USED) == 150


def test_a_status_that_is_to_be_found_at_another_issuers_is_no_yes() -> None:
    elsewhere = StatusRef("https://elsewhere.example/status-lists/17", 4711)
    assert device().verify(live(claims(shown(status=elsewhere))), NOW).outcome is Outcome.NOT_OURS
