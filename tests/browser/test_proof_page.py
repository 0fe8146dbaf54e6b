"""The pages behind a printed proof in a real browser at the size of a phone, under the policy they are served with."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.browser.test_first_page import browse
from wallet.model import Words
from wallet.proof_page import CONTENT_SECURITY_POLICY, Finding, MaskedField, RegisteredProof, answer_page, ask_page

NOW = datetime(2025, 3, 1, 18, 30, 12, tzinfo=UTC)
PROOF = RegisteredProof(
    title=Words("无犯罪记录证明", "Certificate of No Criminal Record"),
    organ=Words("示例市公安局", "Example City Public Security Bureau"),
    issued_at=NOW,
    valid_until=None,
    fields=(MaskedField(Words("姓名", "Name"), "林••"),),
)
PAGES = {"/ask": ask_page(), "/answer": answer_page(Finding.VALID, checked_at=NOW, proof=PROOF)}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES.get(self.path)
        self.send_response(200 if page else 204)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *said: object) -> None:
        del said


@pytest.fixture
def pages_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("path, words", [("/ask", "身份证件号码后四位"), ("/answer", "一致，现时有效")])
def test_the_page_draws_without_complaint(pages_url: str, tmp_path: Path, path: str, words: str) -> None:
    page, complaints = browse(f"{pages_url}{path}", tmp_path, milliseconds=1_000)
    assert words in page
    assert complaints == []
