"""A department says where it is called back, and knows by the signature that it is us; nobody is called of ours."""

import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from uuid import uuid4

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from kernel.clock import StoppedClock
from kernel.ids import DepartmentId
from notifications.callbacks.addresses import Reach
from notifications.callbacks.calling import HttpCalls
from notifications.callbacks.endpoints.setting import Set
from notifications.callbacks.errors import AddressNotCalled, CallbackIdTaken, CallbackNotFound, TooManyCallbacks
from notifications.callbacks.model import ENDPOINTS_MAX, EndpointId, EventType
from notifications.callbacks.parts import Callbacks
from tests.builders_callbacks import SERVICE, a_callback, callbacks_over, something_ended


def verified(secret: str, told: tuple[dict[str, str], bytes]) -> dict:
    """What the official library makes of a call."""
    headers, body = told
    return Webhook(secret).verify(body, headers)


# ---- signed ----------------------------------------------------------------------------------------------------------


async def test_every_call_verifies_with_the_official_library(db, clock, keys, theirs):
    server, url = theirs
    clock = StoppedClock(datetime.now(UTC))  # the library knows no clock but its own
    async with callbacks_over(db, clock, keys) as callbacks:
        made = await a_callback(callbacks, url, SERVICE)
        [message_id] = await something_ended(callbacks, db, clock, keys)
        await callbacks.telling.tell_everything()
        [told] = server.told
        said = verified(made.secret, told)
        assert said["type"] == "message.delivered"
        assert datetime.fromisoformat(said["timestamp"]) == clock.now()
        assert said["data"] == {
            "message_id": str(message_id),
            "reference": None,
            "batch_id": None,
            "channel": "sms",
            "state": "delivered",
            "reason": None,
        }
        headers, body = told
        for wrong in ((headers, body + b" "), (headers | {"webhook-id": "evt_other"}, body)):
            with pytest.raises(WebhookVerificationError):
                verified(made.secret, wrong)


async def test_while_a_secret_is_changed_either_verifies_and_then_only_the_new_one(db, keys, theirs):
    server, url = theirs
    clock = StoppedClock(datetime.now(UTC))
    async with callbacks_over(db, clock, keys) as callbacks:
        old = await a_callback(callbacks, url, SERVICE)
        overlap = timedelta(minutes=1)
        new = await callbacks.setting.rotate(SERVICE, old.endpoint.endpoint_id, overlap)
        await callbacks.endpoints.snapshot.refresh()
        for _ in range(2):
            await something_ended(callbacks, db, clock, keys)
            await callbacks.telling.tell_everything()
            clock.advance(overlap)
        first, second = server.told
        assert old.secret != new.secret
        assert verified(old.secret, first) == verified(new.secret, first)
        assert verified(new.secret, second)
        with pytest.raises(WebhookVerificationError):
            verified(old.secret, second)


async def test_nothing_of_an_address_or_a_secret_is_kept_in_the_clear(db, keys, callbacks, theirs):
    _, url = theirs
    made: Set = await a_callback(callbacks, f"{url}?token=theirs-alone", SERVICE)
    kept = str(await db.fetch("SELECT * FROM notifications.callback_endpoint")).encode()
    assert b"theirs-alone" not in kept
    assert made.secret.removeprefix("whsec_").encode() not in kept
    assert made.secret not in repr(made)
    assert "theirs-alone" not in repr(made.endpoint)


# ---- set -------------------------------------------------------------------------------------------------------------


async def test_a_department_has_so_many_callbacks_and_nobody_elses(db, callbacks, theirs):
    _, url = theirs
    made = [await a_callback(callbacks, url, SERVICE) for _ in range(ENDPOINTS_MAX)]
    with pytest.raises(TooManyCallbacks):
        await a_callback(callbacks, url, SERVICE)
    first = made[0].endpoint.endpoint_id
    other = DepartmentId(uuid4())
    with pytest.raises(CallbackIdTaken):
        await callbacks.setting.put(other, first, url, [EventType.FAILED])
    with pytest.raises(CallbackNotFound):
        await callbacks.setting.remove(other, first)
    again = await callbacks.setting.put(SERVICE, first, url, [EventType.FAILED])
    assert again.secret is None
    assert again.endpoint.events == {EventType.FAILED}
    await callbacks.setting.remove(SERVICE, first)
    await a_callback(callbacks, url, SERVICE)
    with pytest.raises(CallbackIdTaken):
        await callbacks.setting.put(SERVICE, first, url, [EventType.FAILED])


async def test_no_address_of_our_own_is_called(db, clock, keys):
    callbacks = Callbacks(db, clock, keys)
    for url in (
        "http://app.example/calls",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]:8700/",
        "https://10.0.0.8/",
        "https://192.168.1.1/",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.8]/",
        "https://[64:ff9b::a00:8]/",
        "https://[2002:a00:8::]/",
        "https://[fd00::1]/",
        "https://user@app.example/",
        "https://app.example/#there",
        "https://app.example:0/",
        "ftp://app.example/",
        "https:///calls",
    ):
        with pytest.raises(AddressNotCalled):
            await callbacks.setting.put(SERVICE, EndpointId(uuid4()), url, [EventType.FAILED])
    made = await callbacks.setting.put(SERVICE, EndpointId(uuid4()), "https://app.example/calls", [EventType.FAILED])
    assert made.secret is not None
    await callbacks.close()


class LeadsTo(AbstractResolver):
    """What names lead to, as whoever owns them says: here, to an address of ours."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=self._address, port=port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.8", "169.254.169.254", "::1", "fd00::1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_to_us_is_not_called_whatever_it_looks_like(address):
    calls = HttpCalls(Reach(), seconds_max=2.0, names=lambda: LeadsTo(address))
    answer = await calls.call(SERVICE, "https://app.example/calls", {}, b"{}")
    await calls.close()
    assert (answer.is_taken, answer.reason) == (False, "its name leads to no address we call")


@pytest.mark.parametrize(
    "host",
    [
        "127.1", "2130706433", "0x7f.1", "0x7F000001", "0177.0.0.1", "127.0.0.1.", "127.0.0.0x1", "app.example.1", "0x",
        "%31%32%37.0.0.1", "127.0.0.%31", "localhost.", "app.localhost", "LOCALHOST", "app..example", ".", "a\u3002b",
        "[fec0::1]", "[::127.0.0.1]", "[fe80::1%25eth0]",
    ],
)  # fmt: skip
def test_an_address_of_ours_in_another_spelling_is_not_set(host):
    assert Reach().wrong_with(f"https://{host}/calls") is not None


@pytest.mark.parametrize(
    "host", ["app.example", "app.example.", "a-1.b_2.xn--fiqs8s:8443", "1.example", "[2400:da00::1]"]
)
def test_any_other_host_is_called(host):
    assert Reach().wrong_with(f"https://{host}/calls") is None


def test_a_network_of_the_governments_own_is_called_where_the_city_says_so():
    reach = Reach(networks=[ip_network("10.20.0.0/16")])
    assert reach.wrong_with("https://10.20.1.2/calls") is None
    assert reach.admits("10.20.1.2")
    assert not reach.admits("10.21.1.2")
    assert reach.wrong_with("http://10.20.1.2/calls") is not None
