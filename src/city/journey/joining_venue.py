"""A venue applies, an operator lets it in for less than the scenario allows, and its own device verifies."""

import secrets
from typing import Any, Final
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from city.journey import calling, operating
from city.journey.calling import Caller, until
from city.journey.issuing import IDENTITY_CARD
from city.journey.showing import SCENARIO_OF, ask_for_code
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Phone, Stage
from city.journey.telling import Broken
from gateway.demo.cast import PlayedClient

SCENARIO: Final = SCENARIO_OF[IDENTITY_CARD]
VENUE: Final = "旅途水族馆"
CREDIT_CODE: Final = "91310115DEMJ00011X"
"""A well-formed one of nobody: its check digits are right."""
FIELD: Final = "name"
QUOTA: Final = 2
PHONES: Final = 1_000
"""Contacts of venues of journeys have phones of their own, so that two journeys do not read each other's SMS."""
KNOWN_WITHIN_SECONDS: Final = 8.0
"""What is new in the catalogue is known everywhere within five seconds."""


class Joined(msgspec.Struct, frozen=True):
    """A venue of this journey, to be closed at its end by the operator who let it in."""

    operator: Caller
    venue_id: str
    device_id: str
    device: Caller
    organisation: dict[str, Any]


async def play(stage: Stage, me: SignedIn, issued: dict[str, Issued]) -> Joined | None:
    """File, decide, prove, scan. None where a bound is met: of applications in an hour, of an operator's sign-ins."""
    story, card = stage.story, issued[IDENTITY_CARD]
    story.act("A venue joins")
    key = ec.generate_private_key(ec.SECP256R1())
    organisation = {
        "sort": "scenic_spot", "credit_code": CREDIT_CODE, "name_zh": VENUE, "name_en": "Aquarium of the Journey",
        "district": "310115", "address": "晴川里路1号",
    }  # fmt: skip
    phone = Phone(stage, f"+8613490007{secrets.randbelow(PHONES):03d}")
    await phone.forget()
    filed = await _file(stage, organisation, phone, key, card)
    if filed is None:
        return None
    path, secret = filed
    with story.step("An operator signs in"):
        operator = await operating.sign_in(stage)
    if operator is None:
        with story.step("That phone has signed in as often as it may for now: the application is taken back"):
            await stage.city.ask("DELETE", path, headers=secret, status=204)
        return None
    await _decide(stage, operator, path, phone)
    access = await _read(stage, path, secret, card)
    device = await _prove(stage, access, key)
    await _scan(stage, me, card, device)
    return Joined(operator, access["venue_id"], access["device_id"], device, organisation)


async def close(stage: Stage, joined: Joined) -> None:
    """The operator closes the venue: its device is withdrawn, and it is granted nothing any more."""
    story, operator = stage.story, joined.operator
    with story.step(f"The operator closes {VENUE}"):
        await operator.ask("DELETE", f"/operator/devices/{joined.device_id}", status=204)
        nothing = {**joined.organisation, "scenario_codes": []}
        await operator.ask("PUT", f"/operator/venues/{joined.venue_id}", nothing, status=204)

        async def look() -> bool | None:
            answer = await joined.device.ask("GET", "/venue/scenarios", status=None)
            return None if answer.status == 200 else True

        refused = await until(look, within_seconds=KNOWN_WITHIN_SECONDS)
        expected = f"within {KNOWN_WITHIN_SECONDS:.0f} s"
        story.holds("a withdrawn device is refused", refused is True, expected=expected, seen="it is answered")
        await operator.post("/operator/sign-out", status=204)


async def _file(
    stage: Stage, organisation: dict[str, Any], phone: Phone, key: ec.EllipticCurvePrivateKey, card: Issued
) -> tuple[str, dict[str, str]] | None:
    """Where the application is, and the header that opens it; None where as many came from here as may in an hour."""
    story = stage.story
    with story.step(f"{VENUE} sees what can be asked for, and applies for less"):
        offered = {one["scenario_code"]: one for one in (await stage.city.get("/scenarios")).content["scenarios"]}
        shows = {one["kind_code"]: len(one["fields"]) for one in offered[SCENARIO]["shows"]}
        story.holds(
            "everybody can read what a scenario would see", shows[card.kind_code] > 1, expected="its fields", seen=shows
        )
        jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        wanted = {
            "scenario_code": SCENARIO, "purpose": "核对预约人与到访人是否一致", "looks_per_day": 50,
            "grants": {card.kind_code: [FIELD]},
        }  # fmt: skip
        public = {name: jwk[name] for name in ("kty", "crv", "x", "y")}
        application = {
            "organisation": organisation,
            "contact": {"name": "闻人静", "phone": phone.number, "language": "zh"},
            "wanted": [wanted],
            "device": {"name_zh": "入口闸机", "name_en": "Entrance gate", "public_key": public},
        }
        path = f"/venue-applications/{uuid4()}"
        first = await stage.city.ask("PUT", path, application, status=None)
        if first.status == 429:
            return None
        filed = first.content
        again = (await stage.city.ask("PUT", path, application, status=201)).content
        story.equal("no answer came? the same once more hears the same", expected=filed, seen=again)
        stranger = await stage.city.ask("GET", path, headers={"Application-Secret": "A" * 32}, status=404)
        story.equal("nobody else can read it", expected="wallet.application_not_found", seen=stranger.code)
    return path, {"Application-Secret": filed["secret"]}


async def _decide(stage: Stage, operator: Caller, path: str, phone: Phone) -> None:
    story = stage.story
    with story.step("The operator reads it, and approves"):
        looked = (await operator.get(f"/operator{path}")).content
        story.equal(
            "who asks is told, and whom to ask",
            expected=(VENUE, phone.number),
            seen=(looked["application"]["name_zh"], looked["contact"]["phone"]),
        )
        more = {"scenarios": [{"scenario_code": SCENARIO_OF[IDENTITY_CARD], "grants": _more(looked)}]}
        refused = await operator.ask("POST", f"/operator{path}/approve", more, status=None)
        story.equal("nothing is granted that was not asked for", expected="wallet.terms_refused", seen=refused.code)
        terms = {"scenarios": [{"scenario_code": SCENARIO, "quota_per_day": QUOTA}]}
        await operator.post(f"/operator{path}/approve", terms)
        await phone.await_sms("the contact is told by SMS", VENUE)


def _more(looked: dict[str, Any]) -> dict[str, list[str]]:
    """One field more than was asked for."""
    [wanted] = looked["application"]["wanted"]
    return {kind: [*fields, "id_number"] for kind, fields in wanted["terms"]["grants"].items()}


async def _read(stage: Stage, path: str, secret: dict[str, str], card: Issued) -> dict[str, Any]:
    with stage.story.step(f"{VENUE} reads who it is now"):
        read = (await stage.city.ask("GET", path, headers=secret)).content
        [granted] = read["access"]["granted"]
        terms = granted["terms"]
        stage.story.equal(
            "it is let in for what it asked, within the quota that was set",
            expected=("approved", {card.kind_code: [FIELD]}, QUOTA),
            seen=(read["state"], terms["grants"], terms["quota_per_day"]),
        )
    return dict(read["access"])


async def _prove(stage: Stage, access: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> Caller:
    story = stage.story
    with story.step("Its device proves itself with the key it made"):
        private = ECAlgorithm.to_jwk(key, as_dict=True)
        client = PlayedClient(access["client_id"], "venue", VENUE, "scenic_spot", private)

        async def look() -> Caller | None:
            try:
                return await calling.machine(stage.city, client, issuer=stage.cast.issuer)
            except Broken:
                return None

        device = await until(look, within_seconds=KNOWN_WITHIN_SECONDS)
        story.holds("it is known everywhere within seconds", device is not None, expected="a token", seen="none")
        assert device is not None
        await until(lambda: _granted(device), within_seconds=KNOWN_WITHIN_SECONDS)
    return device


async def _granted(device: Caller) -> bool | None:
    answer = await device.ask("GET", "/venue/scenarios", status=None)
    return True if answer.status == 200 and answer.content["scenarios"] else None


async def _scan(stage: Stage, me: SignedIn, card: Issued, device: Caller) -> None:
    story = stage.story
    with story.step("It scans its first codes"):
        told = []
        for _ in range(QUOTA + 1):
            text = (await ask_for_code(me.app, card, SCENARIO))["text"]
            body = {"code": text, "use_id": str(uuid4())}
            verdict = (await device.post("/venue/verifications", body)).content
            told.append((verdict["verdict"], verdict["fields"]))
        yes = ("valid", {FIELD: card.values[FIELD]})
        story.equal("it sees what it was granted, of codes that show more", expected=[yes] * QUOTA, seen=told[:QUOTA])
        story.equal("as often as it was granted", expected=("over_quota", {}), seen=told[QUOTA])
