"""The resident and the venue prove what was looked at, with nothing but what the city has signed."""

import base64
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from city.journey.calling import Caller, until
from city.journey.issuing import IDENTITY_CARD
from city.journey.offline import CHECKPOINT, Away
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from city.journey.telling import Broken, believed
from city.journey.verifying import Gate
from suishenban_verify import checkpoint, ledger, merkle
from suishenban_verify.checkpoint import Checkpoint, NotANote, NoteKey
from suishenban_verify.signatures import NotAKey, un_b64url
from suishenban_verify.trust_list import LEDGER, TrustList

LOGGED_WITHIN_SECONDS: Final = 15.0
"""The worker appends every two seconds."""
SIGNED: Final = "a key of the trust list signed the checkpoint"
LOOKED_EVERY_SECONDS: Final = 0.25


async def play(stage: Stage, me: SignedIn, issued: dict[str, Issued], station: list[Gate], away: Away) -> None:
    """A record is proved to its person and to its reader, and the log to have only grown since a gate looked."""
    story, card = stage.story, issued[IDENTITY_CARD]
    story.act("Nobody can change the ledger quietly")
    keys = keys_of_log(away.checkpoint, away.gate.trust())
    with story.step("The checkpoint that was kept before any of this"):
        with believed(SIGNED, NotANote):
            before = checkpoint.read(away.checkpoint, keys)
        story.holds(SIGNED, before.size >= 0, expected="a signed size", seen=before.size)
    path = f"/resident/uses?certificate_id={card.certificate_id}&venue_id={await _venue_of(station)}&route=code"
    with story.step("The resident asks for the proof of a record"):
        use = (await me.app.get(f"{path}&limit=1")).content["uses"][0]
        own = await _proof(me.app, f"/resident/uses/{use['look']}/proof")
        with believed("the record is in the log", NotANote):
            seen = ledger.proved_event(own["proved"], keys)
        story.equal(
            "the proof is of what the ledger shows, to the last field",
            expected=(use["venue_id"], use["scenario_code"], [field["name"] for field in use["fields"]]),
            seen=(str(seen.venue_id), seen.scenario_code, list(seen.fields)),
        )
        story.equal("and of a record of this person", expected=own["proved"]["subject"], seen=_subject_of(own))
    with story.step("The venue asks for its own"):
        near = quote(use["used_at"])
        proofs = await _proof(station[0].caller, f"/venue/uses/{seen.use_id}/proof?near={near}")
        with believed("the venue's record is in the log", NotANote):
            theirs = [ledger.proved_event(one, keys) for one in proofs["proofs"]]
        story.equal("what it can prove is the same", expected=[seen], seen=theirs)
        story.holds(
            "without learning whose record it is",
            me.person_id not in str(proofs),
            expected="a digest",
            seen="the person's id",
        )
    with story.step("Somebody changes what they can prove"):
        for name, event in _changed(own["proved"]).items():
            story.equal(f"{name}: it is a proof no more", expected=False, seen=_holds(event, keys))
    with story.step("Whoever kept a checkpoint asks whether the log has only grown"):
        latest = await _latest(stage.city, keys)
        await _check_growth(stage, before, latest)


def keys_of_log(note: str, trust: TrustList) -> list[NoteKey]:
    """The keys that may sign the log, by the trust list. The log's name stands on top of each note.

    Raises Broken.
    """
    origin = note.partition("\n")[0]
    entries = trust.issuers[trust.issuer].entries
    with believed("the log has a name, and keys that sign it", NotAKey):
        return [NoteKey(origin, one.key) for one in entries if LEDGER in one.purposes and one.revoked_at is None]


async def _venue_of(station: list[Gate]) -> str:
    return str((await station[0].caller.get("/venue/me")).content["venue_id"])


async def _proof(caller: Caller, path: str) -> Any:
    """A proof, as soon as the record is in the log. Raises Broken."""

    async def look() -> Any:
        answer = await caller.ask("GET", path, status=None)
        if answer.code == "ledger.not_in_log_yet":
            return None
        if answer.status != 200:
            raise Broken("a record can be proved by whom it concerns", "200", answer.words())
        return answer.content

    found = await until(look, within_seconds=LOGGED_WITHIN_SECONDS, every_seconds=LOOKED_EVERY_SECONDS)
    if found is None:
        raise Broken("a record is in the log soon", f"within {LOGGED_WITHIN_SECONDS:.0f} s", "ledger.not_in_log_yet")
    return found


def _subject_of(own: dict[str, Any]) -> str:
    """The digest of whose record it is, made of what only its person is told."""
    whose = {name: None if value is None else UUID(value) for name, value in own["whose"].items()}
    salt = un_b64url(own["proved"]["salt"])
    person_id, certificate_id = whose["person_id"], whose["certificate_id"]
    assert person_id is not None
    assert certificate_id is not None
    made = ledger.subject_of(salt, person_id, certificate_id, whose["mandate_id"], whose["agent_person_id"])
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def _changed(proved: dict[str, Any]) -> dict[str, dict[str, Any]]:
    event = proved["event"]
    return {
        "one field less": {**proved, "event": {**event, "fields": event["fields"][1:]}},
        "another answer": {**proved, "event": {**event, "outcome": "revoked"}},
        "another person's": {**proved, "subject": proved["salt"]},
    }


def _holds(proved: dict[str, Any], keys: list[NoteKey]) -> bool:
    try:
        ledger.proved_event(proved, keys)
    except NotANote:
        return False
    return True


async def _latest(city: Caller, keys: list[NoteKey]) -> Checkpoint:
    note = (await city.get(CHECKPOINT)).body.decode()
    with believed(SIGNED, NotANote):
        return checkpoint.read(note, keys)


async def _check_growth(stage: Stage, before: Checkpoint, latest: Checkpoint) -> None:
    story = stage.story
    answer = (await stage.city.get(f"/ledger/checkpoints/{latest.size}/consistency?from={before.size}")).content
    hashes = [base64.b64decode(one) for one in answer["hashes"]]
    story.holds("the log has grown", latest.size > before.size, expected=f"more than {before.size}", seen=latest.size)
    story.equal(
        "and nothing that was in it has changed",
        expected=True,
        seen=merkle.is_consistent(before.size, before.root, latest.size, latest.root, hashes),
    )
    forged = bytes([before.root[0] ^ 1]) + before.root[1:]
    story.equal(
        "another past would be noticed",
        expected=False,
        seen=merkle.is_consistent(before.size, forged, latest.size, latest.root, hashes),
    )
