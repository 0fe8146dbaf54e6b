"""Good requests of people who say how they are reached."""

import re
from uuid import uuid4

from kernel.principal import Audience
from notifications.channels.provider import Mail
from notifications.reaching.unsubscribing import UnsubscribeLinks
from tests.clients.everybody import Everybody, awaited, last_segment
from tests.clients.known_good import Good, good, plain
from tests.clients.known_good_residents import BOTH

for _audience in BOTH:
    plain(_audience, "removeEmail")

    @good("askForEmailCode", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        body = {"address": f"somebody-{uuid4().hex}@people.example"}
        return Good(body=body, token=everybody.city.a_citizen(audience))

    @good("confirmEmail", _audience)
    def _(everybody: Everybody, audience: Audience = _audience) -> Good:
        token, address = everybody.city.a_citizen(audience), f"somebody-{uuid4().hex}@people.example"
        asked = everybody.ask("POST", f"/{audience}/contact/email", token, json={"address": address}).json()

        def look() -> str | None:
            shown = everybody.ask("POST", "/demo/outbox/search", json={"email": address}).json()["messages"]
            return next((code for one in shown for code in re.findall(r"(?<!\d)\d{6}(?!\d)", one["text"])), None)

        body = {"challenge_id": asked["challenge_id"], "code": awaited(look, "an e-mail with a code")}
        return Good(body=body, token=token)


plain(Audience.MINI, "listSubscriptions")


@good("reportSubscription", Audience.MINI)
def _(_: Everybody) -> Good:
    return Good(body={"tap_id": str(uuid4()), "template": "demo-booking-reminder", "outcome": "accept"})


@good("openUnsubscribe", Audience.PUBLIC)
@good("unsubscribe", Audience.PUBLIC)
def _(everybody: Everybody) -> Good:
    links = UnsubscribeLinks(everybody.city.parts.keys, origin=everybody.city.url)
    mail = Mail(str(uuid4()), "somebody@people.example", "", "", everybody.now)
    return Good({"token": last_segment(links.url_of(mail))})
