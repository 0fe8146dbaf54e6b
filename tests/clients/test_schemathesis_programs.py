"""The entrance of GOV.UK Notify's clients answers whatever it is sent as its description says (Schemathesis)."""

import time
from typing import Any, Final

import pytest
import schemathesis
from schemathesis import Case

from gateway import describing
from notifications.services.keys.proving import token_of
from tests.builders_services import PHONE, VALUES
from tests.clients.calling import Calling
from tests.clients.described import Described, operation_id
from tests.clients.known_good import Good
from tests.clients.programs import Programs
from tests.clients.served_city import ServedCity

DESCRIBED: Final = Described(describing.every_document()[describing.PROGRAMS])
ONLY_REFUSED: Final = {"notifyLetter", "notifyLetterPdf"}


@pytest.fixture(scope="module")
async def programs(served: ServedCity) -> Programs:
    return await Programs(served).found()


@pytest.fixture(scope="module")
def calling(programs: Programs) -> Calling:
    sent = programs.sent_by_test_key()
    DESCRIBED.known.update(
        template_id=[str(programs.sms), str(programs.email)],
        service_id=[str(programs.service_id)],
        notification_id=[sent],
        older_than=[sent],
        phone_number=["13800138000", "+8610000000001"],
        email_address=["delivered@simulated.invalid"],
        version=["1"],
    )
    secret = programs.keys["test"][-36:]
    return Calling(programs.url, lambda _: token_of(secret, programs.service_id, int(time.time())))


@schemathesis.pytest.parametrize(programs=DESCRIBED.schema)
def test_every_operation_answers_as_described_whatever_it_is_sent(case: Case[Any], calling: Calling) -> None:
    calling.send(case)


def test_every_operation_succeeds_when_it_is_asked_well(calling: Calling, programs: Programs) -> None:
    operations = {operation_id(one): one for one in DESCRIBED.operations()}
    sms, email, values = str(programs.sms), str(programs.email), {"personalisation": VALUES}
    good = {
        "notifySms": Good(body={"phone_number": PHONE, "template_id": sms, **values}),
        "notifyEmail": Good(body={"email_address": "somebody@example.org", "template_id": email, **values}),
        "previewTemplate": Good(path={"template_id": sms}, body=values),
    }
    for name, asked in good.items():
        assert calling.send_good(operations[name], asked).status_code // 100 == 2
    assert calling.answers.keys() == {one.label for one in operations.values()}
    never = {line.rpartition(": {")[0] for line in calling.never_well()}
    assert never == {operations[name].label for name in ONLY_REFUSED}
