"""Whatever one city answers, the others are read as ever, nothing breaks, and operators see which it is since when."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.outside import Fetching
from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.redis import Redis
from kernel.sealing import Keys
from suishenban_verify import jws, trust_list
from suishenban_verify.signatures import b64url
from tests.builders_wallet import a_wallet, scanned
from tests.other_city import ISSUER, LIST, OPERATOR, REGION, TRUST_LIST_URL, Net, OtherCity, refreshed
from tests.wire_wallet import Wire
from wallet.model import Outcome
from wallet.parts import Wallet
from wallet.trust.model import PullFailure
from wallet.trust.pulling import PULLED_EVERY, Puller

HOSTILE = "330200"
LIST_PATH, NAMES_PATH, STATUS_PATH = "/.well-known/trust-list", "/status-lists", "/status-lists/3"
DEEP = "[" * 100_000 + "]" * 100_000

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def text(body: str | bytes) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=body.encode() if isinstance(body, str) else body)

    return answer


async def elsewhere(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://127.0.0.1:1/")


async def without_end(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse()
    await answer.prepare(request)
    while True:
        await answer.write(b"a" * 65_536)


class HostileCity(OtherCity):
    """A city with a server of its own, which answers well until a path is told to answer otherwise."""

    def __init__(self, clock: StoppedClock, port: int) -> None:
        super().__init__(clock, 400, f"http://127.0.0.1:{port}")
        self.answers: dict[str, Answer] = {}

    def good(self) -> dict[str, Answer]:
        uri = self.issuer + STATUS_PATH
        return {
            LIST_PATH: text(self.trust_list()),
            NAMES_PATH: text(json.dumps({"status_lists": [uri]})),
            STATUS_PATH: text(self.status_list(uri=uri)),
        }

    async def serve(self, request: web.Request) -> web.StreamResponse:
        answer = self.answers.get(request.path)
        return web.Response(status=404) if answer is None else await answer(request)

    def claims(self, **changes: Any) -> dict[str, Any]:
        return jws.read(self.trust_list()).payload | changes

    def signed(self, claims: dict[str, Any], typ: str = trust_list.TYPE) -> str:
        return jws.sign(claims, self.root, typ=typ)

    def root_like(self, **changes: Any) -> dict[str, Any]:
        """Its claims, with a third root that its own root vouches for, made to break whoever keeps it."""
        third = {"kty": "OKP", "crv": "Ed25519", "x": b64url(bytes(31) + b"\x01"), "kid": "third"} | changes
        claims = self.claims()
        return claims | {"roots": [*claims["roots"], third]}


@pytest.fixture
async def wallet(db: Database, redis: Redis, clock: StoppedClock, keys: Keys) -> Wallet:
    return await a_wallet(db, redis, clock, keys)


@pytest.fixture
async def hostile(clock: StoppedClock) -> AsyncIterator[HostileCity]:
    port = unused_port()
    city = HostileCity(clock, port)
    app = web.Application()
    app.add_routes([web.get("/{path:.*}", city.serve)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield city
    await runner.cleanup()


@pytest.fixture
async def fetch() -> AsyncIterator[Fetching]:
    opened = Fetching(seconds_max=5)
    yield opened
    await opened.close()


class Both:
    """The hostile city is fetched from over the wire, the good one from a table."""

    def __init__(self, hostile: HostileCity, fetch: Fetching, good: OtherCity) -> None:
        self._origin = hostile.issuer
        self._fetch = fetch
        self.net = Net()
        self.net.answers = {
            TRUST_LIST_URL: good.trust_list(),
            f"{ISSUER}/status-lists": json.dumps({"status_lists": [LIST]}),
            LIST: good.status_list(),
        }

    async def __call__(self, url: str, *, accept: str, bytes_max: int) -> bytes:
        asked = self._fetch if url.startswith(self._origin) else self.net
        return await asked(url, accept=accept, bytes_max=bytes_max)


async def recognise(wallet: Wallet, hostile: HostileCity, good: OtherCity) -> None:
    url = f"{hostile.issuer}{LIST_PATH}"
    await wallet.trust.cities.put(hostile.recognition(region_code=HOSTILE, list_url=url), actor=OPERATOR)
    await wallet.trust.cities.put(good.recognition(list_url=TRUST_LIST_URL), actor=OPERATOR)


async def told(wallet: Wallet) -> dict[str, dict[str, Any]]:
    """The cities as an operator sees them, by region."""
    async with Wire(wallet).operator() as operator:
        return {city["region_code"]: city for city in (await operator.get("/trusted-cities")).json()["cities"]}


def hostile_lists(city: HostileCity) -> Iterator[tuple[PullFailure, str, Answer]]:
    """What to expect of each trust list that is none."""
    refused = PullFailure.TRUST_LIST_REFUSED
    yield PullFailure.TRUST_LIST_NOT_FETCHED, "a redirect", elsewhere
    yield PullFailure.TRUST_LIST_NOT_FETCHED, "a body without end", without_end
    yield refused, "bytes that are no text", text(b"\xff\xfe\x00")
    yield refused, "times beyond the calendar", text(city.signed(city.claims(exp=10**15)))
    yield refused, "a number of thirty digits", text(city.signed(city.claims(seq=10**30)))
    yield refused, "values too deep", text(city.signed(city.claims(iss=json.loads("[" * 500 + "]" * 500))))
    yield refused, "wrong types", text(city.signed(city.claims(issuers={"a": 1}, roots="x")))
    yield refused, "a root whose name holds no character", text(city.signed(city.root_like(kid="\0")))
    yield refused, "a root with a number that nothing holds", text(city.signed(city.root_like(y=10**30)))
    yield refused, "a root with a book in it", text(city.signed(city.root_like(y="a" * 500_000)))


def hostile_names(city: HostileCity) -> Iterator[tuple[PullFailure, str, Answer]]:
    """What to expect of each list of status lists that is none."""
    not_named = PullFailure.STATUS_LISTS_NOT_NAMED
    yield not_named, "a redirect", elsewhere
    yield not_named, "a body without end", without_end
    yield not_named, "bytes that are no text", text(b'{"status_lists": ["\xff"]}')
    yield not_named, "values too deep", text(f'{{"status_lists": {DEEP}}}')
    yield not_named, "a number of five thousand digits", text(f'{{"status_lists": [{"9" * 5_000}]}}')
    yield not_named, "wrong types", text('{"status_lists": {}}')


async def test_a_city_that_answers_anything_at_all_keeps_no_other_from_being_read(
    wallet: Wallet, hostile: HostileCity, fetch: Fetching, clock: StoppedClock
) -> None:
    good = OtherCity(clock)
    await recognise(wallet, hostile, good)
    net = Both(hostile, fetch, good)
    puller = Puller(wallet.db, clock, wallet.trust.cities, net)
    began = None
    cases = [(LIST_PATH, *case) for case in hostile_lists(hostile)]
    cases += [(NAMES_PATH, *case) for case in hostile_names(hostile)]
    for path, failure, what, answer in cases:
        hostile.answers = hostile.good() | {path: answer}
        before = len(net.net.asked)
        assert await puller.pull_due() == 2, what
        assert net.net.asked[before:] == [TRUST_LIST_URL, f"{ISSUER}/status-lists", LIST], what
        began = began or clock.now()
        seen = await told(wallet)
        assert (seen[HOSTILE]["failure"], seen[REGION]["failure"]) == (failure.value, None), what
        assert seen[HOSTILE]["failing_since"] == began.isoformat().replace("+00:00", "Z"), what
        await refreshed(wallet)
        clock.advance(PULLED_EVERY)
    assert (await scanned(wallet, good.code())).outcome is Outcome.VALID
    hostile.answers = hostile.good()
    assert await puller.pull_due() == 2
    seen = await told(wallet)
    assert (seen[HOSTILE]["failure"], seen[HOSTILE]["failing_since"]) == (None, None)


async def test_status_lists_that_are_none_are_left_out_and_the_city_is_marked(
    wallet: Wallet, hostile: HostileCity, fetch: Fetching, clock: StoppedClock
) -> None:
    good = OtherCity(clock)
    await recognise(wallet, hostile, good)
    puller = Puller(wallet.db, clock, wallet.trust.cities, Both(hostile, fetch, good))
    uri, long = hostile.issuer + STATUS_PATH, f"{hostile.issuer}/{'a' * 900}"
    named = text(json.dumps({"status_lists": [long, uri, uri]}))
    claims = jws.read(hostile.status_list(uri=uri)).payload
    for what, answer in {
        "a redirect": elsewhere,
        "a body without end": without_end,
        "bytes that are no text": text(b"\xff"),
        "times beyond the calendar": text(jws.sign(claims | {"exp": 10**15}, hostile.statuses, typ="statuslist+jwt")),
        "wrong types": text(jws.sign(claims | {"status_list": [1]}, hostile.statuses, typ="statuslist+jwt")),
    }.items():
        hostile.answers = hostile.good() | {
            NAMES_PATH: named, STATUS_PATH: answer, f"/{'a' * 900}": text(hostile.status_list(uri=long)),
        }  # fmt: skip
        assert await puller.pull_due() == 2, what
        assert (await told(wallet))[HOSTILE]["failure"] == PullFailure.STATUS_LIST_NOT_TAKEN.value, what
        clock.advance(PULLED_EVERY)
    hostile.answers = hostile.good() | {NAMES_PATH: named}
    assert await puller.pull_due() == 2
    assert (await told(wallet))[HOSTILE]["failure"] is None


async def test_a_city_that_is_too_slow_is_marked_and_holds_up_nobody(
    wallet: Wallet, hostile: HostileCity, clock: StoppedClock
) -> None:
    good = OtherCity(clock)
    await recognise(wallet, hostile, good)
    both = Both(hostile, Fetching(), good)

    async def slowly(url: str, *, accept: str, bytes_max: int) -> bytes:
        if url.startswith(hostile.issuer):
            await asyncio.sleep(60)
        return await both(url, accept=accept, bytes_max=bytes_max)

    assert await Puller(wallet.db, clock, wallet.trust.cities, slowly, seconds_max=0.5).pull_due() == 2
    seen = await told(wallet)
    assert (seen[HOSTILE]["failure"], seen[REGION]["failure"]) == (PullFailure.CITY_TOO_SLOW.value, None)
    assert seen[REGION]["sequence"] == 1


async def test_a_mistake_of_ours_about_one_city_is_told_when_the_others_were_read(
    wallet: Wallet, hostile: HostileCity, clock: StoppedClock
) -> None:
    good = OtherCity(clock)
    await recognise(wallet, hostile, good)
    both = Both(hostile, Fetching(), good)

    async def mistaken(url: str, *, accept: str, bytes_max: int) -> bytes:
        if url.startswith(hostile.issuer):
            raise ZeroDivisionError
        await asyncio.sleep(0.05)
        return await both(url, accept=accept, bytes_max=bytes_max)

    with pytest.raises(ZeroDivisionError):
        await Puller(wallet.db, clock, wallet.trust.cities, mistaken).pull_due()
    assert (await told(wallet))[REGION]["sequence"] == 1


async def test_a_city_whose_list_is_handed_in_from_now_on_fails_no_more(
    wallet: Wallet, hostile: HostileCity, fetch: Fetching, clock: StoppedClock
) -> None:
    good = OtherCity(clock)
    await recognise(wallet, hostile, good)
    await Puller(wallet.db, clock, wallet.trust.cities, Both(hostile, fetch, good)).pull_due()
    assert (await told(wallet))[HOSTILE]["failure"] == PullFailure.TRUST_LIST_NOT_FETCHED.value
    await wallet.trust.cities.put(hostile.recognition(region_code=HOSTILE), actor=OPERATOR)
    assert (await told(wallet))[HOSTILE]["failure"] is None


# --- handed in by hand ------------------------------------------------------------------------------------------------

UNREAD = "UPDATE wallet.trusted_city SET trust_list = NULL, seq = NULL, learned_roots = NULL, read_at = NULL"
_numbers = itertools.count(10**6)
_NONSENSE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, 10**12, 10**15, 2**63, 2**64, 10**30, -1, 1e300, "\0", "a" * 5_000, "\uffff", "𝒳"])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_NAMES = st.text(st.sampled_from("\0\x1f\x7fa钥"), min_size=1, max_size=3)
_BESIDE = (
    st.just({})
    | st.fixed_dictionaries({"kid": _NAMES})
    | st.fixed_dictionaries({"y": st.integers(2**63, 2**70) | st.just(10**400) | _NONSENSE})
)


def places_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, by the way to it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in inside:
        yield (*path, step)
        yield from places_of(inner, (*path, step))


def put_at(document: Any, path: tuple[Any, ...], value: Any) -> None:
    *way, last = path
    for step in way:
        document = document[step]
    document[last] = value


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_its_root_signs_is_taken_or_refused_in_words_and_breaks_nothing(
    wallet: Wallet, clock: StoppedClock, data: st.DataObject
) -> None:
    city = HostileCity(clock, 1)
    await wallet.trust.cities.put(city.recognition(region_code=HOSTILE), actor=OPERATOR)
    await wallet.db.fetch(UNREAD)
    claims = city.root_like(**data.draw(_BESIDE)) | {"seq": next(_numbers)}
    places = sorted(places_of(claims), key=str)
    for path in data.draw(st.just([]) | st.lists(st.sampled_from(places), max_size=2, unique_by=str)):
        with contextlib.suppress(KeyError, IndexError, TypeError):  # the first took the place of the second away
            put_at(claims, path, data.draw(_NONSENSE))
    async with Wire(wallet).operator() as operator:
        answer = await operator.put(f"/trusted-cities/{HOSTILE}/trust-list", json={"token": city.signed(claims)})
        listed = await operator.get("/trusted-cities")
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 422:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "wallet.trust_list_refused"
        assert answer.json()["detail"]
    assert listed.status_code == 200
    await refreshed(wallet)
