"""Operators announce a new key for whatever is signed, and it takes over when everybody can have heard of it."""

from datetime import datetime

import pytest

from kernel.purposes import PURPOSES
from tests.whole_city import TestCity


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_an_operator_announces_a_key_of_any_purpose_before_it_signs(city: TestCity, purpose: str) -> None:
    operator = city.as_operator()
    announced = await operator.post("/signing-keys", json={"purpose": purpose})
    assert announced.status_code == 201
    keys = {key["key_id"]: key for key in (await operator.get("/signing-keys")).json()["keys"]}
    key = keys[announced.json()["key_id"]]
    assert key["purpose"] == purpose
    waits = datetime.fromisoformat(key["signs_from"]) - datetime.fromisoformat(key["announced_at"])
    assert waits == PURPOSES[purpose].announced_for


async def test_a_key_for_nothing_we_sign_is_not_made(city: TestCity) -> None:
    refused = await city.as_operator().post("/signing-keys", json={"purpose": "coins"})
    assert refused.status_code == 400
