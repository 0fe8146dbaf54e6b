"""A printed proof is read by a phone, tells everything it was given and nothing else, and is always the same file."""

import re
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from wallet.model import Words
from wallet.proof_document import LACKING, ProofContent, ProofField, draw
from wallet.qr import NotDrawable

DOTS_PER_INCH = 150
MM_PER_INCH = 25.4
RARE_NAMES = "㛃䶮喆堃𠙶𣲘𧿹𨙸𪟝𪾢𫐄𫖮𫟹𫠊𬀩𬬩𬭚𬺓"
"""From 《通用规范汉字表》: GB 2312 has none of them; four planes of Unicode have."""
BEYOND_OUR_FONTS = "\U0002a6d6"


def a_field(zh: str, en: str, value: str) -> ProofField:
    return ProofField(Words(zh, en), value)


PROOF = ProofContent(
    title=Words("无犯罪记录证明", "Certificate of No Criminal Record"),
    organ=Words("示例市公安局", "Example City Public Security Bureau"),
    fields=(
        a_field("姓名", "Name", "林晓岚"),
        a_field("公民身份号码", "Citizen identity number", "999999199003070028"),
        a_field("查询结果", "Finding", "在上述期间内，未发现有犯罪记录。"),
    ),
    number="1.2.156.3005.2.11100000000013338W001.11310000MB1F00001X.WFZ202503010001.001.K",
    issued_at=datetime(2025, 3, 1, 18, 30, 12, tzinfo=UTC),
    valid_until=date(2025, 5, 31),
    verify_text="HTTPS://SUISHEN.CITY.EXAMPLE/P/ABCDEFGHIJKLMNOPQRSTUVWXYA",
    verify_url_readable="https://suishen.city.example/P/ABCDEFGHIJKLMNOPQRSTUVWXYA",
)


def pages_of(file: bytes) -> list[Image.Image]:
    document = pypdfium2.PdfDocument(file)
    try:
        return [page.render(scale=DOTS_PER_INCH / 72).to_pil() for page in document]
    finally:
        document.close()


def text_of(file: bytes) -> str:
    """What a reader copies out, without the breaks of lines."""
    document = pypdfium2.PdfDocument(file)
    try:
        return re.sub(r"[\s￾]", "", "".join(page.get_textpage().get_text_range() for page in document))
    finally:
        document.close()


def told(text: str) -> str:
    return re.sub(r"\s", "", text)


def codes_on(page: Image.Image) -> list[zxingcpp.Barcode]:
    return zxingcpp.read_barcodes(page, formats=zxingcpp.BarcodeFormat.QRCode)


def test_a_phone_reads_the_qr_of_the_printed_page() -> None:
    (page,) = pages_of(draw(PROOF))
    (code,) = codes_on(page)
    assert (code.text, code.extra["Version"], code.ec_level) == (PROOF.verify_text, "3", "M")
    width = (code.position.top_right.x - code.position.top_left.x) / DOTS_PER_INCH * MM_PER_INCH
    assert width >= 25


def test_the_page_is_one_a4_sheet() -> None:
    document = pypdfium2.PdfDocument(draw(PROOF))
    assert [[round(side / 72 * MM_PER_INCH) for side in page.get_size()] for page in document] == [[210, 297]]
    document.close()


def test_everything_it_was_given_can_be_copied_out() -> None:
    text = text_of(draw(PROOF))
    assert [said for said in PROOF.texts() if told(said) not in text] == []
    days = ("2025年3月2日", "2 March 2025", "2025年5月31日", "31 May 2025")
    assert [day for day in days if told(day) not in text] == []
    for words in ("电子证明", "以扫码核验结果为准", "如何核验", "姓名及其身份证件号码的后四位", "第1页，共1页"):
        assert words in text
    assert told(LACKING.zh) not in text


def test_a_proof_without_an_end_says_so() -> None:
    assert "长期，撤销即止untilrevoked" in text_of(draw(replace(PROOF, valid_until=None)))


def test_rare_characters_of_names_are_shown_as_they_are() -> None:
    text = text_of(draw(replace(PROOF, fields=(a_field("姓名", "Name", RARE_NAMES),))))
    assert RARE_NAMES in text
    assert told(LACKING.zh) not in text


@pytest.mark.parametrize("character", [BEYOND_OUR_FONTS, "\u202e", "\u200b", "\x00", "\U000e0100", "😀", "\ue000"])
def test_a_character_that_cannot_be_shown_does_not_vanish(character: str) -> None:
    text = text_of(draw(replace(PROOF, fields=(a_field("姓名", "Name", f"林{character}岚"),))))
    assert f"林〔U+{ord(character):04X}〕岚" in text
    assert told(LACKING.zh) in text


def test_a_household_of_many_goes_on_to_more_pages_and_loses_nothing() -> None:
    fields = tuple(
        a_field(f"成员{n}", f"Member {n}", f"第{n}位家庭成员，{'住址甚长' * 20}，止{n}") for n in range(1, 61)
    )
    file = draw(replace(PROOF, fields=fields))
    text, pages = text_of(file), pages_of(file)
    assert [field.value for field in fields if field.value not in text] == []
    assert len(pages) > 1
    assert [number for number in range(1, len(pages) + 1) if f"第{number}页，共{len(pages)}页" not in text] == []
    assert [len(codes_on(page)) for page in pages] == [0] * (len(pages) - 1) + [1]


def test_the_longest_value_of_unknown_characters_loses_none() -> None:
    file = draw(replace(PROOF, fields=(a_field("备注", "Remarks", BEYOND_OUR_FONTS * 500),)))
    assert text_of(file).count("〔U+2A6D6〕") == 500


@settings(max_examples=8, deadline=None)
@given(st.text(max_size=60), st.text(min_size=1, max_size=30))
def test_any_text_is_drawn(value: str, title: str) -> None:
    file = draw(replace(PROOF, title=Words(title, title), fields=(a_field(title, title, value),)))
    assert [code.text for page in pages_of(file) for code in codes_on(page)] == [PROOF.verify_text]


def test_the_same_proof_is_the_same_file_in_whatever_thread() -> None:
    others = replace(PROOF, fields=(a_field("姓名", "Name", RARE_NAMES),))
    with ThreadPoolExecutor(4) as threads:
        files = list(threads.map(draw, [PROOF, others] * 4))
    assert files == [draw(PROOF), draw(others)] * 4


def test_another_time_is_another_file() -> None:
    assert draw(PROOF) != draw(replace(PROOF, issued_at=PROOF.issued_at + timedelta(seconds=1)))


def test_the_file_is_for_keeping_and_tells_nothing_of_the_machine() -> None:
    """PDF/A-2U: fonts and colours within, its own metadata; no other date than the proof's, no program, no path."""
    title = Words("证明<&\"'>", "Proof <&>")
    file = draw(replace(PROOF, title=title))
    packet = file[file.index(b"<x:xmpmeta") : file.index(b"</x:xmpmeta>") + len(b"</x:xmpmeta>")]
    metadata = ET.fromstring(packet)
    about = metadata.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert about is not None
    names = {
        name.rpartition("}")[2]: value for name, value in about.attrib.items() if name.rpartition("}")[2] != "about"
    }
    moment = "2025-03-01T18:30:12+00:00"
    assert names == {
        "CreatorTool": "随申办",
        "CreateDate": moment,
        "ModifyDate": moment,
        "MetadataDate": moment,
        "part": "2",
        "conformance": "U",
    }
    assert "".join(about.itertext()).strip() == title.zh
    document = pypdfium2.PdfDocument(file)
    assert {name: value for name, value in document.get_metadata_dict().items() if value} == {}
    document.close()
    assert re.findall(rb"(?i)producer|/home|/tmp|fpdf|python", file) == []
    assert file.count(b"/FontFile2") == 1
    assert b"/OutputIntents" in file


def test_a_text_that_no_qr_of_ours_holds_is_refused() -> None:
    with pytest.raises(NotDrawable):
        draw(replace(PROOF, verify_text="https://suishen.city.example/p/"))
