"""The resident sees the wallet and asks for codes: as text, as SVG, as PNG."""

import io
import re
from typing import Any, Final

import msgspec
import zxingcpp
from PIL import Image, ImageDraw

from city.journey.calling import JSON, Caller
from city.journey.issuing import CONCESSION, IDENTITY_CARD, INSURANCE
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage, moment, now
from city.journey.telling import Broken, Story
from gateway.demo.cast import PlayedPerson

CODE: Final = re.compile(r"HTTPS://[A-Z0-9.-]{1,24}(?::[0-9]{1,5})?/Q/[A-Z2-7]{26}")
SCENARIO_OF: Final = {
    IDENTITY_CARD: "station.entry",
    INSURANCE: "hospital.registration",
    CONCESSION: "museum.concession",
}
PIXELS_PER_MODULE: Final = 8
SHOWN_SECONDS_MAX: Final = 300


class Shown(msgspec.Struct, frozen=True):
    """A code as a venue's scanner read it, for which scenario, and of which certificate."""

    text: str
    scenario_code: str
    certificate: Issued


async def play(stage: Stage, person: PlayedPerson, me: SignedIn, issued: dict[str, Issued]) -> dict[str, Shown]:
    """Find what was issued, and ask for a code of each in another form; the codes by the kind's name."""
    story = stage.story
    story.act("The wallet has what was issued, and shows it")
    with story.step("The wallet lists the certificates"):
        listed = (await me.app.get("/resident/certificates")).content["certificates"]
        states = {one["certificate_id"]: one["state"] for one in listed}
        seen = {kind: states.get(one.certificate_id) for kind, one in issued.items()}
        story.equal("all that was issued is in the wallet", expected=dict.fromkeys(issued, "issued"), seen=seen)
        story.holds(
            "no ID number stands on the list, where others look on",
            person.id_number not in str(listed),
            expected="masked values",
            seen="the ID number",
        )
    with story.step("One certificate, opened, says what its department wrote"):
        card = issued[IDENTITY_CARD]
        opened = (await me.app.get(f"/resident/certificates/{card.certificate_id}")).content
        values = {one["name"]: one["value"] for one in opened["values"]}
        story.equal("it says exactly what was issued", expected=card.values, seen=values)
        story.holds(
            "its identifier is one of GB/T 36904",
            opened["identifier"].startswith(f"1.2.156.3005.2.{card.kind_code}."),
            expected=f"1.2.156.3005.2.{card.kind_code}.…",
            seen=opened["identifier"],
        )
    codes = {
        IDENTITY_CARD: await _as_text(stage, me.app, issued[IDENTITY_CARD]),
        INSURANCE: await _as_svg(stage, me.app, issued[INSURANCE]),
        CONCESSION: await _as_png(stage, me.app, issued[CONCESSION]),
    }
    addresses = {code.text[: code.text.index("/Q/")] for code in codes.values()}
    story.equal("text and images name the same city", expected=1, seen=len(addresses))
    return codes


async def ask_for_code(app: Caller, certificate: Issued, scenario: str, *, fields: list[str] | None = None) -> Any:
    """A fresh code as the app gets it: the text to draw, and until when."""
    body: dict[str, Any] = {"scenario_code": scenario}
    if fields is not None:
        body["fields"] = fields
    return (await app.post(f"/resident/certificates/{certificate.certificate_id}/codes", body, status=201)).content


async def _as_text(stage: Stage, app: Caller, certificate: Issued) -> Shown:
    story, scenario = stage.story, SCENARIO_OF[certificate.name_zh]
    with story.step(f"A code of the {certificate.name_zh}, as text"):
        shown = await ask_for_code(app, certificate, scenario)
        _check_text(story, shown["text"])
        seconds = (moment(shown["shown_until"]) - now()).total_seconds()
        story.holds(
            "a code is shown for a minute or so",
            0 < seconds <= SHOWN_SECONDS_MAX,
            expected="a moment ahead",
            seen=shown["shown_until"],
        )
        story.holds(
            "a slow scanner turns nobody away: it is accepted longer than shown",
            moment(shown["accepted_until"]) > moment(shown["shown_until"]),
            expected=f"after {shown['shown_until']}",
            seen=shown["accepted_until"],
        )
    return Shown(shown["text"], scenario, certificate)


async def _as_svg(stage: Stage, app: Caller, certificate: Issued) -> Shown:
    story, scenario = stage.story, SCENARIO_OF[certificate.name_zh]
    with story.step(f"A code of the {certificate.name_zh}, as SVG"):
        path, body = f"/resident/certificates/{certificate.certificate_id}/codes", {"scenario_code": scenario}
        answer = await app.post(path, body, status=201, accept="image/svg+xml")
        story.equal("the SVG that was asked for comes", expected="image/svg+xml", seen=answer.media)
        text = _read_symbol(story, _drawn(answer.body.decode()))
    return Shown(text, scenario, certificate)


async def _as_png(stage: Stage, app: Caller, certificate: Issued) -> Shown:
    story, scenario = stage.story, SCENARIO_OF[certificate.name_zh]
    with story.step(f"A code of the {certificate.name_zh}, as PNG"):
        path, body = f"/resident/certificates/{certificate.certificate_id}/codes", {"scenario_code": scenario}
        answer = await app.post(path, body, status=201, accept=f"image/png, {JSON};q=0.5")
        story.equal("the PNG that was asked for comes", expected="image/png", seen=answer.media)
        text = _read_symbol(story, Image.open(io.BytesIO(answer.body)))
    return Shown(text, scenario, certificate)


def _check_text(story: Story, text: str) -> None:
    story.holds(
        "the text is an address in capitals with 26 characters of base32",
        CODE.fullmatch(text) is not None,
        expected=CODE.pattern,
        seen=text,
    )


def _read_symbol(story: Story, image: Image.Image) -> str:
    """What an independent reader (ZXing) finds in the image. Raises Broken."""
    found = zxingcpp.read_barcodes(image)
    if len(found) != 1:
        raise Broken("a scanner reads the image", "one code", f"{len(found)} codes")
    story.equal("a scanner reads the image", expected="QR Code", seen=str(found[0].format))
    story.equal("the code is as small as it can be: version 3, level M", expected=("3", "M"), seen=_size(found[0]))
    _check_text(story, found[0].text)
    return str(found[0].text)


def _size(barcode: Any) -> tuple[str, str]:
    return str(barcode.extra["Version"]), str(barcode.extra["ECLevel"])


def _drawn(svg: str) -> Image.Image:
    """The SVG as pixels. It is one path of runs a unit high on white, which needs no renderer."""
    box = re.search(r'viewBox="0 0 (\d+) (\d+)"', svg)
    dark = re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", svg)
    if box is None or not dark:
        raise Broken("the SVG is a QR code", "a path of runs", svg)
    image = Image.new("L", (int(box[1]) * PIXELS_PER_MODULE, int(box[2]) * PIXELS_PER_MODULE), 255)
    brush = ImageDraw.Draw(image)
    for x, y, length in ((int(number) * PIXELS_PER_MODULE for number in run) for run in dark):
        brush.rectangle((x, y, x + length - 1, y + PIXELS_PER_MODULE - 1), fill=0)
    return image
