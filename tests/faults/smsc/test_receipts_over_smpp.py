"""Receipts over SMPP come late, doubled, in any order, before the answer: none is lost, none acknowledged unstored."""

import asyncio
from collections import Counter

from city.standins.smsc import Smsc
from notifications.channels.provider import Accepted, RawReceipt
from notifications.channels.smpp import codec
from notifications.channels.smpp.codec import pdu
from notifications.model import Reading
from tests.smsc_peer import OUR_NUMBER, Carrier, carrying, sms, until


async def sent(carrier: Carrier, count: int) -> list[str]:
    answers = await carrier.provider.send_many([sms(f"notice {place}") for place in range(count)])
    return [answer.provider_refs[0] for answer in answers if isinstance(answer, Accepted)]


def refs(receipts: list[RawReceipt]) -> list[str]:
    return [receipt.provider_ref for receipt in receipts]


async def test_every_receipt_arrives_in_whatever_order(peer: Smsc) -> None:
    peer.set(receipts_first=0.3, receipts_doubled=0.3, receipt_ms=[0, 300], undelivered=0.2)
    async with carrying(peer) as carrier:
        accepted = await sent(carrier, 200)
        await until(lambda: set(refs(carrier.store.receipts)) >= set(accepted))
        await until(lambda: peer.counts()["receipts_taken"] == peer.counts()["receipts"])
        said = {one["id"]: one["stat"] for one in peer.events("receipt")}
        for receipt in carrier.store.receipts:
            assert (
                receipt.reading
                is {"DELIVRD": Reading.DELIVERED, "UNDELIV": Reading.UNDELIVERED}[said[receipt.provider_ref]]
            )
        told = Counter(one["id"] for one in peer.events("receipt"))
        assert Counter(refs(carrier.store.receipts)) == told
        assert 2 in told.values()


async def test_a_receipt_is_not_acknowledged_before_it_is_stored(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        carrier.store.is_open.clear()
        await sent(carrier, 5)
        await until(lambda: peer.counts()["receipts"] == 5)
        await asyncio.sleep(0.2)
        assert peer.counts()["receipts_taken"] == 0
        carrier.store.is_open.set()
        await until(lambda: peer.counts()["receipts_taken"] == 5)
        assert len(carrier.store.receipts) == 5


async def test_a_receipt_that_cannot_be_stored_is_sent_back_and_comes_again(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        carrier.store.fails = True
        accepted = await sent(carrier, 5)
        await until(lambda: len(peer.events("receipt_taken")) >= 5)
        assert {said["status"] for said in peer.events("receipt_taken")} == {0x64}
        carrier.store.fails = False
        await until(lambda: set(refs(carrier.store.receipts)) == set(accepted))


async def test_receipts_that_nobody_acknowledged_come_again_after_a_cut(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        carrier.store.is_open.clear()
        accepted = await sent(carrier, 20)
        await until(lambda: peer.counts()["receipts"] == 20)
        peer.cut()
        carrier.store.is_open.set()
        await until(lambda: peer.counts()["receipts_taken"] == 20)
        assert set(refs(carrier.store.receipts)) == set(accepted)


async def test_receipts_wait_at_the_carrier_while_nobody_listens(peer: Smsc) -> None:
    async with carrying(peer) as first:
        assert await sent(first, 1)
        first.store.fails = True
        peer.set(receipt_ms=[300, 300])
        accepted = await sent(first, 3)
    assert peer.counts()["bound"] == 0
    async with carrying(peer) as second:
        await until(lambda: set(refs(second.store.receipts)) >= set(accepted))


async def test_a_receipt_whose_answer_was_lost_says_which_message_it_means(peer: Smsc) -> None:
    peer.set(answers_lost=1)
    async with carrying(peer) as carrier:
        sending = asyncio.create_task(carrier.provider.send(parcel := sms("hello")))
        await until(lambda: bool(carrier.store.receipts))
        (receipt,) = carrier.store.receipts
        assert receipt.user_reference == int(parcel.reference.replace("-", ""), 16) & 0xFFFF
        assert receipt.phone == parcel.phone
        peer.cut()
        await asyncio.gather(sending, return_exceptions=True)


async def test_ids_written_in_two_ways_are_one(peer: Smsc) -> None:
    for form in ("text", "tlv", "both"):
        peer.set(ids="hex_answers", receipt_form=form)
        async with carrying(peer, message_ids="answers_hex") as carrier:
            accepted = await sent(carrier, 20)
            await until(lambda: len(carrier.store.receipts) == 20)
            assert set(refs(carrier.store.receipts)) == set(accepted)


async def test_what_people_answer_is_heard_and_acknowledged_once_it_is_kept(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        await until(lambda: peer.counts()["bound"] == 1)
        carrier.store.is_open.clear()
        peer.text(source_addr="13900000000", destination_addr=OUR_NUMBER, data_coding=8, short_message="退订")
        await asyncio.sleep(0.2)
        assert peer.events("text_taken") == []
        carrier.store.is_open.set()
        await until(lambda: bool(peer.events("text_taken")))
        (heard,) = carrier.store.texts
        assert (heard.provider, heard.from_phone, heard.to_number, heard.text) == (
            "first", "+8613900000000", OUR_NUMBER, "退订",
        )  # fmt: skip


async def test_a_malformed_receipt_is_refused_and_holds_nobody_up(peer: Smsc) -> None:
    async with carrying(peer) as carrier:
        await until(lambda: peer.counts()["bound"] == 1)
        peer.octets(pdu(codec.DELIVER_SM, 0, 77, b"no end") + pdu(0x00000BAD, 0, 78))
        await until(lambda: bool(peer.events("generic_nack")))
        accepted = await sent(carrier, 3)
        await until(lambda: set(refs(carrier.store.receipts)) == set(accepted))
        assert peer.counts()["bound"] == 1
