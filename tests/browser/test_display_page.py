"""The display of an office's hall in a real browser, under the policy it is served with, following its events."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import msgspec
import pytest

from appointments.desk.display.boards import Board, CalledOnBoard, CounterOnBoard, LineOnBoard, event_of
from appointments.desk.display.page import CONTENT_SECURITY_POLICY, board_page
from appointments.desk.hall.model import TicketLane, TicketStage
from tests.browser.test_first_page import browse

NOW = datetime(2026, 3, 5, 2, 0, tzinfo=UTC)
EMPTY = Board("徐汇区政务服务中心", "Xuhui Service Centre", NOW, [], [], [])
BUSY = msgspec.structs.replace(
    EMPTY,
    counters=[CounterOnBoard(3, "Y001", TicketStage.CALLED, 1, NOW)],
    last_called=[CalledOnBoard("Y001", 3, NOW)],
)


def crowded(counters: int, services: int) -> Board:
    """A hall where everything has been said that a screen has to show."""
    return msgspec.structs.replace(
        EMPTY,
        counters=[CounterOnBoard(n, f"B{n:03d}", TicketStage.SERVING, 1, NOW) for n in range(1, counters + 1)],
        last_called=[CalledOnBoard(f"Y{n:03d}", n, NOW) for n in range(1, 7)],
        lines=[
            LineOnBoard(
                uuid4(), f"往来港澳台通行证补发换发{n}", f"Renewal of travel permits {n}", {TicketLane.WALK_IN: 17}, 250
            )
            for n in range(services)
        ],
    )


CROWDED = {"usual": crowded(6, 3), "busy": crowded(16, 8), "full": crowded(40, 30)}
ANSWERS = {
    "/offices/1/board": ("text/html; charset=utf-8", board_page(EMPTY).encode()),
    "/offices/1/display": ("application/json", msgspec.json.encode(BUSY)),
    "/offices/1/display/events": ("text/event-stream", event_of(BUSY)),
}
"""The page is drawn empty; then somebody is called."""
WALL = """<!doctype html><iframe src="/walls/{hall}/board" width="{width}" height="{height}"></iframe><p id="said"></p>
<script>
const seen = new Set(), wrong = new Set();
let looks = 0;
setInterval(() => {{
  const hall = document.querySelector("iframe").contentDocument;
  if (!hall?.getElementById("lines")?.children.length) return;
  hall.querySelector(".offline").style.display = "block";
  if (looks++ < 12) return;  // it has been looked at whether all fits
  for (const one of hall.querySelectorAll("header, .offline, #counters li, #last li, #lines li, #beside section")) {{
    if (one.hidden) continue;
    const box = one.getBoundingClientRect();
    if (box.bottom > {height} || box.right > {width}) wrong.add(one.textContent);
    if (one.closest("#lines")) seen.add(one.querySelector("[lang=en]").textContent);
  }}
  const sizes = [...hall.querySelectorAll("#counters b")].map(number => parseInt(getComputedStyle(number).fontSize));
  document.getElementById("said").textContent =
    `seen ${{seen.size}} cut ${{wrong.size}} smallest ${{Math.min(...sizes)}} ` + [...wrong].join("; ");
}}, 700);
</script>"""
"""A wall with a screen of so many pixels on it, cut off from the city, and somebody who notes what is shown there."""


class City(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        media, body = ANSWERS.get(self.path) or self.on_the_wall()
        self.send_response(200 if body else 204)
        self.send_header("Content-Type", media)
        if self.path in ANSWERS:
            self.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        self.end_headers()
        self.wfile.write(body)

    def on_the_wall(self) -> tuple[str, bytes]:
        match self.path.strip("/").split("/"):
            case ["walls", hall, "display", "events"]:
                return "text/event-stream", event_of(CROWDED[hall])
            case ["walls", hall, width, height]:
                return "text/html; charset=utf-8", WALL.format(hall=hall, width=width, height=height).encode()
            case ["walls", hall, "board"]:
                return "text/html; charset=utf-8", board_page(CROWDED[hall]).encode()
            case ["walls", hall, "display"]:
                return "application/json", msgspec.json.encode(CROWDED[hall])
            case _:
                return "text/plain", b""

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


@pytest.mark.parametrize(
    ("hall", "services", "width", "height"),
    [("usual", 3, 1920, 1080), ("busy", 8, 1280, 720), ("full", 30, 1920, 1080), ("full", 30, 1280, 720)],
)
def test_nothing_is_cut_off_on_the_screen_of_a_hall_and_every_service_has_its_turn(
    city_url: str, tmp_path: Path, hall: str, services: int, width: int, height: int
) -> None:
    page, complaints = browse(f"{city_url}/walls/{hall}/{width}/{height}", tmp_path, milliseconds=75_000)
    said = re.search(r'id="said">seen (\d+) cut (\d+) smallest (\d+) ([^<]*)<', page)
    assert said, page
    seen, cut, smallest = map(int, said.groups()[:3])
    assert (seen, cut) == (services, 0), said[4]
    assert smallest >= height // 36, "a number is to be read from the last row"
    assert complaints == []
