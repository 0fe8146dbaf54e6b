"""The paper a proof is drawn on: A4, two embedded fonts, a frame, and the verbs that put text on it.

The file is PDF/A-2U (ISO 19005-2): every character is embedded and can be copied out as text, and nothing tells of the
machine that drew it. All lengths are millimetres, all sizes of type points.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from PIL import Image

if TYPE_CHECKING:
    from fpdf import FPDF

Align = Literal["L", "C", "R"]
Colour = tuple[int, int, int]

FONTS: Final = Path(__file__).parent / "fonts"
COMMON = "common"
"""All of GB 2312, 7,834 characters: a page costs a third of what it costs with both fonts."""
RARE = "rare"
"""What GB 18030-2022 asks beyond it at level 2, 21,333 characters, for names; opened when a text has one."""

WIDTH, HEIGHT = 210.0, 297.0
MARGIN = 25.0
INNER = WIDTH - 2 * MARGIN
FRAMES = (11.0, 0.6), (12.4, 0.15)
"""Inset and thickness of the two lines around the page."""
BOLD = 0.03
"""Outline that makes a heavier face of the one we embed, in parts of the size."""
LINE_HEIGHT = 1.36
"""Of the size of the type."""
MM_PER_POINT = 25.4 / 72
INK: Colour = (24, 28, 36)
QUIET: Colour = (92, 100, 112)
ACCENT: Colour = (28, 62, 112)
HAIRLINE: Colour = (203, 209, 217)
WATERMARK: Colour = (234, 238, 243)
WATERMARK_SIZE = 27
WATERMARKS = (36.0, 140.0), (104.0, 178.0), (108.0, 266.0)
"""Where each begins, clear of the QR."""
WATERMARK_DEGREES = 32


class Paper:
    """The pages of one document. Not to be shared between threads; any number may be drawn at once."""

    def __init__(self, *, title: str, creator: str, made_at: datetime, texts: Iterable[str]) -> None:
        """`texts` is all that will be asked of `printable`: it decides whether the rare font is opened."""
        assert made_at.tzinfo is not None
        made_at = made_at.astimezone(UTC).replace(microsecond=0)
        self.lacks_characters = False
        self._pdf = pdf = _blank()
        pdf.set_auto_page_break(False)
        pdf.set_margin(0)
        pdf.c_margin = 0
        pdf.set_lang("zh-CN")
        pdf.set_title(title)
        pdf.set_creator(creator)
        pdf.set_creation_date(made_at)
        pdf.set_xmp_metadata(_xmp(title, creator, made_at))
        self._shows = self._open(COMMON)
        if not {ord(character) for text in texts for character in text} <= self._shows:
            self._shows |= self._open(RARE)
            pdf.set_fallback_fonts([RARE], exact_match=False)

    def _open(self, font: str) -> set[int]:
        self._pdf.add_font(font, fname=FONTS / f"proof-{font}.ttf")
        return set(self._pdf.fonts[font].cmap)  # type: ignore[union-attr]

    def printable(self, text: str) -> str:
        """The text with 〔U+2A6D6〕 in place of whatever the fonts cannot show: nothing vanishes unseen."""
        return "".join(" " if character.isspace() else self._shown(character) for character in text)

    def _shown(self, character: str) -> str:
        if ord(character) in self._shows and character.isprintable():
            return character
        self.lacks_characters = True
        return f"〔U+{ord(character):04X}〕"

    def begin_page(self, watermark: str) -> None:
        """A fresh page, with its frame and faint words beneath all that follows."""
        pdf = self._pdf
        pdf.add_page()
        pdf.set_font(COMMON, size=WATERMARK_SIZE)
        pdf.set_text_color(*WATERMARK)
        for x, y in WATERMARKS:
            with pdf.rotation(WATERMARK_DEGREES, x, y):
                pdf.text(x, y, watermark)
        for inset, thickness in FRAMES:
            pdf.set_draw_color(*ACCENT)
            pdf.set_line_width(thickness)
            pdf.rect(inset, inset, WIDTH - 2 * inset, HEIGHT - 2 * inset)

    def rule(self, y: float, *, colour: Colour = HAIRLINE, thickness: float = 0.2) -> None:
        """A line across the page between the margins."""
        self._pdf.set_draw_color(*colour)
        self._pdf.set_line_width(thickness)
        self._pdf.line(MARGIN, y, WIDTH - MARGIN, y)

    def text(
        self,
        text: str,
        y: float,
        size: float,
        *,
        x: float = MARGIN,
        width: float = INNER,
        align: Align = "L",
        colour: Colour = INK,
        is_bold: bool = False,
        spacing: float = 0,
    ) -> float:
        """Writes from `y` down, as many lines as it takes; returns where the next may begin."""
        pdf = self._pdf
        pdf.set_text_color(*colour)
        pdf.set_draw_color(*colour)
        pdf.set_char_spacing(spacing)
        pdf.set_xy(x, y)
        with pdf.local_context(text_mode="FILL_STROKE" if is_bold else "FILL", line_width=BOLD * size * MM_PER_POINT):
            return y + self._flow(text, size, width, align, is_measured=False)

    def height(self, text: str, size: float, *, width: float = INNER, spacing: float = 0) -> float:
        """What `text` would take."""
        self._pdf.set_char_spacing(spacing)
        return self._flow(text, size, width, "L", is_measured=True)

    def largest_on_one_line(
        self, text: str, sizes: Sequence[float], *, width: float = INNER, spacing: float = 0
    ) -> float:
        """The first of `sizes`, which shrink, that needs one line; else the last, on as many lines as it takes."""
        for size in sizes:
            if self.height(text, size, width=width, spacing=spacing) < 2 * size * MM_PER_POINT:
                return size
        return sizes[-1]

    def _flow(self, text: str, size: float, width: float, align: Align, *, is_measured: bool) -> float:
        """Chinese breaks between any two characters, other text between words."""
        from fpdf.enums import WrapMode

        self._pdf.set_font(COMMON, size=size)
        height = self._pdf.multi_cell(
            width,
            size * MM_PER_POINT * LINE_HEIGHT,
            text,
            align=align,
            wrapmode=WrapMode.WORD if text.isascii() else WrapMode.CHAR,
            dry_run=is_measured,
            output="HEIGHT",
        )
        assert isinstance(height, float | int)
        return float(height)

    def picture(self, image: Image.Image, x: float, y: float, side: float) -> None:
        """A square picture."""
        self._pdf.image(image, x, y, side, side)

    def bytes(self) -> bytes:
        """The finished file."""
        return bytes(self._pdf.output())


def _blank() -> "FPDF":
    """The library costs 40 MB and a third of a second to load: only a process that draws a proof does."""
    from fpdf import FPDF

    return FPDF(format="A4", unit="mm", enforce_compliance="PDF/A-2U")


def _xmp(title: str, creator: str, made_at: datetime) -> str:
    """The metadata that PDF/A-2 asks for (ISO 19005-2 §6.6), with no other time than the document's own."""
    moment = made_at.isoformat()
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/"><rdf:Description rdf:about=""'
        f' xmp:CreatorTool="{escape(creator)}" xmp:CreateDate="{moment}" xmp:ModifyDate="{moment}"'
        f' xmp:MetadataDate="{moment}" pdfaid:part="2" pdfaid:conformance="U">'
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{escape(title)}</rdf:li></rdf:Alt></dc:title>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
