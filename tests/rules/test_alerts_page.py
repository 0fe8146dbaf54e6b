"""Whatever reason a message can end with is explained to whoever is called at night."""

import re
from pathlib import Path

import pytest

from notifications.ending.reasons import Reason

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "ALERTS.md").read_text(encoding="utf-8")
EXPLAINED = {line.split("|")[1].strip().strip("`") for line in PAGE.splitlines() if line.startswith("| `")}
PIPELINE = [
    *(ROOT / "src" / "notifications").glob("*.py"),
    *(
        path
        for part in ("routing", "carrying", "ending")
        for path in (ROOT / "src" / "notifications" / part).glob("*.py")
    ),
]
EVENTS = sorted(
    {
        event
        for path in PIPELINE
        for event in re.findall(r'log\.(?:warning|error)\(\s*"([^"]+)"', path.read_text(encoding="utf-8"))
    }
)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained_on_the_page_of_alerts(reason: Reason) -> None:
    assert reason in EXPLAINED


@pytest.mark.parametrize("event", EVENTS)
def test_every_warning_of_the_pipeline_is_explained_on_the_page_of_alerts(event: str) -> None:
    assert f"`{event}`" in PAGE


def test_there_are_warnings_to_explain() -> None:
    assert len(EVENTS) > 5
