"""Texts over SMPP, whatever the SMSC does: certain is said of what is certain, and nothing is sent unasked."""

import asyncio
import time
from collections import Counter

import msgspec
import pytest

from city.standins.smsc import Smsc
from kernel.clock import SystemClock
from notifications.channels.provider import Accepted, Refused, user_reference
from notifications.channels.smpp.driver import SmppProvider
from notifications.channels.smpp.session import ConnectionLost
from notifications.channels.smpp.statuses import Status
from notifications.channels.smpp.waiting import AnswerLate, PartlySent
from notifications.model import Reading
from tests.smsc_peer import Store, account, carrying, sms, until

SIGNED = "【随申办】您好"


async def test_texts_arrive_as_they_were_written_each_once(peer: Smsc) -> None:
    texts = [f"{SIGNED} {place}" if place % 2 else f"hello [{place}] €" for place in range(300)]
    async with carrying(peer) as carrier:
        answers = await carrier.provider.send_many([sms(text) for text in texts])
        refs = [answer.provider_refs for answer in answers if isinstance(answer, Accepted)]
        assert len(set(refs)) == len(texts)
        assert Counter(carrier.submitted()) == Counter(texts)
        answered = {said["submit"]: said["id"] for said in peer.events("answer")}
        by_text = {said["text"]: answered[said["submit"]] for said in peer.events("submit")}
        assert refs == [(by_text[text],) for text in texts]


async def test_a_long_text_is_joined_again_and_accepted_when_all_of_it_is(peer: Smsc) -> None:
    text = SIGNED + "长" * 150
    async with carrying(peer) as carrier:
        accepted = await carrier.provider.send(sms(text))
        parts = peer.events("submit")
        assert "".join(part["text"] for part in parts) == text
        assert [(part["part"]["parts"], part["part"]["part"]) for part in parts] == [(3, 1), (3, 2), (3, 3)]
        assert len({part["part"]["reference"] for part in parts}) == 1
        assert isinstance(accepted, Accepted)
        assert list(accepted.provider_refs) == [said["id"] for said in peer.events("answer")]


@pytest.mark.parametrize(
    "status, kind",
    [(Status.RMSGQFUL, "busy"), (Status.RINVSRCADR, "provider"), (Status.RINVDSTADR, "recipient"), (0x445, "provider")],
)
async def test_a_refusal_says_who_could_still_carry_it(peer: Smsc, status: int, kind: str) -> None:
    peer.set(refuse_next=1, refuse_status=int(status))
    async with carrying(peer) as carrier:
        said = await carrier.provider.send(sms(SIGNED))
        assert isinstance(said, Refused)
        assert said.kind == kind
        assert isinstance(await carrier.provider.send(sms(SIGNED)), Accepted)


async def test_a_long_text_refused_at_its_first_part_leaves_nothing_behind(peer: Smsc) -> None:
    peer.set(refuse_next=1, refuse_status=int(Status.RINVDSTADR))
    async with carrying(peer) as carrier:
        assert await carrier.provider.send(sms("长" * 150)) == Refused("recipient", "ESME_RINVDSTADR")
        assert len(peer.events("submit")) == 1


async def test_a_long_text_of_which_a_part_is_refused_for_good_is_not_called_refused(peer: Smsc) -> None:
    peer.set(answer_ms=[50, 50])
    async with carrying(peer) as carrier:
        sending = asyncio.create_task(carrier.provider.send(sms("长" * 100)))
        await until(lambda: len(peer.events("submit")) == 1)
        peer.set(refuse_next=1, refuse_status=int(Status.RINVDSTADR))
        with pytest.raises(PartlySent):
            await sending


async def test_what_the_carrier_calls_the_parts_it_took_is_told_whatever_became_of_the_others(peer: Smsc) -> None:
    """And told again until it is kept: the carrier says it only once."""
    peer.set(answer_ms=[50, 50], receipts=False)
    async with carrying(peer) as carrier:
        parcel = sms("长" * 150)
        sending = asyncio.create_task(carrier.provider.send(parcel))
        await until(lambda: len(peer.events("submit")) == 1)
        carrier.store.fails = True
        peer.set(refuse_next=1, refuse_status=int(Status.RINVDSTADR))
        with pytest.raises(PartlySent):
            await sending
        await asyncio.sleep(0.3)
        assert carrier.store.receipts == []
        carrier.store.fails = False
        await until(lambda: len(carrier.store.receipts) >= 2)
        taken = {said["submit"]: said["id"] for said in peer.events("answer") if not said["status"]}
        assert {
            (one.provider_ref, one.user_reference, one.reference, one.reading) for one in carrier.store.receipts
        } == {
            (taken[submit], user_reference(parcel.reference, part), parcel.reference, Reading.UNDERWAY)
            for submit, part in ((1, 0), (3, 2))
        }


async def test_what_was_taken_while_nobody_listened_is_told_to_who_listens_next(peer: Smsc) -> None:
    peer.set(answer_ms=[50, 50], receipts=False)
    provider = SmppProvider(account(peer), SystemClock())
    sending = asyncio.create_task(provider.send(sms("长" * 100)))
    await until(lambda: len(peer.events("submit")) == 1)
    peer.set(refuse_next=1, refuse_status=int(Status.RINVDSTADR))
    with pytest.raises(PartlySent):
        await sending
    store = Store()
    listening = asyncio.create_task(provider.receipts(store.take, store.hear))
    await until(lambda: len(store.receipts) == 1)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await provider.close()


async def test_the_rest_of_a_long_text_is_tried_again_when_the_carrier_is_only_busy(peer: Smsc) -> None:
    peer.set(answer_ms=[50, 50])
    async with carrying(peer) as carrier:
        sending = asyncio.create_task(carrier.provider.send(sms("长" * 100)))
        await until(lambda: len(peer.events("submit")) == 1)
        peer.set(refuse_next=1, refuse_status=int(Status.RTHROTTLED))
        accepted = await sending
        assert isinstance(accepted, Accepted)
        assert len(accepted.provider_refs) == 2
        assert [said["part"]["part"] for said in peer.events("submit")] == [1, 2, 2]


async def test_a_cut_makes_unknown_what_was_sent_and_nothing_else(peer: Smsc) -> None:
    peer.set(answer_ms=[400, 400])
    texts = [f"{SIGNED} {place}" for place in range(30)]
    async with carrying(peer, window=10) as carrier:
        sending = asyncio.create_task(carrier.provider.send_many([sms(text) for text in texts]))
        await until(lambda: peer.counts()["submits"] > 0)
        peer.cut()
        answers = await sending
        lost = [isinstance(answer, ConnectionLost) for answer in answers]
        assert 0 < sum(lost) <= 10
        assert all(isinstance(answer, Accepted) for answer, was_lost in zip(answers, lost, strict=True) if not was_lost)
        assert Counter(carrier.submitted()) == Counter(texts)


async def test_a_text_given_up_before_it_was_written_is_never_written(peer: Smsc) -> None:
    peer.set(answer_ms=[500, 500])
    async with carrying(peer, window=1) as carrier:
        first = asyncio.create_task(carrier.provider.send(sms("first")))
        await until(lambda: peer.counts()["submits"] == 1)
        given_up = asyncio.create_task(carrier.provider.send_many([sms("second"), sms("third")]))
        await asyncio.sleep(0.1)
        given_up.cancel()
        assert isinstance(await first, Accepted)
        assert isinstance(await carrier.provider.send(sms("fourth")), Accepted)
        assert carrier.submitted() == ["first", "fourth"]


async def test_what_waited_too_long_to_be_written_was_never_sent_and_says_so(peer: Smsc) -> None:
    peer.set(answers_lost=1)
    async with carrying(peer, window=1) as carrier:
        began = time.monotonic()
        sent, waiting = await asyncio.gather(
            carrier.provider.send(sms("first")), carrier.provider.send(sms("second")), return_exceptions=True
        )
        assert isinstance(sent, AnswerLate)
        assert isinstance(waiting, Refused)
        assert waiting.kind == "busy"
        assert time.monotonic() - began < 5
        assert carrier.submitted() == ["first"]


async def test_an_answer_that_comes_too_late_is_told_so_that_its_message_is_found(peer: Smsc) -> None:
    peer.set(answer_ms=[5_000, 5_000], receipts=False)
    async with carrying(peer) as carrier:
        late = sms(SIGNED)
        with pytest.raises(AnswerLate):
            await carrier.provider.send(late)
        await until(lambda: bool(carrier.store.receipts))
        (told,) = carrier.store.receipts
        assert (told.reference, told.reading) == (late.reference, Reading.UNDERWAY)
        assert told.provider_ref == peer.events("answer")[0]["id"]


async def test_an_answer_that_has_lost_its_place_in_the_window_is_told_all_the_same(peer: Smsc) -> None:
    peer.set(answer_ms=[5_500, 5_500], receipts=False)
    async with carrying(peer, window=1) as carrier:
        late = sms("late")
        with pytest.raises(AnswerLate):
            await carrier.provider.send(late)
        peer.set(answer_ms=[0, 0])
        assert isinstance(await carrier.provider.send(sms("next")), Accepted)
        assert carrier.store.receipts == []
        await until(lambda: bool(carrier.store.receipts))
        assert [one.reference for one in carrier.store.receipts] == [late.reference]


async def test_a_throttling_carrier_is_left_alone_for_a_moment_and_then_served_again(peer: Smsc) -> None:
    peer.set(refuse_next=1, refuse_status=int(Status.RTHROTTLED))
    async with carrying(peer) as carrier:
        assert await carrier.provider.send(sms("first")) == Refused("busy", "ESME_RTHROTTLED")
        began = time.monotonic()
        assert isinstance(await carrier.provider.send(sms("second")), Accepted)
        assert time.monotonic() - began > 0.05


async def test_no_more_leaves_in_a_second_than_was_agreed(peer: Smsc) -> None:
    async with carrying(peer, throughput_per_second=100) as carrier:
        began = time.monotonic()
        answers = await carrier.provider.send_many([sms(str(place)) for place in range(60)])
        assert all(isinstance(answer, Accepted) for answer in answers)
        assert time.monotonic() - began >= (60 - 10) / 100 * 0.9


async def test_no_more_wait_for_an_answer_than_the_window_has_places(peer: Smsc) -> None:
    peer.set(answer_ms=[200, 200])
    async with carrying(peer, window=7) as carrier:
        await carrier.provider.send_many([sms(str(place)) for place in range(30)])
        under_way = most = 0
        for said in peer.events("submit", "answer"):
            under_way += 1 if said["event"] == "submit" else -1
            most = max(most, under_way)
        assert 5 <= most <= 7


async def test_answers_that_a_carrier_holds_back_do_not_hold_up_the_rest_of_the_window(peer: Smsc) -> None:
    """What is not urgent leaves in few writes, but never waits for room that does not come."""
    peer.set(answers_lost=1.0, receipts=False)
    async with carrying(peer, window=20) as carrier:
        silent = asyncio.create_task(carrier.provider.send_many([sms(f"silent {place}") for place in range(14)]))
        await until(lambda: peer.counts()["submits"] == 14)
        peer.set(answers_lost=0)
        answers = await carrier.provider.send_many([sms(str(place)) for place in range(200)])
        assert all(isinstance(answer, Accepted) for answer in answers)
        assert not silent.done(), "or nothing was shown"
        silent.cancel()


async def test_a_code_overtakes_a_thousand_notices_in_line(peer: Smsc) -> None:
    peer.set(answer_ms=[10, 10])
    async with carrying(peer, window=10) as carrier:
        notices = asyncio.create_task(carrier.provider.send_many([sms(f"notice {place}") for place in range(1_000)]))
        await until(lambda: peer.counts()["submits"] >= 20)
        already = peer.counts()["submits"]
        assert isinstance(await carrier.provider.send(sms("code")), Accepted)
        assert carrier.submitted().index("code") <= already + 30
        notices.cancel()


async def test_what_cannot_be_written_is_refused_alone(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        nameless = msgspec.structs.replace(sms("two"), reference="no UUID")
        answers = await carrier.provider.send_many([sms("one"), nameless, sms("x" * 2_000), sms("four")])
        assert [getattr(answer, "kind", "accepted") for answer in answers] == [
            "accepted", "recipient", "recipient", "accepted",
        ]  # fmt: skip
        assert sorted(carrier.submitted()) == ["four", "one"]


async def test_several_connections_share_the_work(peer: Smsc) -> None:
    peer.set(answer_ms=[20, 20])
    async with carrying(peer, connections=3, window=10) as carrier:
        await until(lambda: peer.counts()["bound"] == 3)
        answers = await carrier.provider.send_many([sms(str(place)) for place in range(120)])
        assert all(isinstance(answer, Accepted) for answer in answers)
        assert {said["session"] for said in peer.events("submit")} == {1, 2, 3}
