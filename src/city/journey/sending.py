"""A department writes a text, has it approved, sends it to one and to twenty, and hears what became of each."""

import json
import secrets
import time
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import jwt
import msgspec

from city.journey import called_back, calling
from city.journey.called_back import DepartmentServer
from city.journey.calling import Answer, Caller, until
from city.journey.signing_in import SignedIn
from city.journey.stage import ARRIVES_WITHIN_SECONDS, Stage, moment, now
from gateway.demo.cast import PlayedPerson

CLIENT: Final = "department:parks"
SIGNATURE: Final = "绿化市容局"
PARK: Final = "世纪公园"
TEXT: Final = "((name))，((park))的((event))将于((from))开始，欢迎您来。"
KEY_PREFIX: Final = "journey-"
LEFT_BEHIND: Final = timedelta(hours=1)
"""Keys of journeys that were broken off so long ago are nobody's any more."""
UUID_CHARACTERS: Final = 36
KNOWN_WITHIN_SECONDS: Final = 8.0
ROWS: Final = 20
FIRST_ROWS: Final = 12
SIMULATED: Final = "+8610000000001"
"""A number that stands for nobody, at which everything arrives."""
SIMULATED_NEVER: Final = "+8610000000002"
AS_LINES: Final = {"Content-Type": "application/x-ndjson"}
BATCH_WITHIN_SECONDS: Final = 25.0
"""How a batch stands is counted every five seconds."""


class Sender(msgspec.Struct, frozen=True):
    """A department with a text in use, and a program of its that sends it."""

    department: Caller
    text_id: str
    key_id: str
    key: str
    event: str
    """Words that stand in no other journey's messages."""

    @property
    def service_id(self) -> str:
        return self.key[: -UUID_CHARACTERS - 1][-UUID_CHARACTERS:]

    def values(self, person: PlayedPerson, event: str = "") -> dict[str, str]:
        starts = (now() + timedelta(days=9)).replace(hour=9, minute=30, second=0, microsecond=0)
        return {"name": person.name, "park": PARK, "event": f"{self.event}{event}", "from": starts.isoformat()}

    def program(self) -> Caller:
        """The program, with a token made for its next request as GOV.UK Notify's clients make them."""
        claims = {"iss": self.service_id, "iat": int(time.time())}
        return self.department.proved(jwt.encode(claims, self.key[-UUID_CHARACTERS:], algorithm="HS256"))

    async def send(self, person: PlayedPerson, event: str) -> str:
        """Send the text to a person's number by the program; the id of the message."""
        body = {
            "phone_number": person.phone, "template_id": self.text_id, "personalisation": self.values(person, event),
            "reference": f"{self.event}{event}",
        }  # fmt: skip
        return str((await self.program().post("/v2/notifications/sms", body, status=201)).content["id"])

    async def ended(self, message_id: str) -> str:
        """How a message ended, once it has."""

        async def look() -> str | None:
            said = (await self.program().get(f"/v2/notifications/{message_id}")).content["status"]
            return None if said in ("created", "sending") else said

        return await until(look, within_seconds=ARRIVES_WITHIN_SECONDS) or "nothing yet"


async def play(stage: Stage, person: PlayedPerson, me: SignedIn, operator: Caller | None) -> Sender | None:
    """Write, have approved, send, hear. None where no operator could sign in."""
    story, client = stage.story, stage.client(CLIENT)
    story.act("A department sends a text of its own")
    if operator is None:
        with story.step("No operator can sign in for now: nothing is approved, and so nothing is sent"):
            return None
    with story.step(f"{client.owner} proves itself"):
        department = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
    event = f"观鸟日{secrets.token_hex(3)}"
    text_id = await _write(stage, department, person, event)
    await _approve(stage, department, operator, text_id)
    sender = await _give_key(stage, department, text_id, event)
    async with called_back.open_server() as (server, url):
        callback_id = await _be_called_back(stage, department, server, url)
        await _send_one(stage, sender, person, me, server if callback_id else None)
        await _send_many(stage, sender, person, me, server if callback_id else None)
        if callback_id is not None:
            with story.step(f"{client.owner} is called back no more"):
                await department.ask("DELETE", f"/department/callbacks/{callback_id}", status=204)
    return sender


async def close(stage: Stage, sender: Sender) -> None:
    """The key is revoked, and the text put away."""
    with stage.story.step("The department puts its text away, and revokes the key"):
        await sender.department.ask("DELETE", f"/department/keys/{sender.key_id}", status=204)
        await sender.department.post(f"/department/texts/{sender.text_id}/archive")

        async def look() -> bool | None:
            return (await sender.program().ask("GET", "/v2/templates", status=None)).status == 403 or None

        refused = await until(look, within_seconds=KNOWN_WITHIN_SECONDS)
        expected = f"within {KNOWN_WITHIN_SECONDS:.0f} s"
        stage.story.holds("a revoked key is refused", refused is True, expected=expected, seen="it is answered")


async def _write(stage: Stage, department: Caller, person: PlayedPerson, event: str) -> str:
    story = stage.story
    with story.step("It writes a text with gaps, and looks at it filled in"):
        content = {
            "name": "公园活动", "lane": "bulk", "zh": {"body": TEXT}, "signature": SIGNATURE,
            "placeholders": {
                "name": {"kind": "name"}, "park": {"kind": "name"}, "from": {"kind": "moment"},
                "event": {"kind": "text", "most": 30},
            },
        }  # fmt: skip
        key, body = {"Idempotency-Key": str(uuid4())}, {"sort": "sms", "content": content}
        written = (await department.ask("POST", "/department/texts", body, headers=key, status=201)).content
        again = (await department.ask("POST", "/department/texts", body, headers=key, status=201)).content
        story.equal("no answer came? the same once more is the same text", expected=written, seen=again)
        path = f"/department/texts/{written['text_id']}"
        values = {"name": person.name, "park": PARK, "event": event}
        shown = (await department.post(f"{path}/versions/1/preview", {"values": values})).content
        [sms] = shown["shown"]
        story.holds("it is shown as it will read", event in sms["text"], expected=event, seen=sms["text"])
        story.equal("with the gap that is left", expected=["from"], seen=shown["missing"])
        cost = (sms["cost"]["alphabet"], sms["cost"]["segments"] >= 1)
        story.equal("and what it costs as an SMS", expected=("ucs2", True), seen=cost)
        refused = await department.post(f"{path}/messages", {"phone": person.phone, "values": values}, status=404)
        story.equal("nobody is sent what nobody approved", expected="services.text_not_in_use", seen=refused.code)
    return str(written["text_id"])


async def _approve(stage: Stage, department: Caller, operator: Caller, text_id: str) -> None:
    story, path = stage.story, f"texts/{text_id}/versions/1"
    with story.step("It hands the text in, and the operator approves it"):
        submitted = (await department.post(f"/department/{path}/submit")).content["state"]
        looked = (await operator.get(f"/operator/{path}")).content["version"]
        story.equal("the operator reads just what was written", expected=TEXT, seen=looked["content"]["zh"]["body"])
        approved = (await operator.post(f"/operator/{path}/approve", {})).content["version"]["state"]
        story.equal("it is approved", expected=("submitted", "approved"), seen=(submitted, approved))


async def _give_key(stage: Stage, department: Caller, text_id: str, event: str) -> Sender:
    with stage.story.step("It makes a key for a program, which it is shown once"):
        for one in (await department.get("/department/keys")).content["keys"]:
            if one["name"].startswith(KEY_PREFIX) and moment(one["made_at"]) < now() - LEFT_BEHIND:
                await department.ask("DELETE", f"/department/keys/{one['key_id']}", status=204)
        wanted = {"name": f"{KEY_PREFIX}{secrets.token_hex(4)}", "kind": "live"}
        made = (await department.post("/department/keys", wanted, status=201)).content
        sender = Sender(department, text_id, made["key_id"], made["key"], event)

        async def look() -> Answer | None:
            answer = await sender.program().ask("GET", f"/v2/template/{text_id}", status=None)
            return answer if answer.status == 200 else None

        known = await until(look, within_seconds=KNOWN_WITHIN_SECONDS)
        seen = None if known is None else known.content["body"]
        stage.story.equal("a program written for GOV.UK Notify reads the text with it", expected=TEXT, seen=seen)
    return sender


async def _be_called_back(stage: Stage, department: Caller, server: DepartmentServer, url: str) -> str | None:
    """The id of a callback that works; None where the city is on another machine, or as many are set as may be."""
    if not called_back.is_beside(stage.city.url):
        return None
    story, path = stage.story, f"/department/callbacks/{uuid4()}"
    with story.step("It says where it wants to be called back"):
        wanted = {"url": url, "events": ["message.delivered", "message.failed", "batch.finished"]}
        made = await department.ask("PUT", path, wanted, status=None)
        if made.status == 409:  # other journeys are being played
            return None
        server.secret = made.content["secret"] or ""
        await department.post(f"{path}/test", status=202)
        tried = await until(_later(server, "callback.test"), within_seconds=ARRIVES_WITHIN_SECONDS)
        story.equal("it is called, signed with the secret it was shown once", expected=True, seen=tried)
        story.equal("and by nobody else", expected=0, seen=server.disbelieved)
    return path.rpartition("/")[2]


def _later(server: DepartmentServer, kind: str, **fields: Any) -> Any:
    async def look() -> bool | None:
        return server.told(kind, **fields)

    return look


async def _send_one(
    stage: Stage, sender: Sender, person: PlayedPerson, me: SignedIn, server: DepartmentServer | None
) -> None:
    story = stage.story
    with story.step("The program sends it to one"):
        await me.phone.forget()
        message_id = await sender.send(person, "一")
        sms = await me.phone.await_sms("the SMS comes", f"{sender.event}一")
        story.holds(
            "signed by the department", sms.text.startswith(f"【{SIGNATURE}】"), expected="【…】", seen=sms.text
        )
        story.equal("and the program is told", expected="delivered", seen=await sender.ended(message_id))
        if server is not None:
            heard = await until(
                _later(server, "message.delivered", message_id=message_id), within_seconds=ARRIVES_WITHIN_SECONDS
            )
            story.equal("so is the department's server, without asking", expected=True, seen=heard)


async def _send_many(
    stage: Stage, sender: Sender, person: PlayedPerson, me: SignedIn, server: DepartmentServer | None
) -> None:
    story, department = stage.story, sender.department
    rows = [_row(SIMULATED, sender.values(person, f"·{number}"), number) for number in range(1, ROWS - 1)]
    rows.append(_row(person.phone, sender.values(person, "众"), ROWS - 1))
    rows.append(_row("12", sender.values(person), ROWS))
    path = f"/department/batches/{uuid4()}"
    with story.step(f"It sends it to {ROWS}, and the connection breaks after {FIRST_ROWS}"):
        batch = {"name": "观鸟日通知", "text_id": sender.text_id, "rows": ROWS}
        await department.ask("PUT", path, batch)
        await _lines(department, path, rows[:FIRST_ROWS], first=1)
        missing = (await department.get(f"{path}/missing")).content["missing"]
        story.equal(
            "it is told which rows are missing", expected=[{"first": FIRST_ROWS + 1, "last": ROWS}], seen=missing
        )
        early = await department.post(f"{path}/start", {}, status=409)
        story.equal("nothing starts with a gap unnoticed", expected="notifications.batch_incomplete", seen=early.code)
    with story.step("All rows are sent once more, and one of them is mended"):
        took = (await _lines(department, path, rows, first=1)).content
        story.equal("each counts once", expected=(ROWS, 1), seen=(took["received"], took["refused"]))
        refused = (await department.get(f"{path}/refused")).content["refused"]
        seen = [(one["row"], one["code"]) for one in refused]
        story.equal("the bad one is told with its reason", expected=[(ROWS, "services.recipient_refused")], seen=seen)
        await _lines(department, path, [_row(SIMULATED_NEVER, sender.values(person), ROWS)], first=ROWS)
    with story.step("The batch starts"):
        await me.phone.forget()
        await department.post(f"{path}/start", {})
        await me.phone.await_sms("the SMS comes", f"{sender.event}众")

        async def look() -> dict[str, Any] | None:
            found = (await department.get(path)).content
            return found if found["state"] == "finished" and found["delivered"] + found["failed"] == ROWS else None

        end = await until(look, within_seconds=BATCH_WITHIN_SECONDS, every_seconds=0.5) or {}
        counted = (end.get("delivered"), end.get("failed"), end.get("unknown"))
        story.equal("what became of each of them is known", expected=(ROWS - 1, 1, 0), seen=counted)
        if server is not None:
            batch_id = path.rpartition("/")[2]
            heard = await until(
                _later(server, "batch.finished", batch_id=batch_id), within_seconds=ARRIVES_WITHIN_SECONDS
            )
            story.equal("the department's server hears that it is over", expected=True, seen=heard)


def _row(phone: str, values: dict[str, str], number: int) -> dict[str, Any]:
    return {"phone": phone, "values": values, "reference": f"row-{number}"}


async def _lines(department: Caller, path: str, rows: list[dict[str, Any]], *, first: int) -> Answer:
    raw = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()
    return await department.ask("POST", f"{path}/lines?from={first}", raw=raw, headers=AS_LINES)
