"""What we send to the clouds is believed by the official SDKs' own signers, and what is not ours is not."""

from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest

from kernel.clock import StoppedClock, SystemClock
from notifications.channels.clouds.calling import NotWell
from notifications.channels.provider import Accepted, Refused
from tests.cloud_peer import CloudPeer, cloud_peer
from tests.signed_by_clouds import REFERENCE, TEXTS, an_sms


@pytest.fixture
async def peer() -> AsyncIterator[CloudPeer]:
    async with cloud_peer() as up:
        yield up


async def test_whatever_a_message_says_its_signature_is_believed(peer: CloudPeer) -> None:
    for provider in (peer.aliyun(SystemClock()), peer.tencent(SystemClock())):
        for name in TEXTS:
            assert isinstance(await provider.send(an_sms(name)), Accepted), (provider.name, name)
        assert "knows our key" in await provider.check()
        await provider.close()
    taken = await peer.taken()
    assert [line["cloud"] for line in taken] == ["aliyun"] * len(TEXTS) + ["tencent"] * len(TEXTS)
    assert {line["reference"] for line in taken} == {REFERENCE}


async def test_another_secret_and_another_hour_are_not_believed(peer: CloudPeer) -> None:
    late = StoppedClock(SystemClock().now() - timedelta(hours=1))
    for provider, reason in (
        (peer.aliyun(SystemClock(), secret="other"), "SignatureDoesNotMatch"),
        (peer.tencent(SystemClock(), secret="other"), "AuthFailure.SignatureFailure"),
        (peer.aliyun(late), "InvalidTimeStamp.Expired"),
        (peer.tencent(late), "AuthFailure.SignatureExpire"),
    ):
        assert await provider.send(an_sms("plain")) == Refused("busy", reason)
        with pytest.raises(NotWell, match=reason):
            await provider.check()
        await provider.close()
    assert await peer.taken() == []


async def test_a_message_whose_answer_is_lost_was_taken_once(peer: CloudPeer) -> None:
    await peer.order(cut=True)
    for provider in (peer.aliyun(SystemClock()), peer.tencent(SystemClock())):
        with pytest.raises(aiohttp.ClientError):
            await provider.send(an_sms("plain"))
        await provider.close()
    assert [line["cloud"] for line in await peer.taken()] == ["aliyun", "tencent"]
