"""The page for departments' programs can be typed as it stands: whoever follows it has sent a message, at its end."""

from pathlib import Path

from tests.clients.typed_page import typed


def test_whoever_follows_the_page_for_programs_has_sent_scheduled_and_taken_back(city_url: str, tmp_path: Path) -> None:
    said = typed("SENDING.md", city_url, tmp_path)
    assert said == ["delivered", "scheduled", "withdrawn"]
    assert "养犬登记" not in (tmp_path / "preview.json").read_text()  # what it is called is nobody's to read in an SMS
