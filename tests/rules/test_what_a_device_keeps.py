"""A device keeps what was signed by whom it trusts, and never goes back to something older."""

import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import qrcode

from suishenban_verify import command, fetching, status_list, trust_list
from suishenban_verify.bundle import Bundle, BundleRefused, Older, keys_of_set
from suishenban_verify.fetching import CannotFetch
from suishenban_verify.remembering import Scan
from suishenban_verify.replay import ReplayMemory
from suishenban_verify.signatures import LocalSigner, b64url, thumbprint
from suishenban_verify.status_list import INVALID, StatusList
from suishenban_verify.trust_list import TrustList
from suishenban_verify.verifying import Outcome
from tests.builders_offline import CITY, DAY, ED_ISSUER, GRANTS, ISSUER, LIST, NOW, STRANGER, entry, live, trust
from tests.signing_keys import eddsa, es256
from wallet import qr

ROOT, NEXT_ROOT, LISTER = es256(31, "root-1"), eddsa(32, "root-2"), es256(33, "lists-1")
SCENARIOS = json.loads(json.dumps(GRANTS))


def city_trust(sequence: int = 7, roots: tuple[LocalSigner, ...] = (ROOT,), **changes: Any) -> TrustList:
    lists = entry(LISTER.public, purposes=frozenset({trust_list.STATUS}))
    made = trust(entry(ISSUER.public), entry(ED_ISSUER.public), lists)
    return replace(made, sequence=sequence, roots=tuple(root.public for root in roots), **changes)


def signed_list(
    issued_at: int = NOW - 60, statuses: dict[int, int] | None = None, *, uri: str = LIST, signer: LocalSigner = LISTER
) -> str:
    values = StatusList(2, 2**14)
    for index, status in (statuses or {}).items():
        values.set(index, status)
    return status_list.publish_jwt(
        values, uri=uri, issued_at=issued_at, expires_at=issued_at + DAY, ttl_seconds=60, signer=signer
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A device that pins the first root, and holds a trust list, a status list and its grants."""
    made = Bundle(tmp_path / "device")
    made.pin([ROOT.public])
    held = made.keep_trust(trust_list.sign(city_trust(), ROOT), NOW)
    made.keep_list(signed_list(), uri=LIST, trust=held, now=NOW)
    made.keep_scenarios(SCENARIOS)
    return made


def outcome(bundle: Bundle, text: str | None = None, now: int = NOW) -> Outcome:
    return Bundle(bundle.path).verifier(ReplayMemory(), now).verify(text or live(), now).outcome


def test_a_device_verifies_with_what_it_keeps(bundle: Bundle) -> None:
    assert outcome(bundle) is Outcome.VALID
    held = bundle.trust(NOW)
    assert held is not None
    bundle.keep_list(signed_list(NOW - 30, {4711: INVALID}), uri=LIST, trust=held, now=NOW)
    assert outcome(bundle) is Outcome.REVOKED


def test_a_trust_list_is_kept_only_if_a_pinned_root_signed_it_and_it_is_newer(bundle: Bundle) -> None:
    for refused in (
        trust_list.sign(city_trust(8), STRANGER),
        trust_list.sign(city_trust(8), ISSUER),
        trust_list.sign(city_trust(8, expires_at=NOW), ROOT),
        "nonsense",
    ):
        with pytest.raises(BundleRefused):
            bundle.keep_trust(refused, NOW)
    with pytest.raises(Older):
        bundle.keep_trust(trust_list.sign(city_trust(6), ROOT), NOW)
    with pytest.raises(Older):
        bundle.keep_trust(trust_list.sign(city_trust(7, issued_at=NOW - 5), ROOT), NOW)
    assert bundle.keep_trust(trust_list.sign(city_trust(8), ROOT), NOW).sequence == 8
    assert outcome(bundle) is Outcome.VALID


def test_an_older_trust_list_is_refused_even_after_the_newer_one_has_expired(bundle: Bundle) -> None:
    later = NOW + 8 * DAY
    assert bundle.trust(later) is None
    assert outcome(bundle, now=later) is Outcome.CANNOT_TELL
    with pytest.raises(Older):
        bundle.keep_trust(trust_list.sign(city_trust(6, expires_at=later + DAY), ROOT), later)


def test_a_root_announced_before_may_sign_the_next_list_and_one_left_out_may_not(bundle: Bundle) -> None:
    bundle.keep_trust(trust_list.sign(city_trust(8, (ROOT, NEXT_ROOT)), ROOT), NOW)
    bundle.keep_trust(trust_list.sign(city_trust(9, (NEXT_ROOT,)), NEXT_ROOT), NOW)
    with pytest.raises(BundleRefused):
        bundle.keep_trust(trust_list.sign(city_trust(10), ROOT), NOW)
    assert [root.key_id for root in Bundle(bundle.path).roots()] == ["root-2"]
    assert outcome(bundle) is Outcome.VALID


def test_pinning_other_roots_starts_anew_and_the_same_ones_change_nothing(bundle: Bundle) -> None:
    bundle.pin([ROOT.public])
    assert bundle.trust(NOW) is not None
    bundle.pin([STRANGER.public])
    assert bundle.trust(NOW) is None
    assert bundle.keep_trust(trust_list.sign(city_trust(1, (STRANGER,)), STRANGER), NOW).sequence == 1


def test_a_status_list_is_kept_only_if_its_issuer_signed_it_and_it_is_no_older(bundle: Bundle) -> None:
    held = bundle.trust(NOW)
    assert held is not None
    for refused in (
        signed_list(signer=ISSUER),
        signed_list(signer=STRANGER),
        signed_list(uri=f"{CITY}/status-lists/18"),
        signed_list(NOW - 2 * DAY),
        "nonsense",
    ):
        with pytest.raises(BundleRefused):
            bundle.keep_list(refused, uri=LIST, trust=held, now=NOW)
    with pytest.raises(Older):
        bundle.keep_list(signed_list(NOW - 61), uri=LIST, trust=held, now=NOW)
    for uri in ("https://suishenban.example.evil/status-lists/1", "https://other.example/1"):
        with pytest.raises(BundleRefused):
            bundle.keep_list(signed_list(uri=uri), uri=uri, trust=held, now=NOW)


def test_a_list_whose_key_is_revoked_tells_nothing_any_more(bundle: Bundle) -> None:
    revoked = entry(LISTER.public, purposes=frozenset({trust_list.STATUS}), revoked_at=NOW)
    without = trust(entry(ISSUER.public), revoked, sequence=8, roots=(ROOT.public,))
    bundle.keep_trust(trust_list.sign(without, ROOT), NOW)
    assert outcome(bundle) is Outcome.CANNOT_TELL


def test_lists_that_ended_and_a_directory_without_roots_tell_nothing(bundle: Bundle, tmp_path: Path) -> None:
    assert outcome(bundle, now=NOW + DAY) is Outcome.EXPIRED
    later = NOW + DAY
    held = bundle.trust(later)
    assert held is not None
    assert bundle.lists(held, later) == {}
    with pytest.raises(BundleRefused, match="pins no root"):
        Bundle(tmp_path / "other").verifier(ReplayMemory(), NOW)


@pytest.mark.parametrize("name", ["trust.json", "scenarios.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":1,"a":2}', b'{"roots":5}'])
def test_a_damaged_file_is_never_a_yes(bundle: Bundle, name: str, content: bytes) -> None:
    (bundle.path / name).write_bytes(content)
    with pytest.raises(BundleRefused):
        outcome(bundle)


def test_every_change_of_a_kept_trust_list_is_noticed(bundle: Bundle) -> None:
    file = bundle.path / "trust.json"
    whole = json.loads(file.read_bytes())
    for at in range(0, len(whole["token"]), 7):
        changed = whole["token"][:at] + ("A" if whole["token"][at] != "A" else "B") + whole["token"][at + 1 :]
        file.write_text(json.dumps(whole | {"token": changed}))
        with pytest.raises(BundleRefused):
            bundle.trust(NOW)


class City:
    """A city's answers, on loopback."""

    def __init__(self) -> None:
        self.trust = trust_list.sign(city_trust(), ROOT)
        self.lists = {f"{CITY}/status-lists/17": signed_list(), f"{CITY}/status-lists/18": "broken"}
        self.asked: list[tuple[str, str, str | None]] = []
        self.uploads: list[dict[str, Any]] = []
        self.scenarios: dict[str, Any] = SCENARIOS
        self.redirect = False

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        if self.redirect:
            return 302, b""
        if path == "/.well-known/trust-list":
            return 200, self.trust.encode()
        if path == "/status-lists":
            return 200, json.dumps({"status_lists": list(self.lists)}).encode()
        if path == "/venue/bundle":
            return 200, json.dumps({"city": CITY, "scenarios": self.scenarios}).encode()
        if path == "/venue/offline-scans":
            scans = json.loads(body)["scans"]
            self.uploads.append(scans)
            answers = [{"use_id": each["use_id"], "result": "recorded", "findings": []} for each in scans]
            answers[0]["findings"] = ["double_use"]
            return 200, json.dumps({"scans": answers}).encode()
        if path == "/endless":
            return 200, bytes(fetching.ANSWER_BYTES_MAX + 1)
        served = self.lists.get(f"{CITY}{path}")
        return (404, b"") if served is None else (200, served.encode())


@pytest.fixture
def served() -> Iterator[tuple[City, str]]:
    city = City()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            city.asked.append((self.path, self.headers["Accept"], self.headers["Authorization"]))
            status, answer = city.answer(self.path, body)
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815 -- the standard library's name

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield city, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_update_brings_what_can_be_believed_and_names_what_cannot(tmp_path: Path, served: tuple[City, str]) -> None:
    city, url = served
    bundle = Bundle(tmp_path / "device")
    bundle.pin([ROOT.public])
    done = fetching.update(bundle, f"{url}/", NOW, token="secret")
    assert (done.trust.sequence, done.lists, len(done.problems)) == (7, 1, 1)
    assert "status-lists/18" in done.problems[0]
    assert ("/venue/bundle", "*/*", "Bearer secret") in city.asked
    assert ("/status-lists/17", "application/statuslist+jwt", None) in city.asked
    assert outcome(bundle) is Outcome.VALID


def test_a_city_that_cannot_be_reached_or_redirects_or_floods_is_told_plainly(
    bundle: Bundle, served: tuple[City, str]
) -> None:
    city, url = served
    with pytest.raises(CannotFetch, match="bytes"):
        fetching.fetch(f"{url}/endless")
    with pytest.raises(CannotFetch, match="404"):
        fetching.fetch(f"{url}/nothing")
    city.redirect = True
    with pytest.raises(CannotFetch, match="302"):
        fetching.update(bundle, url, NOW)
    for wrong in ("file:///etc/hostname", "ftp://127.0.0.1/x", "127.0.0.1"):
        with pytest.raises(CannotFetch, match="http"):
            fetching.fetch(wrong)
    with pytest.raises(CannotFetch, match="reached"):
        fetching.fetch("http://127.0.0.1:1/")


def test_scans_are_uploaded_a_thousand_at_a_time_and_then_forgotten(bundle: Bundle, served: tuple[City, str]) -> None:
    city, url = served
    memory = bundle.memory()
    for at in range(1_001):
        memory.owe(Scan("EC1:TEST", f"id-{at}", NOW, "valid"))
    done = fetching.upload(memory, url, "secret")
    assert (done.sent, done.findings) == (1_001, (("id-0", ("double_use",)), ("id-1000", ("double_use",))))
    assert [len(scans) for scans in city.uploads] == [1_000, 1]
    assert city.uploads[1] == [
        {"code": "EC1:TEST", "use_id": "id-1000", "scanned_at": "2026-03-02T01:01:40+00:00", "verdict": "valid"}
    ]
    assert memory.count_owed() == 0
    memory.close()


class Command:
    """The command on a clock of the test's own."""

    def __init__(self, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capsys = capsys
        self._ids = count(1)
        self.now = NOW

    def __call__(self, *words: str, given: str = "") -> tuple[int, str, str]:
        code = command.main(
            [*words, "--bundle", str(self.path)],
            prog="suishenban-verify", clock=lambda: self.now, fresh_id=lambda: f"id-{next(self._ids)}",
            source=io.StringIO(given),
        )  # fmt: skip
        return code, *self._capsys.readouterr()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path / "device", capsys)


def test_a_venues_first_ten_minutes(run: Command, served: tuple[City, str], tmp_path: Path) -> None:
    city, url = served
    del city.lists[f"{CITY}/status-lists/18"]
    keys, token = tmp_path / "roots.json", tmp_path / "token"
    keys.write_text(json.dumps({"keys": [dict(ROOT.public.jwk)]}))
    token.write_text("secret\n")
    text = live()
    assert run(text)[0] == command.CANNOT_TELL
    assert run("roots", "--pin", str(keys))[:2] == (0, f"root-1  ES256  {b64url(thumbprint(ROOT.public.jwk))}\n")
    assert run(text)[:2] == (2, "NO   cannot_tell: no trust list that still holds\n")
    assert run("update", "--city", url, "--token-file", str(token))[0] == 0
    code, said, _ = run(text)
    assert code == 0
    assert said == (
        "YES  valid\n     id-card, issued by 11310000000000001X, for hotel-check-in\n"
        "       name: 张三\n       birth_date: 1987-05-04\n     not withdrawn as of 2026-03-02 09:00:40 +08:00\n"
    )
    assert run(text)[:2] == (1, "NO   already_used: it was accepted here before\n")
    assert run("upload", "--city", url, "--token-file", str(token))[:2] == (0, "3 scans sent\nid-1: double_use\n")
    assert [scan["verdict"] for scan in city.uploads[0]] == ["cannot_tell", "valid", "already_used"]


def test_a_scanner_sends_a_code_a_line_and_only_all_good_is_zero(bundle: Bundle, run: Command) -> None:
    first, second = live(), live()
    code, said, _ = run("code", "-", "--json", given=f"{first}\r\n\n{second}\n")
    answers = [json.loads(line) for line in said.splitlines()]
    assert (code, [answer["outcome"] for answer in answers]) == (0, ["valid", "valid"])
    assert answers[0]["certificates"] == [
        {
            "kind_code": "id-card",
            "issuer_code": "11310000000000001X",
            "fields": {"birth_date": "1987-05-04", "name": "张三"},
        }
    ]
    code, said, _ = run("-", given=f"{live()}\n{first}\nnonsense\n")
    assert (code, [line[:4] for line in said.splitlines() if line[0] != " "]) == (1, ["YES ", "NO  ", "NO  "])


def test_a_code_is_read_from_a_picture(bundle: Bundle, run: Command, tmp_path: Path) -> None:
    file = tmp_path / "code.png"
    with file.open("wb") as picture:
        qrcode.make(live(), error_correction=qrcode.constants.ERROR_CORRECT_M).save(picture)
    assert run("--image", str(file))[0] == 0
    (tmp_path / "none.png").write_bytes(qr.png("HTTPS://A/Q/AAAA")[:100])
    code, _, said = run("--image", str(tmp_path / "none.png"))
    assert (code, "picture" in said) == (2, True)


def test_who_has_pinned_nothing_is_told_how(run: Command, served: tuple[City, str], tmp_path: Path) -> None:
    _, url = served
    (tmp_path / "token").write_text("secret\n")
    for words in ((live(),), ("update", "--city", url), ("upload", "--city", url, "--token-file", "x"), ("roots",)):
        code, said, problem = run(*words)
        assert (code, said) == (2, "")
        assert "pins no root keys" in problem
        assert f"suishenban-verify roots --pin FILE --bundle {run.path}" in problem
        assert problem.count("\n") == 1


def test_who_is_granted_nothing_is_told_how_to_ask(run: Command, served: tuple[City, str], tmp_path: Path) -> None:
    city, url = served
    del city.lists[f"{CITY}/status-lists/18"]
    (tmp_path / "roots.json").write_text(json.dumps({"keys": [dict(ROOT.public.jwk)]}))
    (tmp_path / "token").write_text("secret\n")
    run("roots", "--pin", str(tmp_path / "roots.json"))
    code, said, hint = run("update", "--city", url)
    assert (code, said.splitlines()[-1]) == (0, "0 scenarios granted")
    assert "--token-file" in hint
    city.scenarios = {}
    code, said, hint = run("update", "--city", url, "--token-file", str(tmp_path / "token"))
    assert (code, said.splitlines()[-1]) == (0, "0 scenarios granted")
    assert "--token-file" not in hint
    assert "operator" in hint
    city.scenarios = SCENARIOS
    assert run("update", "--city", url, "--token-file", str(tmp_path / "token"))[::2] == (0, "")


def test_the_help_says_what_to_do_first_and_what_the_exit_codes_mean(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--help"], ["update", "--help"]):
        with pytest.raises(SystemExit) as ended:
            command.main(words, prog="./run verify", clock=lambda: NOW, fresh_id=str)
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert "Only 0 is a yes" in shown
        assert "--token-file" in shown


def test_what_cannot_be_done_is_told_in_a_sentence(bundle: Bundle, run: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    for words in (
        ("code",),
        ("code", "EC1:", "--image", "x"),
        ("update", "--city", "http://127.0.0.1:1"),
        ("upload", "--city", "http://127.0.0.1:1", "--token-file", str(tmp_path / "empty")),
        ("roots", "--pin", str(tmp_path / "empty")),
        ("roots", "--pin", str(tmp_path / "nowhere")),
    ):
        code, said, problem = run(*words)
        assert (code, said) == (2, "")
        assert problem.startswith("suishenban-verify: ")
        assert problem.count("\n") == 1
    with pytest.raises(BundleRefused):
        keys_of_set({"keys": []})
