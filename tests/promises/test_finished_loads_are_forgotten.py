"""A finished load and its report are kept long enough to be read, and no longer; what it issued stays."""

from datetime import timedelta

import httpx

from kernel.clock import StoppedClock
from tests.builders_loading import a_line, ndjson, opened, refusals, sent
from tests.builders_wallet import POLICE_ID
from wallet.loading.forgetting import FINISHED_KEPT_FOR, LOADS_AT_ONCE_MAX
from wallet.parts import Wallet

MINUTE = timedelta(minutes=1)


async def kept(wallet: Wallet) -> tuple[int, int, int]:
    """How many loads, refused lines and certificates there are."""
    counts = [
        await wallet.db.fetchval("SELECT count(*) FROM wallet.issuing_load"),
        await wallet.db.fetchval("SELECT count(*) FROM wallet.issuing_refusal"),
        await wallet.db.fetchval("SELECT count(*) FROM wallet.certificate"),
    ]
    return counts[0], counts[1], counts[2]


async def test_ninety_days_after_it_was_finished_a_load_and_its_report_are_gone(
    wallet: Wallet, police: httpx.AsyncClient, clock: StoppedClock
) -> None:
    body = ndjson([a_line(1), b"nonsense", a_line(2)])
    finished, left_open = await opened(police), await opened(police)
    for load_id in (finished, left_open):
        assert (await sent(police, load_id, body)).status_code == 200
    assert (await police.post(f"/loads/{finished}/finish")).status_code == 200
    clock.advance(FINISHED_KEPT_FOR - MINUTE)
    await wallet.loading.forget_finished()
    assert len(await refusals(police, finished)) == 1
    assert await kept(wallet) == (2, 2, 2)
    clock.advance(2 * MINUTE)
    await wallet.loading.forget_finished()
    gone = await police.get(f"/loads/{finished}")
    assert (gone.status_code, gone.json()["code"]) == (404, "wallet.load_not_found")
    assert (await police.get(f"/loads/{finished}/refusals")).status_code == 404
    assert len(await refusals(police, left_open)) == 1
    assert await kept(wallet) == (1, 1, 2)


async def test_a_load_that_was_forgotten_and_is_sent_again_issues_nothing_twice(
    wallet: Wallet, police: httpx.AsyncClient, clock: StoppedClock
) -> None:
    load_id, body = await opened(police), ndjson([a_line(1), a_line(2)])
    await sent(police, load_id, body)
    await police.post(f"/loads/{load_id}/finish")
    clock.advance(FINISHED_KEPT_FOR + MINUTE)
    await wallet.loading.forget_finished()
    assert (await police.put(f"/loads/{load_id}")).json()["lines_read"] == 0
    again = (await sent(police, load_id, body)).json()
    assert (again["issued"], again["known"]) == (0, 2)
    assert (await kept(wallet))[2] == 2


async def test_many_old_loads_are_forgotten_a_bounded_number_at_a_time(
    wallet: Wallet, police: httpx.AsyncClient, clock: StoppedClock
) -> None:
    await wallet.db.fetch(
        """
        INSERT INTO wallet.issuing_load
        SELECT gen_random_uuid(), $1, 'finished', $2, $2, 0, 0, 0, 0 FROM generate_series(1, $3::integer)
        """,
        POLICE_ID, clock.now(), LOADS_AT_ONCE_MAX + 5,
    )  # fmt: skip
    clock.advance(FINISHED_KEPT_FOR + MINUTE)
    await wallet.loading.forget_finished()
    assert (await kept(wallet))[0] == 5
    await wallet.loading.forget_finished()
    assert (await kept(wallet))[0] == 0
