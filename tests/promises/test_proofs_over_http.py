"""Checkpoints are for everybody, proofs of a record for its person and for who looked."""

import base64
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.di import Provide

from kernel import problems
from kernel.audience import Signed, router_of
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.ids import AccountId, SessionId
from kernel.principal import Audience, NotProved, Principal, Resident, VenueDevice
from suishenban_verify import checkpoint, ledger, merkle
from suishenban_verify.checkpoint import NotANote, NoteKey
from suishenban_verify.signatures import b64url, un_b64url
from tests.builders_ledger import a_signer, a_use, keys_of, logged, many_recorded, note_keys, recorded
from tests.builders_wallet import HOSPITAL, STATION, device_at
from wallet.ledger import http
from wallet.ledger.keys import LogKeys
from wallet.ledger.parts import LedgerLog
from wallet.model import Use


class Served:
    """The log's own routes behind whoever calls."""

    def __init__(self, db: Database, clock: StoppedClock, keys: LogKeys) -> None:
        self.keys = keys
        self.log = LedgerLog(db, clock, keys)
        self._app = Litestar(
            [router_of(audience, handlers) for audience, handlers in http.HANDLERS.items()],
            dependencies={"ledger_log": Provide(lambda: self.log, sync_to_thread=False)},
            exception_handlers=problems.HANDLERS,
            openapi_config=None,
            logging_config=None,
        )
        self._caller = Signed(_nobody(), None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app({**scope, "user": self._caller}, receive, send)

    async def get(self, path: str, caller: Principal | None = None, **query: Any) -> httpx.Response:
        audience = {Resident: Audience.RESIDENT, VenueDevice: Audience.VENUE}.get(type(caller))
        self._caller = Signed(caller or _nobody(), audience)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=self), base_url="http://city") as client:
            return await client.get(path, params=query)


def _nobody() -> Any:
    return NotProved("absent")


@pytest.fixture
async def served(db: Database, clock: StoppedClock) -> Served:
    return Served(db, clock, keys_of(a_signer()))


def resident(use: Use) -> Resident:
    return Resident(AccountId(uuid4()), SessionId(uuid4()), use.person_id)


async def test_everybody_reads_checkpoints_and_proves_that_the_log_only_grew(
    served: Served, db: Database, clock: StoppedClock
) -> None:
    refused = await served.get("/ledger/checkpoint")
    assert (refused.status_code, refused.json()["code"]) == (404, "ledger.no_checkpoint")
    notes = []
    for count in (3, 30, 300):
        await many_recorded(db, clock, count)
        await logged(db, clock, served.keys)
        answer = await served.get("/ledger/checkpoint")
        assert answer.headers["content-type"].startswith("text/plain")
        notes.append(answer.text)
    first, *_, last = [checkpoint.read(note, note_keys(served.keys)) for note in notes]
    assert (await served.get(f"/ledger/checkpoints/{first.size}")).text == notes[0]
    told = (await served.get(f"/ledger/checkpoints/{last.size}/consistency", **{"from": first.size})).json()
    steps = [base64.b64decode(hashed) for hashed in told["hashes"]]
    assert (told["old"], told["new"]) == (first.size, last.size)
    assert merkle.is_consistent(first.size, first.root, last.size, last.root, steps)
    for path, size, code in (
        ("/ledger/checkpoints/7", None, 404),
        ("/ledger/checkpoints/99999/consistency", 1, 422),
        (f"/ledger/checkpoints/{first.size}/consistency", last.size, 422),
        (f"/ledger/checkpoints/{last.size}/consistency", -1, 400),
        (f"/ledger/checkpoints/{last.size}/consistency", None, 400),
        (f"/ledger/checkpoints/{10**30}", None, 404),
        (f"/ledger/checkpoints/{10**30}/consistency", 10**25, 422),
    ):
        answer = await served.get(path, **({} if size is None else {"from": size}))
        assert answer.status_code == code, (path, answer.text)


async def test_a_person_proves_a_record_of_theirs_and_no_one_elses(
    served: Served, db: Database, clock: StoppedClock
) -> None:
    mine, other = await many_recorded(db, clock, 2)
    path = f"/resident/uses/{b64url(mine.code_hash)}/proof"
    early = await served.get(path, resident(mine))
    assert (early.status_code, early.json()["code"]) == (409, "ledger.not_in_log_yet")
    assert int(early.headers["Retry-After"]) >= 1
    await logged(db, clock, served.keys)
    told = (await served.get(path, resident(mine))).json()
    event = ledger.proved_event(told["proved"], note_keys(served.keys))
    assert (event.use_id, event.used_at, event.fields) == (mine.use_id, mine.used_at, ("name", "id_number"))
    assert told["whose"]["person_id"] == str(mine.person_id)
    salt = un_b64url(told["proved"]["salt"])
    subject = ledger.subject_of(salt, mine.person_id, mine.certificate_id, None, None)
    assert un_b64url(told["proved"]["subject"]) == subject
    for look in (b64url(other.code_hash), "x", "A" * 43, "%00"):
        assert (await served.get(f"/resident/uses/{look}/proof", resident(mine))).status_code == 404
    assert (await served.get(path)).status_code == 401


async def test_a_venue_proves_what_it_saw_and_is_not_told_whose_it_was(
    served: Served, db: Database, clock: StoppedClock
) -> None:
    use_id = uuid4()
    uses = [a_use(clock.now(), use_id=use_id) for _ in range(2)]
    await recorded(db, uses)
    await logged(db, clock, served.keys)
    path, near = f"/venue/uses/{use_id}/proof", (clock.now() + timedelta(minutes=4)).isoformat()
    answer = await served.get(path, device_at(STATION, 2), near=near)
    told = answer.json()["proofs"]
    events = [ledger.proved_event(one, note_keys(served.keys)) for one in told]
    assert {event.code_hash for event in events} == {use.code_hash for use in uses}
    for use in uses:
        assert str(use.person_id) not in answer.text
        assert str(use.certificate_id) not in answer.text
    assert (await served.get(path, device_at(HOSPITAL), near=near)).status_code == 404
    assert (await served.get(f"/venue/uses/{uuid4()}/proof", device_at(STATION), near=near)).status_code == 404
    for never in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        assert (await served.get(path, device_at(STATION), near=never)).status_code == 404
    for bad in ("2026-03-02T09:00:00", "yesterday"):
        assert (await served.get(path, device_at(STATION), near=bad)).status_code == 400
    assert (await served.get(path, device_at(STATION))).status_code == 400
    assert (await served.get(path, near=near)).status_code == 401


async def test_no_change_to_a_proof_that_was_handed_out_goes_unnoticed(
    served: Served, db: Database, clock: StoppedClock
) -> None:
    use, *_ = await many_recorded(db, clock, 5)
    await logged(db, clock, served.keys)
    told = await served.get(f"/resident/uses/{b64url(use.code_hash)}/proof", resident(use))
    document, keys = told.json()["proved"], note_keys(served.keys)
    whole = json.dumps(document)
    seen = ledger.proved_event(document, keys)
    unnoticed = []
    for at, character in enumerate(whole):
        for other in {chr(ord(character) ^ 1), character.swapcase(), "0", "A", ""} - {character}:
            changed = whole[:at] + other + whole[at + 1 :]
            if is_proved(changed, keys) and json.loads(changed) != document:
                unnoticed.append((at, character, other))
    assert unnoticed == []
    for name, value in document.items():
        for bad in (None, 1, [], {}, [value], ""):
            assert not is_proved(json.dumps({**document, name: bad}), keys), (name, bad)
    for name, value in document["event"].items():
        for bad in (None, 1.0, [], {}, [value], "", True):
            if bad != value or type(bad) is not type(value):
                changed = {**document, "event": {**document["event"], name: bad}}
                assert not is_proved(json.dumps(changed), keys), (name, bad)
    for more in ({**document, "more": 1}, {**document, "event": {**document["event"], "more": 1}}, [document]):
        assert not is_proved(json.dumps(more), keys)
    assert ledger.proved_event(document, keys) == seen


def is_proved(text: str, keys: list[NoteKey]) -> bool:
    try:
        document = json.loads(text)
    except ValueError:
        return False
    try:
        ledger.proved_event(document, keys)
    except NotANote:
        return False
    return True
