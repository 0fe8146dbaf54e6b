"""Two certificates in one code, and questions that are answered yes or no."""

from datetime import date
from typing import Any, Final
from uuid import uuid4

from city.journey import calling
from city.journey.issuing import IDENTITY_CARD, INSURANCE
from city.journey.showing import ask_for_code
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage, now
from city.journey.verifying import open_gates

TOGETHER: Final = "hospital.registration"
HOSPITAL: Final = "hospital"
QUESTIONS: Final = (
    ("scenic_spot", "scenic_spot.concession", "age_at_least_60", 60),
    ("amusement_park", "amusement_park.adult_ride", "age_at_least_18", 18),
)
"""Which sort of venue asks under which scenario whether somebody is so old."""


async def play(stage: Stage, me: SignedIn, issued: dict[str, Issued]) -> None:
    """Show an identity card with a medical insurance certificate; then answer how old one is without telling."""
    stage.story.act("Several certificates in one code, and yes or no in place of a birthday")
    await _show_together(stage, me, issued[IDENTITY_CARD], issued[INSURANCE])
    for sort, scenario, question, years in QUESTIONS:
        await _answer(stage, me, issued[IDENTITY_CARD], (sort, scenario, question, years))


async def _show_together(stage: Stage, me: SignedIn, card: Issued, insurance: Issued) -> None:
    story = stage.story
    hospital = (await open_gates(stage, HOSPITAL, TOGETHER))[0]
    body = {
        "scenario_code": TOGETHER,
        "certificates": [
            {"certificate_id": card.certificate_id, "fields": ["name"]},
            {"certificate_id": insurance.certificate_id, "fields": ["insurance_number"]},
        ],
    }
    with story.step(f"The {card.name_zh} and the {insurance.name_zh} in one code, at {hospital.owner}"):
        text = (await me.app.post("/resident/presentations", body, status=201)).content["text"]
        verdict = (await hospital.scan(text, str(uuid4()))).content
        told = [verdict["fields"], *(one["fields"] for one in verdict["beside"])]
        expected = [{"name": card.values["name"]}, {"insurance_number": insurance.values["insurance_number"]}]
        story.equal(
            "one scan tells of both, and of each what was chosen",
            expected=("valid", expected),
            seen=(verdict["verdict"], told),
        )
    with story.step("The ledger has a record for each"):
        paths = [f"/resident/uses?certificate_id={one.certificate_id}&limit=1" for one in (card, insurance)]
        uses = [use for path in paths for use in (await me.app.get(path)).content["uses"]]
        seen = [(use["venue_zh"], [field["name"] for field in use["fields"]]) for use in uses]
        looks = [(hospital.owner, ["name"]), (hospital.owner, ["insurance_number"])]
        story.equal("both say who saw what", expected=looks, seen=seen)
    with story.step("One of the two is suspended"):
        department = await calling.machine(stage.city, insurance.department, issuer=stage.cast.issuer)
        path = f"/department/certificates/{insurance.certificate_id}"
        text = (await me.app.post("/resident/presentations", body, status=201)).content["text"]
        await department.post(f"{path}/suspend", {"reason": "under_investigation"})
        verdict = (await hospital.scan(text, str(uuid4()))).content
        told = [verdict["fields"], *(one["fields"] for one in verdict["beside"])]
        story.equal("yes is said to all or to none", expected=("suspended", [{}, {}]), seen=(verdict["verdict"], told))
        restored = (await department.post(f"{path}/restore", {"reason": "cleared"})).content
        story.equal("what is restored is good again", expected="issued", seen=restored["state"])


async def _answer(stage: Stage, me: SignedIn, card: Issued, asked: tuple[str, str, str, int]) -> None:
    story = stage.story
    sort, scenario, question, years = asked
    venue = (await open_gates(stage, sort, scenario))[0]
    with story.step(f"{venue.owner} asks whether somebody is {years} or older"):
        shown: dict[str, Any] = await ask_for_code(me.app, card, scenario)
        verdict = (await venue.scan(shown["text"], str(uuid4()))).content
        is_so = _age(date.fromisoformat(card.values["birth_date"]), now().date()) >= years
        story.equal(
            "it hears yes or no, and nothing else",
            expected=("valid", {question: is_so}),
            seen=(verdict["verdict"], verdict["fields"]),
        )


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
