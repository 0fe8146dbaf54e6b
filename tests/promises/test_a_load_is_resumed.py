"""A department loads many certificates in one stream: each once, whatever breaks off; what is refused is reported."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders_loading import NDJSON, a_line, in_pieces, ndjson, opened, refusals, sent, somebody
from tests.builders_wallet import HEALTH_CARD, HEALTH_ID, LICENCE, POLICE_ID
from tests.wire_wallet import Wire
from wallet.loading.lines import BATCH_LINES_MAX, LINE_BYTES_MAX
from wallet.parts import Wallet

SECRET = "不可外传"


async def counted(wallet: Wallet) -> int:
    return int(await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate"))


def counts(answer: httpx.Response) -> tuple[int, int, int, int]:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return body["lines_read"], body["issued"], body["known"], body["refused"]


async def test_a_load_is_read_in_batches_and_said_to_be_known_when_it_comes_again(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    size = BATCH_LINES_MAX + 70
    body = ndjson(a_line(number) for number in range(size))
    first = await opened(police)
    assert counts(await sent(police, first, in_pieces(body, 10_000))) == (size, size, 0, 0)
    second = await opened(police)
    assert counts(await sent(police, second, body)) == (size, 0, size, 0)
    assert counts(await police.get(f"/loads/{second}")) == (size, 0, size, 0)
    assert await counted(wallet) == size
    assert await wallet.db.fetchval("SELECT count(*) FROM notifications.message") == 0


async def test_a_load_that_breaks_off_is_gone_on_with_where_it_stopped(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    lines: list[Any] = [a_line(number) for number in range(3 * BATCH_LINES_MAX)]
    lines[10], lines[BATCH_LINES_MAX + 5] = b"{", a_line(1, reference="L-1", valid_from="2021-01-01")
    body = ndjson(lines)
    load = await opened(police)

    async def cut() -> AsyncIterator[bytes]:
        async for piece in in_pieces(body[: int(len(body) * 0.8)], 4_096):
            yield piece
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await wallet.loading.take(POLICE_ID, load, cut(), first=1, is_told=False, actor="system:test")
    progress = (await police.get(f"/loads/{load}")).json()
    assert progress["next_line"] == 2 * BATCH_LINES_MAX + 1
    rest = ndjson(lines[progress["next_line"] - 1 :])
    expected = (len(lines), len(lines) - 2, 0, 2)
    assert counts(await sent(police, load, rest, first=progress["next_line"])) == expected
    assert counts(await sent(police, load, body)) == expected
    assert [one["line"] for one in await refusals(police, load)] == [11, BATCH_LINES_MAX + 6]
    assert await counted(wallet) == len(lines) - 2


async def test_a_sender_cut_off_in_the_middle_of_a_line_has_not_sent_it(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    body = ndjson([a_line(0), a_line(1)])
    load = await opened(police)
    for end in range(body.index(b"\n") + 2, len(body) - 1):
        if end % 37 == 0:
            answer = await sent(police, load, body[:end])
            assert (answer.status_code, answer.json()["code"]) == (400, "request.malformed")
            assert counts(await police.get(f"/loads/{load}")) == (1, 1, 0, 0)
    assert counts(await sent(police, load, body[:-1])) == (2, 2, 0, 0)


async def test_a_gap_is_refused_with_the_number_wanted(police: httpx.AsyncClient) -> None:
    load = await opened(police)
    await sent(police, load, ndjson([a_line(0)]))
    answer = await sent(police, load, ndjson([a_line(2)]), first=3)
    assert (answer.status_code, answer.json()["code"], answer.json()["next_line"]) == (409, "wallet.load_gap", 2)
    assert counts(await police.get(f"/loads/{load}")) == (1, 1, 0, 0)


BAD_LINES: tuple[tuple[Any, str, str | None], ...] = (
    (b"{", "request.malformed", None),
    (b"", "request.malformed", None),
    (b"\xff\xfe", "request.malformed", None),
    (b"[" * 60_000, "request.malformed", None),
    (b'"' + b"x" * LINE_BYTES_MAX + b'"', "wallet.line_too_long", None),
    (["a", "list"], "request.malformed", None),
    (a_line(1, holder=...), "request.malformed", "holder"),
    (a_line(1) | {SECRET: 1}, "request.malformed", SECRET),
    (a_line(1, valid_from=SECRET), "request.malformed", "valid_from"),
    (a_line(1, holder={"id_number": SECRET, "name": "某"}), "request.malformed", "holder.id_number"),
    (a_line(1, values={"name": {"very": SECRET}}), "request.malformed", "values"),
    (a_line(1, kind_code="1" * 21), "wallet.kind_not_found", None),
    (a_line(1, kind_code=HEALTH_CARD), "wallet.kind_not_entitled", None),
    (a_line(1, holder={"id_number": "310101199001010011", "name": "某"}), "wallet.holder_refused", None),
    (a_line(1, values=a_line(1)["values"] | {"nick_name": SECRET}), "wallet.value_refused", "nick_name"),
    (a_line(1, values=a_line(1)["values"] | {"sex": SECRET}), "wallet.value_refused", "sex"),
    (a_line(1, valid_until="2019-01-01"), "wallet.validity_refused", None),
    (a_line(1, reference="L-0"), "wallet.reference_reused", None),
    (a_line(1, reference="L-x", serial="AB1"), "wallet.identifier_taken", None),
)


async def test_a_bad_line_is_reported_and_keeps_no_other_from_being_issued(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    await sent(police, await opened(police), ndjson([a_line(5_000, serial="AB1")]))
    lines: list[Any] = []
    for number, (bad, _, _) in enumerate(BAD_LINES):
        lines += [a_line(100 + number) if number else a_line(0), bad]
    load = await opened(police)
    answer = await sent(police, load, in_pieces(ndjson(lines), 5_000))
    assert counts(answer) == (len(lines), len(BAD_LINES), 0, len(BAD_LINES))
    report = await refusals(police, load, limit=7)
    assert [(one["line"], one["code"], one["field"]) for one in report] == [
        (2 * number + 2, code, field) for number, (_, code, field) in enumerate(BAD_LINES)
    ]
    named = [one["reference"] for one in report if one["code"] != "request.malformed"]
    assert named == [None] + ["L-1"] * 6 + ["L-0", "L-x"]


async def test_nothing_of_a_refused_line_is_readable_where_reports_are_kept(
    wallet: Wallet, police: httpx.AsyncClient
) -> None:
    load = await opened(police)
    await sent(police, load, ndjson(bad for bad, _, _ in BAD_LINES))
    rows = await wallet.db.fetch("SELECT t::text AS body FROM wallet.issuing_refusal AS t")
    stored = "".join(row["body"] for row in rows)
    assert len(rows) > 10
    for own in (SECRET, "nick_name", "L-1", "L-x", somebody(1).id_number, "310101199001010011"):
        assert own not in stored
        assert own.encode().hex() not in stored
    told = "".join(one["detail"] for one in await refusals(police, load))
    assert SECRET not in told


async def test_a_whole_batch_of_bad_lines_costs_bounded_work(wallet: Wallet, police: httpx.AsyncClient) -> None:
    taken = ndjson(a_line(number, serial=f"S{number}") for number in range(BATCH_LINES_MAX))
    assert counts(await sent(police, await opened(police), taken))[1] == BATCH_LINES_MAX
    again = ndjson(a_line(number, reference=f"X-{number}", serial=f"S{number}") for number in range(BATCH_LINES_MAX))
    load = await opened(police)
    assert counts(await sent(police, load, again)) == (BATCH_LINES_MAX, 0, 0, BATCH_LINES_MAX)
    assert {one["code"] for one in await refusals(police, load)} == {"wallet.identifier_taken"}
    assert await counted(wallet) == BATCH_LINES_MAX


async def test_two_senders_of_one_load_issue_nothing_twice(wallet: Wallet, police: httpx.AsyncClient) -> None:
    lines: list[Any] = [a_line(number) for number in range(2 * BATCH_LINES_MAX + 40)]
    lines[3] = lines[BATCH_LINES_MAX + 3] = b"?"
    load = await opened(police)

    async def slowly() -> AsyncIterator[bytes]:
        async for piece in in_pieces(ndjson(lines), 20_000):
            yield piece
            await asyncio.sleep(0)

    answers = await asyncio.gather(sent(police, load, slowly()), sent(police, load, slowly()))
    expected = (len(lines), len(lines) - 2, 0, 2)
    assert expected in [counts(answer) for answer in answers]
    assert counts(await police.get(f"/loads/{load}")) == expected
    assert [one["line"] for one in await refusals(police, load)] == [4, BATCH_LINES_MAX + 4]
    assert await counted(wallet) == len(lines) - 2


async def test_two_loads_of_the_same_lines_at_once_issue_each_once(wallet: Wallet, police: httpx.AsyncClient) -> None:
    body = ndjson(a_line(number) for number in range(300))
    loads = [await opened(police) for _ in range(3)]
    answers = await asyncio.gather(*(sent(police, load, body) for load in loads))
    assert all(counts(answer)[0] == 300 and counts(answer)[3] == 0 for answer in answers)
    assert await counted(wallet) == 300


async def test_a_load_belongs_to_its_department(wallet: Wallet, police: httpx.AsyncClient) -> None:
    load = await opened(police)
    async with Wire(wallet).department(HEALTH_ID) as health:
        for answer in (
            await health.put(f"/loads/{load}"),
            await health.get(f"/loads/{load}"),
            await health.get(f"/loads/{load}/refusals"),
            await health.post(f"/loads/{load}/finish"),
            await sent(health, load, ndjson([a_line(0)])),
            await sent(health, uuid4(), ndjson([a_line(0)])),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "wallet.load_not_found")


async def test_a_finished_load_takes_no_more_lines(police: httpx.AsyncClient) -> None:
    load = await opened(police)
    await sent(police, load, ndjson([a_line(0)]))
    for _ in range(2):
        assert (await police.post(f"/loads/{load}/finish")).json()["state"] == "finished"
    answer = await sent(police, load, ndjson([a_line(1)]), first=2)
    assert (answer.status_code, answer.json()["code"]) == (409, "wallet.load_finished")
    assert (await police.put(f"/loads/{load}")).json()["state"] == "finished"


async def test_holders_are_told_only_when_the_department_says_so(wallet: Wallet, police: httpx.AsyncClient) -> None:
    await sent(police, await opened(police), ndjson([a_line(0)]), tell="false")
    assert await wallet.db.fetchval("SELECT count(*) FROM notifications.message") == 0
    await sent(police, await opened(police), ndjson([a_line(0), a_line(1)]), tell="true")
    assert await wallet.db.fetchval("SELECT count(*) FROM notifications.message") == 1


async def test_lines_come_as_what_they_are_called(police: httpx.AsyncClient) -> None:
    load = await opened(police)
    answer = await police.post(f"/loads/{load}/lines?from=1", json=a_line(0))
    assert (answer.status_code, answer.json()["code"]) == (415, "request.unsupported_media")
    for first in ("0", "-1", "x", ""):
        answer = await police.post(f"/loads/{load}/lines?from={first}", content=b"", headers=NDJSON)
        assert answer.status_code == 400
    empty = await police.post(f"/loads/{load}/lines?from=1", content=b"\r\n", headers=NDJSON)
    assert counts(empty) == (0, 0, 0, 0)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
_GOOD = st.integers(0, 400).map(a_line)
_SPOILT = st.tuples(_GOOD, st.sampled_from(sorted(a_line(0))), _JSON).map(lambda made: made[0] | {made[1]: made[2]})
_NOISE = st.binary(max_size=60).map(lambda text: text.replace(b"\n", b" "))
_LINE = st.one_of(_GOOD, _GOOD, _SPOILT, _JSON, _NOISE)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_LINE, min_size=1, max_size=30), size=st.integers(1, 4_000), end=st.floats(0, 1))
async def test_whatever_lines_come_each_is_issued_known_or_refused(
    police: httpx.AsyncClient, lines: list[Any], size: int, end: float
) -> None:
    body = ndjson([*lines, a_line(0)])
    load = await opened(police)
    cut = await sent(police, load, in_pieces(body[: int(len(body) * end)], size))
    assert cut.status_code in (200, 400), cut.text
    progress = (await police.get(f"/loads/{load}")).json()
    rest = ndjson([*lines, a_line(0)][progress["next_line"] - 1 :])
    read, issued, known, refused = counts(await sent(police, load, in_pieces(rest, size), first=progress["next_line"]))
    assert read == len(lines) + 1 == issued + known + refused
    report = await refusals(police, load)
    assert [one["line"] for one in report] == sorted({one["line"] for one in report})
    assert len(report) == refused


async def test_a_load_leaves_a_record_of_who_opened_and_finished_it(wallet: Wallet, police: httpx.AsyncClient) -> None:
    load: UUID = await opened(police)
    await sent(police, load, ndjson([a_line(0), b"?"]))
    await police.post(f"/loads/{load}/finish")
    rows = await wallet.db.fetch("SELECT act, actor, detail FROM kernel.audit WHERE subject = $1", f"load:{load}")
    assert {row["act"]: row["actor"] for row in rows} == {
        "wallet.load_open": f"department:{POLICE_ID}",
        "wallet.load_finish": f"department:{POLICE_ID}",
    }
    [detail] = [json.loads(row["detail"]) for row in rows if row["act"] == "wallet.load_finish"]
    assert detail == {"lines": 2, "issued": 1, "known": 0, "refused": 1}


async def test_a_kind_of_another_sort_may_stand_in_the_same_load(wallet: Wallet, police: httpx.AsyncClient) -> None:
    licence = a_line(1, reference="D-1", kind_code=LICENCE, values={"name": "人1", "licence_class": "C1"})
    assert counts(await sent(police, await opened(police), ndjson([a_line(1), licence])))[1] == 2
