"""The display of an office's hall in a real browser, under the policy it is served with, following its events."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from appointments.desk.display.boards import Board, CalledOnBoard, CounterOnBoard, event_of
from appointments.desk.display.page import CONTENT_SECURITY_POLICY, board_page
from appointments.desk.hall.model import TicketStage
from tests.browser.test_first_page import browse

NOW = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
EMPTY = Board("徐汇区政务服务中心", "Xuhui Service Centre", NOW, [], [], [])
BUSY = msgspec.structs.replace(
    EMPTY,
    counters=[CounterOnBoard(3, "Y001", TicketStage.CALLED, 1, NOW)],
    last_called=[CalledOnBoard("Y001", 3, NOW)],
)
ANSWERS = {
    "/offices/1/board": ("text/html; charset=utf-8", board_page(EMPTY).encode()),
    "/offices/1/display": ("application/json", msgspec.json.encode(BUSY)),
    "/offices/1/display/events": ("text/event-stream", event_of(BUSY)),
}
"""The page is drawn empty; then somebody is called."""


class City(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        media, body = ANSWERS.get(self.path, ("text/plain", b""))
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", media)
        self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said: object) -> None:
        del said


@pytest.fixture
def city_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), City) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_display_shows_who_is_called_without_being_asked(city_url: str, tmp_path: Path) -> None:
    page, complaints = browse(f"{city_url}/offices/1/board", tmp_path, milliseconds=2_000)
    assert "徐汇区政务服务中心" in page
    assert "请到窗口 Please come" in page
    assert ">Y001<" in page
    assert complaints == []
