"""The page for venues can be typed as it stands: whoever follows it has a venue that verifies, at its end."""

from pathlib import Path

from tests.clients.typed_page import typed


def test_whoever_follows_the_page_for_venues_has_a_venue_that_verifies(city_url: str, tmp_path: Path) -> None:
    said = typed("VENUES.md", city_url, tmp_path)
    assert said[-2:] == ["not_ours", "Ticket desk"]
    assert (tmp_path / "gate.key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "desk.token").read_text().count(".") == 2
