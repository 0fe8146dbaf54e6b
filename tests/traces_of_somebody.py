"""One person's traces in the parts of a city that a journey leaves none in, and what is written when it fails."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from city.journey import calling, issuing, operating, signing_in
from city.journey.calling import Answer, Caller
from city.journey.issuing import IDENTITY_CARD
from city.journey.showing import SCENARIO_OF
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage, now
from gateway.demo.cast import PlayedPerson
from gateway.miniapp.demo_texts import DEMO_TEXTS
from kernel.clock import SystemClock
from suishenban_verify import claim_set, offline_code
from tests import traces_in_notifications
from tests.builders_joining import an_application
from tests.other_city import REGION, THEIR_CARD, OtherCity
from tests.traces_in_notifications import NoticeTraces

POLICE: Final = "department:police"
PRINTABLE: Final = "无犯罪记录证明"
SCENARIO: Final = SCENARIO_OF[IDENTITY_CARD]
NOBODY: Final = "310101199001010000"
"""An ID number whose check digit is wrong."""
LINES: Final = {"Content-Type": "application/x-ndjson"}


class Traces(msgspec.Struct):
    """Somebody, whoever else writes about them, and what was made for them."""

    stage: Stage
    person: PlayedPerson
    other: PlayedPerson
    me: SignedIn
    police: Caller
    operator: Caller
    card: Issued
    proof: Issued
    notices: NoticeTraces

    async def leave(self) -> str:
        """Have every part of the city told of the person; the text of an offline code of theirs."""
        for write in self.writes():
            answer = await write()
            assert answer.status < 300, answer.words()
        await self.notices.have_come()
        return await self.shown_offline()

    def writes(self) -> list[Callable[[], Awaitable[Answer]]]:
        """Writes of every sort, each with the person in it, under names of its own each time."""
        return [
            self._files_an_application,
            self._gives_a_mandate,
            self._registers_a_guardianship,
            self._loads_what_is_refused,
            self._prints,
            self._recognises_a_city,
            *self.notices.writes(),
        ]

    async def shown_offline(self) -> str:
        body = {"scenario_code": SCENARIO, "certificates": [{"certificate_id": self.card.certificate_id}]}
        return str((await self.me.app.post("/resident/offline-codes", body, status=201)).content["text"])

    async def _files_an_application(self) -> Answer:
        contact = {"name": self.person.name, "phone": self.person.phone}
        body = an_application(contact=contact)
        return await self.stage.city.ask("PUT", f"/venue-applications/{uuid4()}", body, status=None)

    async def _gives_a_mandate(self) -> Answer:
        expires_at = (now() + timedelta(days=30)).isoformat()
        body = {"agent": _identity(self.other), "expires_at": expires_at, "scenario_codes": [SCENARIO]}
        return await self.me.app.ask("PUT", f"/resident/mandates/{uuid4()}", body, status=None)

    async def _registers_a_guardianship(self) -> Answer:
        until = (now() + timedelta(days=30)).date().isoformat()
        body = {"guardian": _identity(self.person), "ward": _identity(self.other), "until": until}
        return await self.police.ask("PUT", f"/department/guardianships/{uuid4()}", body, status=None)

    async def _loads_what_is_refused(self) -> Answer:
        """Lines that are wrong in the ways in which lines are wrong, with people where they do not belong."""
        path = f"/department/loads/{uuid4()}"
        opened = await self.police.ask("PUT", path, status=None)
        if opened.status != 200:
            return opened
        name, number = self.person.name, self.person.id_number
        kind = await issuing.kind_of(self.police, self.card.name_zh)
        good = issuing.request_of(kind, self.person)
        lines: list[Any] = [
            {**good, "reference": number, name: number},
            {**good, "reference": number, "values": {name: number}},
            {**good, "reference": number, "values": {number: name}},
            {**good, "reference": f"{number}-2", "holder": {"id_number": NOBODY, "name": name}},
            {**good, "reference": f"{number}-3", "values": {**good["values"], "birth_date": name}},
            {**good, "reference": f"{number}-4", "kind_code": name},
            {**good, "reference": f"{number}-5", "valid_from": number},
            {"reference": name, name: name},
            name,
            [number],
        ]
        raw = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
        raw += name.encode("gbk") + b"\n" + f'{{"{name}\n'.encode()
        answer = await self.police.ask("POST", f"{path}/lines?from=1", raw=raw, headers=LINES, status=None)
        if answer.status == 200:
            assert answer.content["refused"] == len(lines) + 2, answer.words()
        return answer

    async def _prints(self) -> Answer:
        path = f"/resident/certificates/{self.proof.certificate_id}/proofs"
        printed = await self.me.app.ask("POST", path, status=None, headers={"Accept": "application/json"})
        if printed.status != 201:
            return printed
        where = "/P/" + printed.content["text"].rpartition("/")[2]
        claim = {"name": self.person.name, "last_four": self.person.id_number[-4:]}
        await self.stage.city.post(where, {**claim, "name": self.other.name})
        form = await self.stage.city.ask("POST", where, form=claim)
        assert form.media == "text/html", form.media
        return await self.stage.city.ask("POST", where, claim, status=None)

    async def _recognises_a_city(self) -> Answer:
        city = OtherCity(SystemClock())
        body = {
            "issuer": city.issuer,
            "name_zh": "外市",
            "name_en": "Another city",
            "roots": [dict(city.root.public.jwk)],
            "kinds": {THEIR_CARD: self.card.kind_code},
        }
        path = f"/operator/trusted-cities/{REGION}"
        put = await self.operator.ask("PUT", path, body, status=None)
        if put.status != 204:
            return put
        token = {"token": city.trust_list(sequence=city.now)}
        return await self.operator.ask("PUT", f"{path}/trust-list", token, status=None)


async def begin(stage: Stage, id_number: str) -> Traces:
    """Sign the person in, prove who writes about them, and issue what they will show and print."""
    person = next(one for one in stage.cast.residents if one.id_number == id_number)
    other = next(one for one in stage.cast.residents if one.id_number != id_number)
    client = stage.client(POLICE)
    police = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
    operator = await operating.sign_in(stage)
    assert operator is not None
    me = await signing_in.play(stage, person)
    card = await issuing.issue(police, client, IDENTITY_CARD, person)
    proof = await issuing.issue(police, client, PRINTABLE, person)
    notices = await traces_in_notifications.begin(stage, person, me, DEMO_TEXTS[0])
    return Traces(stage, person, other, me, police, operator, card, proof, notices)


def beside_what_it_shows(text: str) -> bytes:
    """All bytes of an offline code but the values it shows: what a device that keeps it learns besides."""
    presented = offline_code.read(text)
    body = presented.cwt
    for shown in claim_set.read(presented.message.payload).certificates:
        for value in shown.fields.values():
            body = body.replace(str(value).encode(), b"")
    return body


def ids_in(content: bytes, *ids: UUID) -> set[UUID]:
    """Which of the ids stand in bytes, in any form of a UUID."""
    lowered = content.lower()
    return {one for one in ids if one.bytes in content or str(one).encode() in lowered or one.hex.encode() in lowered}


def _identity(person: PlayedPerson) -> dict[str, str]:
    return {"id_number": person.id_number, "name": person.name}
