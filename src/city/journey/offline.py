"""A resident shows without network, and gates judge by themselves; what they could not know is found later."""

from contextlib import ExitStack
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from city.journey import calling, issuing
from city.journey.calling import until
from city.journey.device import Device, a_device
from city.journey.issuing import IDENTITY_CARD
from city.journey.showing import SCENARIO_OF
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from city.journey.verifying import Seen
from gateway.demo.cast import PlayedClient, PlayedPerson
from suishenban_verify import offline_code
from suishenban_verify.signatures import LocalSigner, un_b64url
from suishenban_verify.status_list import INVALID

CHECKPOINT: Final = "/ledger/checkpoint"
LICENCE: Final = "机动车驾驶证"
POLICE: Final = "department:police"
STATION: Final = "station"
CARD_SCENARIO: Final = SCENARIO_OF[IDENTITY_CARD]
LICENCE_SCENARIO: Final = "station.car_rental"
C1: Final = "may_drive_c1"
CLASS: Final = "B2"
"""A class of driving licence that includes C1."""
LISTED_WITHIN_SECONDS: Final = 25.0
"""A list that is new, or that changed, is published within ten seconds; and others work on this machine too."""
LOOKED_EVERY_SECONDS: Final = 0.5
LATER_SECONDS: Final = 2
"""Scans are dated in whole seconds, and clocks agree to one: so much later is later for sure."""


class Away(msgspec.Struct, frozen=True):
    """What happened without network: what was seen, and the licence that was revoked, with a code shown before.

    `checkpoint` is that of the ledger's log from before.
    """

    seen: list[Seen]
    licence: Issued
    code: str
    gate: Device
    checkpoint: str


async def play(
    stage: Stage, person: PlayedPerson, me: SignedIn, issued: dict[str, Issued], open_devices: ExitStack
) -> Away:
    """Show a card live and pre-issued, let two stations accept one code, and use a licence that was just revoked."""
    stage.story.act("Without network")
    card = issued[IDENTITY_CARD]
    licence = await _issue_licence(stage, person)
    with stage.story.step("The phone shows codes that need no network at the gate"):
        live = await _live(me, card, CARD_SCENARIO)
        before, later = [await _live(me, licence, LICENCE_SCENARIO) for _ in range(2)]
        for text in (live, before, later):
            stage.story.holds(
                "a code fits a QR code that any scanner reads",
                len(text) <= offline_code.TEXT_MAX,
                expected=f"at most {offline_code.TEXT_MAX} characters",
                seen=len(text),
            )
    stations = stage.venue(STATION, LICENCE_SCENARIO), stage.venue(STATION, CARD_SCENARIO, but=_owner(stage))
    gate = await _prepare(stage, stations[0][0], [live, before], open_devices)
    with stage.story.step("Somebody keeps the latest checkpoint of the ledger's log, as everybody may"):
        kept = (await stage.city.get(CHECKPOINT)).body.decode()
    revoked_at = await _revoke(stage, licence, gate)
    elsewhere = await _prepare(stage, stations[1][0], [live], open_devices)
    seen = [_judge(stage, gate, live, card), await _pre_issued(stage, me, card, gate)]
    seen.append(_judge_elsewhere(stage, elsewhere, live, card))
    await gate.wait_until(revoked_at + LATER_SECONDS)
    seen.append(_judge_stale(stage, gate, before, licence))
    await _upload(stage, gate, elsewhere)
    await _look_back(stage, me, card)
    return Away(seen, licence, later, gate, kept)


async def hear(stage: Stage, away: Away) -> None:
    """The gate is back for a moment: the status list says that the licence was revoked, and then the gate does."""
    story, gate = stage.story, away.gate
    story.act("The gate has a network again for a moment")
    place = gate.place_of(away.code)
    with story.step("It fetches the status list until the revocation is in it"):

        async def look() -> bool | None:
            published = await gate.fetch_list(place.uri)
            return True if published is not None and published.list.get(place.idx) == INVALID else None

        found = await until(look, within_seconds=LISTED_WITHIN_SECONDS, every_seconds=LOOKED_EVERY_SECONDS)
        expected = f"within {LISTED_WITHIN_SECONDS:.0f} s"
        story.holds("a revocation reaches whoever fetches the list", found is True, expected=expected, seen="valid")
    with story.step("The licence, shown by a code from before it was revoked"):
        verdict = gate.judge(away.code)
        told = [dict(one.fields) for one in verdict.certificates]
        story.equal(
            "without network the gate says no by itself", expected=("revoked", []), seen=(verdict.outcome.value, told)
        )


def _owner(stage: Stage) -> str:
    return stage.venue(STATION, LICENCE_SCENARIO)[0].owner


async def _issue_licence(stage: Stage, person: PlayedPerson) -> Issued:
    client = stage.client(POLICE)
    with stage.story.step(f"{client.owner} issues: {LICENCE}"):
        department = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
        return await issuing.issue(department, client, LICENCE, person, licence_class=CLASS)


async def _live(me: SignedIn, certificate: Issued, scenario: str) -> str:
    body = {"scenario_code": scenario, "certificates": [{"certificate_id": certificate.certificate_id}]}
    return str((await me.app.post("/resident/offline-codes", body, status=201)).content["text"])


async def _prepare(stage: Stage, client: PlayedClient, codes: list[str], open_devices: ExitStack) -> Device:
    """A gate with all it needs. A list that was opened a moment ago is published in the worker's next beat."""
    story = stage.story
    with story.step(f"{client.owner}: a gate takes along what it needs, while it has a network"):
        caller = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
        gate = open_devices.enter_context(a_device(caller, client.owner))
        trust = await gate.prepare()
        story.equal(
            "the trust list names the city by its own address", expected=True, seen=stage.cast.issuer in trust.issuers
        )
        wanted = {gate.place_of(code).uri for code in codes}

        async def look() -> bool | None:
            return True if wanted <= await gate.fetch_lists() else None

        found = await until(look, within_seconds=LISTED_WITHIN_SECONDS, every_seconds=LOOKED_EVERY_SECONDS)
        story.holds("every list that a code names is there to be fetched", found is True, expected=str(wanted), seen="")
    return gate


async def _revoke(stage: Stage, licence: Issued, gate: Device) -> int:
    """Revoke the licence after the gate went away; when that was, on the gate's clock."""
    with stage.story.step("While the gate is away, the licence is revoked"):
        department = await calling.machine(stage.city, licence.department, issuer=stage.cast.issuer)
        path = f"/department/certificates/{licence.certificate_id}/revoke"
        revoked = (await department.post(path, {"reason": "lost"})).content
        stage.story.equal("it is good no more", expected="revoked", seen=revoked["state"])
    return gate.now()


def _judge(stage: Stage, gate: Device, text: str, card: Issued) -> Seen:
    story = stage.story
    with story.step(f"{gate.owner} judges the code of the {card.name_zh} by itself"):
        seen = _accept(stage, gate, text, card, CARD_SCENARIO)
        again = gate.judge(text)
        story.equal("the gate accepts a code once", expected="already_used", seen=again.outcome.value)
        changed = text[:-1] + ("A" if text[-1] != "A" else "B")
        story.equal("a changed code is not ours", expected="not_ours", seen=gate.judge(changed).outcome.value)
    return seen


def _accept(stage: Stage, gate: Device, text: str, certificate: Issued, scenario: str) -> Seen:
    """A yes of the gate, with what the certificate says and nothing else."""
    story = stage.story
    verdict = gate.judge(text)
    story.equal("a good code is good", expected="valid", seen=verdict.outcome.value)
    [shown] = verdict.certificates
    expected = {name: _said(certificate, name) for name in shown.fields}
    story.equal("it says what the department wrote", expected=expected, seen=dict(shown.fields))
    story.equal("for the scenario it was shown for", expected=scenario, seen=verdict.scenario_code)
    return Seen(gate.owner, scenario, certificate, dict(shown.fields))


def _said(certificate: Issued, name: str) -> Any:
    return True if name == C1 else certificate.values.get(name)


async def _pre_issued(stage: Stage, me: SignedIn, card: Issued, gate: Device) -> Seen:
    story = stage.story
    with story.step("Codes fetched ahead, each bound to a key that never leaves the phone"):
        keys = [LocalSigner(f"phone-{number}", ec.generate_private_key(ec.SECP256R1())) for number in range(2)]
        body = {
            "scenario_code": CARD_SCENARIO,
            "certificates": [{"certificate_id": card.certificate_id, "fields": ["name"]}],
            "holder_keys": [{name: key.public.jwk[name] for name in ("kty", "crv", "x", "y")} for key in keys],
        }
        codes = (await me.app.post("/resident/pre-issued-codes", body, status=201)).content["codes"]
        story.equal("one code for each key", expected=len(keys), seen=len(codes))
    with story.step("Now the phone has no network either"):
        cwts = [un_b64url(code["cwt"]) for code in codes]
        copied = gate.judge(offline_code.text_of(cwts[0]))
        story.equal(
            "a code copied from the phone is worth nothing", expected="holder_proof_missing", seen=copied.outcome.value
        )
        stolen = gate.judge(offline_code.present(cwts[0], keys[1], gate.now()))
        story.equal("nor is one that another key signed", expected="holder_proof_refused", seen=stolen.outcome.value)
        return _accept(stage, gate, offline_code.present(cwts[0], keys[0], gate.now()), card, CARD_SCENARIO)


def _judge_elsewhere(stage: Stage, gate: Device, text: str, card: Issued) -> Seen:
    with stage.story.step(f"The code that one gate accepted is held before another, at {gate.owner}"):
        return _accept(stage, gate, text, card, CARD_SCENARIO)


def _judge_stale(stage: Stage, gate: Device, text: str, licence: Issued) -> Seen:
    with stage.story.step(f"The revoked licence is held before a gate of {gate.owner}, which has not heard of it"):
        seen = _accept(stage, gate, text, licence, LICENCE_SCENARIO)
        stage.story.equal(
            "it learns that one may drive a car, and not which classes the licence has",
            expected=(True, False),
            seen=(seen.fields.get(C1), "licence_class" in seen.fields),
        )
    return seen


async def _upload(stage: Stage, gate: Device, elsewhere: Device) -> None:
    story = stage.story
    with story.step("The gates are back, and send in what they scanned"):
        first = await gate.upload()
        recorded = [one for one in first if one["result"] == "recorded"]
        story.equal(
            "every yes is recorded, and nothing else is",
            expected=(3, True),
            seen=(len(recorded), all(one["is_new"] for one in recorded)),
        )
        story.equal(
            "a revocation that a gate could not know is found",
            expected=["late_revocation"],
            seen=[finding for one in recorded for finding in one["findings"]],
        )
    with story.step("No answer came, so it sends all of it once more"):
        again = await gate.upload()
        story.equal(
            "each scan is recorded once, and the answer is the same",
            expected=[{**one, "is_new": False} for one in first],
            seen=again,
        )
        gate.settle()
    with story.step(f"{elsewhere.owner} sends in its scan of the same code"):
        answers = await elsewhere.upload()
        story.equal(
            "the second use of a code is found",
            expected=[("recorded", ["double_use"])],
            seen=[(one["result"], one["findings"]) for one in answers],
        )
        elsewhere.settle()


async def _look_back(stage: Stage, me: SignedIn, card: Issued) -> None:
    story = stage.story
    with story.step("The ledger has what was looked at without network"):
        path = f"/resident/uses?certificate_id={card.certificate_id}&route=offline&limit=100"
        uses = (await me.app.get(path)).content["uses"]
        story.equal("every look is there", expected=3, seen=len(uses))
        story.equal(
            "and which of them should not have been",
            expected=["double_use"],
            seen=[flag for use in uses for flag in use["flags"]],
        )
