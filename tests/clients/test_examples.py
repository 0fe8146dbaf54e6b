"""What the documentation shows works as it stands: a stranger copies it and gets an answer."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

SCAN = Path(__file__).parents[2] / "examples" / "scan.py"
SMS_WITHIN_SECONDS = 10.0


def scan(city_url: str, code: str, client: str) -> tuple[int, dict[str, Any]]:
    words = [sys.executable, str(SCAN), code, "--url", city_url, "--client", client]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.stdout, done.stderr
    return done.returncode, ast.literal_eval(done.stdout)


def sign_in(city: httpx.Client, person: dict[str, str]) -> None:
    """As a resident's app would, with the code from the demo outbox."""
    asked = city.post("/resident/sign-in/codes", json={"phone": person["phone"]}).raise_for_status().json()
    end = time.monotonic() + SMS_WITHIN_SECONDS
    while not (shown := city.post("/demo/outbox/search", json={"phone": person["phone"]}).json()["messages"]):
        assert time.monotonic() < end, "no SMS came"
        time.sleep(0.05)
    code = re.search(r"(?<!\d)\d{6}(?!\d)", shown[0]["text"])
    assert code is not None
    answer = {"challenge_id": asked["challenge_id"], "phone": person["phone"], "code": code[0]}
    tokens = city.post("/resident/sign-in", json=answer).raise_for_status().json()
    city.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    named = {"name": person["name"], "id_number": person["id_number"]}
    tokens = city.post("/resident/real-name", json=named).raise_for_status().json()
    city.headers["Authorization"] = f"Bearer {tokens['access_token']}"


def test_the_scanner_of_the_readme_verifies_a_code_once(city_url: str) -> None:
    with httpx.Client(base_url=city_url, timeout=10) as city:
        cast = city.get("/demo/cast").raise_for_status().json()
        gate = next(client for client in cast["clients"] if client["sort"] == "station")
        sign_in(city, cast["residents"][-1])
        for held in city.get("/resident/certificates").raise_for_status().json()["certificates"]:
            path = f"/resident/certificates/{held['certificate_id']}/codes"
            shown = city.post(path, json={"scenario_code": gate["scenarios"][0]})
            if shown.status_code == 201:
                break
        assert shown.status_code == 201, shown.text
        exit_code, verdict = scan(city_url, shown.json()["text"], gate["client_id"])
        assert (exit_code, verdict["verdict"]) == (0, "valid")
        assert verdict["fields"]
        exit_code, verdict = scan(city_url, shown.json()["text"], gate["client_id"])
        assert (exit_code, verdict["verdict"], verdict["fields"]) == (1, "already_used", {})
