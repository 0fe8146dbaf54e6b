"""Every setting is explained under its field and in docs/SETTINGS.md, and nobody speaks of one that is not there."""

import inspect
import re

import msgspec

from city.writing_settings import describe, said
from kernel import settings
from kernel.settings import PREFIX, Settings
from tests.shape.tree import text_of, tracked

OF_THE_DEMO = {"STANDIN_PORT", "DEMO_DEPARTMENT_PORT"}
"""Read by the demo's own processes, which are no part of a city."""
_VARIABLE = re.compile(rf"\b{PREFIX}([A-Z][A-Z_]*[A-Z])\b")


def unknown(text: str) -> set[str]:
    """Variables of ours that a text names and that are none."""
    return set(_VARIABLE.findall(text)) - {name.upper() for name in Settings.__struct_fields__} - OF_THE_DEMO


def test_every_setting_says_what_it_is_for() -> None:
    fields = [field.name for field in msgspec.structs.fields(Settings)]
    assert list(said(inspect.getsource(settings))) == fields


def test_a_setting_without_a_word_is_noticed() -> None:
    assert said('class Settings:\n    a: int\n    """Said."""\n    b: int\n    c: str\n    """Also."""\n') == {
        "a": "Said.",
        "c": "Also.",
    }


def test_the_list_of_settings_is_what_the_code_reads() -> None:
    assert describe() == text_of("docs/SETTINGS.md"), "run make settings"


def test_nobody_speaks_of_a_setting_that_is_not_there() -> None:
    checked = [path for path in tracked() if not path.startswith("tests/")]
    assert {path: names for path in checked if (names := unknown(text_of(path) or ""))} == {}


def test_a_setting_that_is_not_there_is_noticed() -> None:
    assert unknown(f"set {PREFIX}DATABASE_URL and {PREFIX}DATABASE_ULR") == {"DATABASE_ULR"}
