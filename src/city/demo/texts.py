"""Texts of the parks department, as it wrote them and an operator approved them: by SMS, by e-mail, to the inbox."""

from typing import Final

from msgspec import Struct

from notifications.texts.model import Content, TextSort, Words
from notifications.texts.placeholders import Day, Moment, Name, Text


class DemoText(Struct, frozen=True):
    """A text of the demo city: under which slug its id is made, whose it is, and what it says."""

    slug: str
    department: str
    sort: TextSort
    content: Content


PARKS: Final = "parks"
TEXTS: Final = (
    DemoText(
        "parks/pass_ready",
        PARKS,
        TextSort.SMS,
        Content(
            name="年票可领取",
            lane="result",
            zh=Words("((name))，您的公园年票已办好，请于((until))前到((place))领取。"),
            en=Words("((name)), your park pass is ready. Collect it at ((place)) by ((until))."),
            placeholders={"name": Name(), "until": Day(), "place": Text(40)},
            signature="绿化市容局",
        ),
    ),
    DemoText(
        "parks/pass_ready_mail",
        PARKS,
        TextSort.EMAIL,
        Content(
            name="年票可领取（邮件）",
            lane="result",
            zh=Words("((name))：\n\n您的公园年票已办好，请于((until))前到((place))领取。", "您的公园年票已办好"),
            en=Words(
                "((name)),\n\nyour park pass is ready. Collect it at ((place)) by ((until)).", "Your park pass is ready"
            ),
            placeholders={"name": Name(), "until": Day(), "place": Text(40)},
        ),
    ),
    DemoText(
        "parks/park_closed",
        PARKS,
        TextSort.NOTICE,
        Content(
            name="公园临时闭园",
            lane="change",
            zh=Words("((park))因((reason))将于((from))起临时闭园，开放时间另行通知。", "((park))临时闭园"),
            en=Words("((park)) closes from ((from)) until further notice: ((reason)).", "((park)) is closed"),
            placeholders={"park": Name(), "reason": Text(60), "from": Moment()},
            signature="绿化市容局",
        ),
    ),
)
"""In the order they are planted."""
