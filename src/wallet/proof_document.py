"""A certificate as a page to print, with a QR that lives as long as the document and words on how to check it.

Paper proves nothing by itself, so it carries no likeness of a seal: it says 电子证明, who issued it, and that what the
check says counts (以扫码核验结果为准).
"""

from datetime import date, datetime
from typing import Final

from msgspec import Struct

from kernel.clock import in_shanghai
from wallet import qr
from wallet.model import Words
from wallet.proof_paper import ACCENT, INNER, MARGIN, MM_PER_POINT, QUIET, WIDTH, Paper

SERVICE: Final = "随申办"
COUNTS: Final = "以扫码核验结果为准"
SORT_OF_DOCUMENT: Final = "电子证明  ELECTRONIC PROOF"
STATEMENT: Final = Words(
    "兹证明：下列内容与签发机关登记的电子证照一致。",
    "This certifies that what follows agrees with the electronic certificate on the issuing authority's register.",
)
NUMBER: Final = Words("编号", "Number")
ISSUED: Final = Words("出具日期", "Issued on")
VALID: Final = Words("有效期至", "Valid until")
UNTIL_REVOKED: Final = Words("长期，撤销即止", "until revoked")
NOTHING_BELOW: Final = "（以下空白 · nothing below this line）"
HOW_TITLE: Final = Words("如何核验", "How to check this proof")
HOW: Final = (
    Words("用手机扫描左侧二维码，或在浏览器中输入下列网址：", "Scan the code, or type this address into a browser:"),
    Words(
        "填写持有人姓名及其身份证件号码的后四位。",
        "Enter the holder's name and the last four of their ID number.",
    ),
    Words(
        "核验页答复是否一致、现时是否有效，并列出部分内容供比对。",
        "It says whether they match and whether this proof is valid now.",
    ),
)
NOTICE: Final = Words(
    "本证明以电子形式出具，不加盖实体印章。打印件、复印件和截图均以扫码核验结果为准。",
    "Issued electronically, without a physical seal. Whatever is printed, copied or captured: the check counts.",
)
LACKING: Final = Words(
    "〔U+…〕处为字库未收录的字，以其 Unicode 编码表示。",
    "〔U+…〕 stands for a character our fonts lack, by its Unicode code point.",
)
MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

SORT_TOP, TITLE_TOP, TITLE_TOP_EN, FACTS_TOP, STATEMENT_TOP, TABLE_TOP = 22.0, 29.0, 43.5, 59.0, 76.0, 90.0
TABLE_TOP_LATER = 27.0
TABLE_FOOT, TABLE_FOOT_BEFORE_OTHERS = 184.0, 266.0
"""Where rows end on the last page, which says below them who issued and how to check, and on pages before it."""
SIGNATURE_TOP, CHECK_TOP, NOTICE_TOP, FOOT_TOP = 191.0, 213.0, 260.0, 277.0
TITLE_SIZES, TITLE_SIZES_EN, TITLE_SPACING = (27.0, 21.0, 16.0, 12.0), (12.0, 9.0, 7.0), 3.0
LABEL_SIZE, LABEL_SIZE_EN, VALUE_SIZE, FACT_SIZE = 10.5, 7.5, 12.0, 9.0
LABEL_WIDTH, FACT_LABEL_WIDTH, PAGE_NUMBER_WIDTH, STEP_INDENT = 50.0, 33.0, 44.0, 4.4
VALUE_WIDTH = INNER - LABEL_WIDTH
ROW_PADDING = 1.3
ROW_CHARACTERS_MAX = 400
"""A third of a page."""
QR_SIDE = 37.0
QUIET_ZONE = QR_SIDE * qr.QUIET_ZONE / (qr.side_of(qr.VERSION_MIN) + 2 * qr.QUIET_ZONE)
BESIDE_QR = MARGIN + QR_SIDE
assert QUIET_ZONE / qr.QUIET_ZONE >= 1.0, "a module is at least a millimetre"


class ProofField(Struct, frozen=True):
    """One line of the proof."""

    label: Words
    value: str


class ProofContent(Struct, frozen=True, kw_only=True):
    """What the page says. `verify_text` is drawn as the QR; `verify_url_readable` is the same address, to be typed."""

    title: Words
    organ: Words
    fields: tuple[ProofField, ...]
    number: str
    issued_at: datetime
    valid_until: date | None
    verify_text: str
    verify_url_readable: str

    def texts(self) -> list[str]:
        """Everything on the page that is not ours."""
        words = [self.title, self.organ, *(field.label for field in self.fields)]
        values = [field.value for field in self.fields]
        return [
            *(text for both in words for text in (both.zh, both.en)),
            *values,
            self.number,
            self.verify_url_readable,
        ]


def draw(proof: ProofContent) -> bytes:
    """The PDF/A-2U file; the same content gives the same bytes. Raises `qr.NotDrawable`.

    Costs 130 to 180 ms of one core, twice that with rare characters. It keeps nothing between calls and may run in any
    thread. A character that the fonts lack stands as 〔U+2A6D6〕, and a line on the page says so.
    """
    symbol = qr.image(proof.verify_text)
    paper = Paper(title=proof.title.zh, creator=SERVICE, made_at=proof.issued_at, texts=proof.texts())
    paper.begin_page(COUNTS)
    _head(paper, proof)
    pages = _paged([row for field in proof.fields for row in _rows(paper, field)])
    for number, rows in enumerate(pages, start=1):
        if number > 1:
            paper.begin_page(COUNTS)
            _head_later(paper, proof)
        y = TABLE_TOP if number == 1 else TABLE_TOP_LATER
        for row in rows:
            y = row.draw(y)
        if number == len(pages):
            paper.text(NOTHING_BELOW, y + 2, 8, align="C", colour=QUIET)
        _foot(paper, proof, number, len(pages))
    _signature(paper, proof)
    paper.picture(symbol, MARGIN - QUIET_ZONE, CHECK_TOP + 4, QR_SIDE)
    _check(paper, proof)
    return paper.bytes()


class _Row:
    """A line of the table, measured before it is drawn, so that the end of a page never cuts it."""

    def __init__(self, paper: Paper, label: Words, value: str) -> None:
        self._paper, self._label, self._value = paper, label, value
        labels = paper.height(label.zh, LABEL_SIZE, width=LABEL_WIDTH)
        labels += paper.height(label.en, LABEL_SIZE_EN, width=LABEL_WIDTH)
        self.height = max(labels, paper.height(value, VALUE_SIZE, width=VALUE_WIDTH)) + 2 * ROW_PADDING

    def draw(self, y: float) -> float:
        """Draws it from `y` down, with a line under it; returns where the next begins."""
        paper, top = self._paper, y + ROW_PADDING
        below = paper.text(self._label.zh, top, LABEL_SIZE, width=LABEL_WIDTH, colour=QUIET)
        paper.text(self._label.en, below, LABEL_SIZE_EN, width=LABEL_WIDTH, colour=QUIET)
        paper.text(self._value, top, VALUE_SIZE, x=MARGIN + LABEL_WIDTH, width=VALUE_WIDTH)
        paper.rule(y + self.height)
        return y + self.height


def _rows(paper: Paper, field: ProofField) -> list[_Row]:
    """One row, or as many as a long value takes."""
    label = Words(paper.printable(field.label.zh), paper.printable(field.label.en))
    parts = [""]
    for character in field.value:
        shown = paper.printable(character)
        if len(parts[-1]) + len(shown) > ROW_CHARACTERS_MAX:
            parts.append("")
        parts[-1] += shown
    return [_Row(paper, label if place == 0 else Words("", ""), part) for place, part in enumerate(parts)]


def _paged(rows: list[_Row]) -> list[list[_Row]]:
    """The rows of each page; who issued and how to check stand on the last, alone if need be."""
    pages: list[list[_Row]] = [[]]
    y = TABLE_TOP
    for row in rows:
        if y + row.height > TABLE_FOOT_BEFORE_OTHERS:
            pages.append([])
            y = TABLE_TOP_LATER
        pages[-1].append(row)
        y += row.height
    return pages if y <= TABLE_FOOT else [*pages, []]


def _head(paper: Paper, proof: ProofContent) -> None:
    """The title, the number and the dates, and what is certified."""
    title = Words(paper.printable(proof.title.zh), paper.printable(proof.title.en))
    paper.text(SORT_OF_DOCUMENT, SORT_TOP, 10, align="C", colour=ACCENT, spacing=1)
    size = paper.largest_on_one_line(title.zh, TITLE_SIZES, spacing=TITLE_SPACING)
    paper.text(title.zh, TITLE_TOP, size, align="C", is_bold=True, spacing=TITLE_SPACING)
    size = paper.largest_on_one_line(title.en, TITLE_SIZES_EN)
    paper.text(title.en, TITLE_TOP_EN, size, align="C", colour=QUIET)
    paper.rule(FACTS_TOP - 4, colour=ACCENT, thickness=0.5)
    valid = UNTIL_REVOKED if proof.valid_until is None else _day(proof.valid_until)
    _fact(paper, NUMBER, paper.printable(proof.number), FACTS_TOP, MARGIN, INNER)
    _fact(paper, ISSUED, _both(_day(in_shanghai(proof.issued_at).date())), FACTS_TOP + 6, MARGIN, INNER / 2)
    _fact(paper, VALID, _both(valid), FACTS_TOP + 6, MARGIN + INNER / 2, INNER / 2)
    y = paper.text(STATEMENT.zh, STATEMENT_TOP, 12.5, is_bold=True)
    paper.text(STATEMENT.en, y, 8.5, colour=QUIET)
    paper.rule(TABLE_TOP, colour=ACCENT)


def _head_later(paper: Paper, proof: ProofContent) -> None:
    paper.text(f"{paper.printable(proof.title.zh)}（续页）", SORT_TOP - 3, 10, align="C", colour=QUIET)
    paper.rule(TABLE_TOP_LATER, colour=ACCENT)


def _fact(paper: Paper, label: Words, value: str, y: float, x: float, width: float) -> None:
    paper.text(_both(label), y, FACT_SIZE, x=x, width=FACT_LABEL_WIDTH, colour=QUIET)
    size = paper.largest_on_one_line(value, (FACT_SIZE, 7.5, 6), width=width - FACT_LABEL_WIDTH)
    drop = (FACT_SIZE - size) * MM_PER_POINT  # so that small figures stand on the same line as their label
    paper.text(value, y + drop, size, x=x + FACT_LABEL_WIDTH, width=width - FACT_LABEL_WIDTH)


def _signature(paper: Paper, proof: ProofContent) -> None:
    """Who issued it and when, where a seal would be."""
    day = _day(in_shanghai(proof.issued_at).date())
    organ = paper.printable(proof.organ.zh)
    size = paper.largest_on_one_line(organ, (14, 11, 8))
    y = paper.text(organ, SIGNATURE_TOP, size, align="R", is_bold=True)
    y = paper.text(paper.printable(proof.organ.en), y, 8, align="R", colour=QUIET)
    paper.text(day.zh, y + 0.5, 11.5, align="R")


def _check(paper: Paper, proof: ProofContent) -> None:
    """How whoever holds the paper finds out whether it is true."""
    paper.rule(CHECK_TOP, colour=ACCENT)
    width = WIDTH - MARGIN - BESIDE_QR
    y = paper.text(_both(HOW_TITLE), CHECK_TOP + 3, 11, x=BESIDE_QR, width=width, colour=ACCENT, is_bold=True) + 0.8
    address = paper.printable(proof.verify_url_readable)
    for place, step in enumerate(HOW, start=1):
        y = paper.text(f"{place}. {step.zh}", y, 9.5, x=BESIDE_QR, width=width)
        y = paper.text(step.en, y, 7.5, x=BESIDE_QR + STEP_INDENT, width=width - STEP_INDENT, colour=QUIET)
        if place == 1:
            size = paper.largest_on_one_line(address, (9, 8, 7), width=width - STEP_INDENT)
            y = paper.text(address, y, size, x=BESIDE_QR + STEP_INDENT, width=width - STEP_INDENT, colour=ACCENT)
        y += 0.6
    notices = [NOTICE, LACKING] if paper.lacks_characters else [NOTICE]
    y = NOTICE_TOP
    for notice in notices:
        y = paper.text(notice.zh, y, 9)
        y = paper.text(notice.en, y, 7, colour=QUIET)


def _foot(paper: Paper, proof: ProofContent, number: int, count: int) -> None:
    """Which page of which proof, so that a lost page is missed."""
    left = f"{SERVICE}  ·  {paper.printable(proof.number)}"
    size = paper.largest_on_one_line(left, (7.5, 6, 5), width=INNER - PAGE_NUMBER_WIDTH)
    paper.text(left, FOOT_TOP, size, width=INNER - PAGE_NUMBER_WIDTH, colour=QUIET)
    page = f"第 {number} 页，共 {count} 页  ·  {number}/{count}"
    paper.text(
        page, FOOT_TOP, 7.5, x=WIDTH - MARGIN - PAGE_NUMBER_WIDTH, width=PAGE_NUMBER_WIDTH, align="R", colour=QUIET
    )


def _both(both: Words) -> str:
    return f"{both.zh}  {both.en}"


def _day(day: date) -> Words:
    return Words(f"{day.year}年{day.month}月{day.day}日", f"{day.day} {MONTHS[day.month - 1]} {day.year}")
