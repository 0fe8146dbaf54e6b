"""Settings are read once, and a wrong one stops the start with the variable's name."""

import pytest

from kernel.settings import Secret, Settings, SettingsRefused, load

GOOD = {
    "SUISHENBAN_DATABASE_URL": "postgresql://city:hush@/suishenban",
    "SUISHENBAN_REDIS_URL": "unix:///run/redis.sock",
    "SUISHENBAN_KEY_FILE": "keys.json",
    "PATH": "/usr/bin",
}


def test_what_is_not_ours_is_left_alone_and_defaults_fill_the_rest() -> None:
    settings = load(GOOD)
    assert settings.database_url.reveal() == "postgresql://city:hush@/suishenban"
    assert settings.port == Settings.__struct_defaults__[1] == 8700


def test_a_misspelt_variable_stops_the_start() -> None:
    with pytest.raises(SettingsRefused, match=r"SUISHENBAN_PROT|prot"):
        load(GOOD | {"SUISHENBAN_PROT": "1"})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SUISHENBAN_PORT", "seventy"),
        ("SUISHENBAN_PORT", "0"),
        ("SUISHENBAN_CODE_LIFETIME_SECONDS", "301"),
        ("SUISHENBAN_PUBLIC_HOST", "a-host-name-that-is-too-long.example:8700"),
        ("SUISHENBAN_DEMO", "perhaps"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(SettingsRefused, match=name):
        load(GOOD | {name: text})


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsRefused, match="SUISHENBAN_KEY_FILE"):
        load({name: text for name, text in GOOD.items() if name != "SUISHENBAN_KEY_FILE"})


def test_a_secret_does_not_show_itself() -> None:
    settings = load(GOOD)
    assert "hush" not in f"{settings} {settings.database_url} {settings.database_url!r}"
    assert Secret("a") == Secret("a") != Secret("b")
