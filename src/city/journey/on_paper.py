"""A proof is printed, and whoever holds the paper finds out whether it is true: online, without an account."""

import secrets
from typing import Any, Final
from urllib.parse import urlsplit

from city.journey import calling, issuing
from city.journey.calling import Answer, Caller
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from gateway.demo.cast import PlayedPerson

CLIENT: Final = "department:police"
KIND: Final = "无犯罪记录证明"
PDF: Final = "application/pdf"
LAST: Final = 4
_BASE32: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TOKEN_CHARACTERS: Final = 26


class _Spent(Exception):
    """It was done as often as the city allows for now."""


async def play(stage: Stage, person: PlayedPerson, me: SignedIn) -> None:
    """Print, check as who holds the paper, guess, and check again when it was revoked."""
    story, client = stage.story, stage.client(CLIENT)
    story.act("A proof on paper")
    with story.step(f"{client.owner} issues: {KIND}"):
        department = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
        proof = await issuing.issue(department, client, KIND, person)
    told = {"name": person.name, "last_four": person.id_number[-LAST:]}
    try:
        path = await _print(stage, me, proof)
        await _check(stage, path, told, person)
        await _guess(stage, path, told)
        await _revoke(stage, department, proof, path, told)
    except _Spent:
        with story.step("As often as one may print in a day or check in an hour: the rest is left out"):
            await department.post(f"/department/certificates/{proof.certificate_id}/revoke", {"reason": "data_changed"})
        return
    with story.step("The ledger has each check that matched"):
        uses = (await me.app.get(f"/resident/uses?certificate_id={proof.certificate_id}&limit=100")).content["uses"]
        seen = [(use["route"], use["outcome"]) for use in uses]
        story.equal("by paper, and how it stood", expected=[("paper", "revoked"), ("paper", "valid")], seen=seen)


async def _print(stage: Stage, me: SignedIn, proof: Issued) -> str:
    """Where the proof is checked. Raises _Spent."""
    story = stage.story
    with story.step("The resident prints it"):
        path = f"/resident/certificates/{proof.certificate_id}/proofs"
        page = _bounded(await me.app.ask("POST", path, headers={"Accept": PDF}, status=None))
        story.equal("a PDF comes", expected=(201, PDF, b"%PDF-"), seen=(page.status, page.media, page.body[:5]))
        address = urlsplit(page.headers.get("check-url", "")).path
        story.holds("with an address to check it at", address.startswith("/P/"), expected="/P/…", seen=address)
    return address


async def _check(stage: Stage, path: str, told: dict[str, str], person: PlayedPerson) -> None:
    story = stage.story
    with story.step("Somebody who holds the paper opens the address, and says whose it is"):
        page = await stage.city.get(path)
        nobodys = await stage.city.get(_invented())
        story.equal("the page is the same for every address", expected=nobodys.body, seen=page.body)
        checked = await _ask(stage, path, told)
        found: dict[str, Any] = checked["proof"]
        story.equal("it is true, and stands", expected=(True, "valid"), seen=(checked["is_match"], found["state"]))
        values = {field["name"]: field["value"] for field in found["fields"]}
        story.equal("it says what the department wrote", expected=True, seen=values["no_record"])
        hidden = person.id_number not in str(found) and person.name not in str(found)
        story.holds("name and number are partly hidden", hidden, expected="masked", seen=values)


async def _guess(stage: Stage, path: str, told: dict[str, str]) -> None:
    with stage.story.step("Others guess: another name, another number, an address that nobody printed"):
        guesses = [
            (path, {**told, "name": "另一人"}),
            (path, {**told, "last_four": "0000"}),
            (_invented(), told),
        ]
        heard = []
        for where, guess in guesses:
            answer = await _ask(stage, where, guess)
            heard.append((answer["is_match"], answer["proof"]))
        stage.story.equal("all of them hear the same: no match", expected=[(False, None)] * len(guesses), seen=heard)


async def _revoke(stage: Stage, department: Caller, proof: Issued, path: str, told: dict[str, str]) -> None:
    story = stage.story
    with story.step(f"The {KIND} is revoked; the paper is still the same"):
        await department.post(f"/department/certificates/{proof.certificate_id}/revoke", {"reason": "data_changed"})
        checked = (await _ask(stage, path, told))["proof"]
        story.equal(
            "the very next check says so, and nothing else",
            expected=("revoked", []),
            seen=(checked["state"], checked["fields"]),
        )


def _invented() -> str:
    """Where a proof would be checked that nobody printed."""
    return "/P/" + "".join(secrets.choice(_BASE32) for _ in range(_TOKEN_CHARACTERS))


async def _ask(stage: Stage, path: str, told: dict[str, str]) -> dict[str, Any]:
    """What somebody who holds the paper hears. Raises _Spent."""
    return dict(_bounded(await stage.city.ask("POST", path, told, status=None)).content)


def _bounded(answer: Answer) -> Answer:
    """Raises _Spent."""
    if answer.status == 429:
        raise _Spent
    return answer
