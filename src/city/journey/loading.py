"""A department loads a register in two parts, with a mistake in it; then lines come twice, and nothing does."""

import json
from typing import Any, Final
from uuid import uuid4

from city.journey import calling
from city.journey.calling import Answer, Caller
from city.journey.issuing import kind_of, request_of
from city.journey.signing_in import SignedIn
from city.journey.stage import Issued, Stage
from gateway.demo.cast import PlayedPerson

CLIENT: Final = "department:parks"
KIND: Final = "公园志愿护绿员证"
AS_LINES: Final = {"Content-Type": "application/x-ndjson"}
NOBODY: Final = "310101199001010000"
"""An ID number whose check digit is wrong."""


async def play(stage: Stage, person: PlayedPerson, me: SignedIn) -> list[Issued]:
    """Open a load, send it in two parts, look at what was refused; what was issued."""
    story, client = stage.story, stage.client(CLIENT)
    story.act("A department loads its register")
    with story.step(f"{client.owner} proves itself, and opens a load"):
        department = await calling.machine(stage.city, client, issuer=stage.cast.issuer)
        kind = await kind_of(department, KIND)
        path = f"/department/loads/{uuid4()}"
        opened = (await department.ask("PUT", path)).content
        story.equal("it waits for the first line", expected=("open", 1), seen=(opened["state"], opened["next_line"]))
    entries = [request_of(kind, person) for _ in range(3)]
    entries[1]["holder"] = {"id_number": NOBODY, "name": person.name}
    await _send(stage, department, path, entries)
    with story.step("The resident has what could be issued"):
        listed = (await me.app.get("/resident/certificates")).content["certificates"]
        ids = [await _found(department, entry) for entry in (entries[0], entries[2])]
        held = {one["certificate_id"] for one in listed}
        story.equal(
            "each good line is one certificate in the wallet",
            expected=(2, True),
            seen=(len(set(ids)), held >= set(ids)),
        )
    return [Issued(one, kind["kind_code"], KIND, entries[0]["values"], client) for one in ids]


async def _send(stage: Stage, department: Caller, path: str, entries: list[dict[str, Any]]) -> None:
    story = stage.story
    with story.step("Two lines, and then the connection breaks"):
        load = (await _lines(department, path, entries[:2], first=1)).content
        story.equal(
            "one is issued, one is refused",
            expected=(2, 1, 1, 3),
            seen=(load["lines_read"], load["issued"], load["refused"], load["next_line"]),
        )
        gap = await _lines(department, path, entries[2:], first=4, status=409)
        story.equal("no line is left out unnoticed", expected="wallet.load_gap", seen=gap.code)
    with story.step("It goes on, from a line before the one that is wanted"):
        load = (await _lines(department, path, entries[1:], first=2)).content
        story.equal(
            "what was read is skipped, what is new is issued",
            expected=(3, 2, 1),
            seen=(load["lines_read"], load["issued"], load["refused"]),
        )
        refusals = (await department.get(f"{path}/refusals")).content["refusals"]
        story.equal(
            "the line that was refused is told with its reason",
            expected=[(2, "wallet.holder_refused")],
            seen=[(one["line"], one["code"]) for one in refusals],
        )
        story.holds("and no person's number", NOBODY not in str(refusals), expected="no value", seen=refusals)
    with story.step("All of it once more, in another load"):
        other = path[: path.rindex("/")] + f"/{uuid4()}"
        await department.ask("PUT", other)
        load = (await _lines(department, other, entries, first=1)).content
        story.equal(
            "what is known is issued once", expected=(0, 2, 1), seen=(load["issued"], load["known"], load["refused"])
        )
        for one in (path, other):
            finished = (await department.post(f"{one}/finish")).content
        story.equal("a load that is finished takes no more", expected="finished", seen=finished["state"])


async def _lines(
    department: Caller, path: str, entries: list[dict[str, Any]], *, first: int, status: int = 200
) -> Answer:
    raw = "".join(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in entries).encode()
    return await department.ask("POST", f"{path}/lines?from={first}", raw=raw, headers=AS_LINES, status=status)


async def _found(department: Caller, entry: dict[str, Any]) -> str:
    wanted = {"reference": entry["reference"], "kind_code": entry["kind_code"]}
    return str((await department.post("/department/certificates/find", wanted)).content["certificate_id"])
