"""How a person says by which ways they are told, over HTTP: an address they confirm, channels they agree to, taps."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway.residents.model import Phone
from gateway.residents.queries import attach_person, file_person, insert_account
from kernel.ids import AccountId, PersonId, uuid7
from kernel.people import Identity
from kernel.principal import Audience
from notifications import templates
from notifications.channels.provider import Mail
from notifications.contacts import Choices
from notifications.outbox import ToEmail
from notifications.reaching.unsubscribing import UnsubscribeLinks
from notifications.replies.model import EVERY_SENDER
from notifications.replies.opt_outs import OptOuts
from notifications.seals import Seals
from tests.builders_notifications import PHONE, a_person, a_promise, owe, stages
from tests.whole_city import ORIGIN, Caller, TestCity, code_of

ADDRESS = "wang.wei@people.example"
SWITCHES = {"language": "zh", "sms_results": True, "sms_reminders": True, "sms_notices": True}
ORDER: dict[str, list[str]] = {"results": ["sms"], "reminders": ["sms"], "notices": ["sms"], "shown": []}


class Somebody:
    """A citizen, and the app they hold."""

    def __init__(self, city: TestCity, person: PersonId) -> None:
        self.city = city
        self.person = person
        self.app: Caller = city.as_resident(person)

    async def mails(self) -> list[str]:
        """What was mailed to their address, newest first."""
        await self.city.parts.notifications.settle()
        async with self.city.parts.db.connection() as conn:
            return [one.text for one in await self.city.parts.notifications.demo_outbox.shown_to(conn, ADDRESS)]

    async def ask_for_code(self, address: str = ADDRESS) -> tuple[str, str]:
        """A challenge and the code in the mail."""
        self.city.clock.advance(timedelta(seconds=1))
        asked = await self.app.post("/contact/email", json={"address": address})
        assert asked.status_code == 202, asked.text
        [newest, *_] = await self.mails()
        code = re.search(r"[0-9]{6}", newest)
        assert code is not None
        return asked.json()["challenge_id"], code[0]

    async def confirm(self, challenge_id: str, code: str) -> Any:
        return await self.app.post("/contact/email/confirm", json={"challenge_id": challenge_id, "code": code})

    async def confirmed(self) -> None:
        assert (await self.confirm(*await self.ask_for_code())).status_code == 200

    async def choose(self, **order: list[str]) -> Any:
        self.city.clock.advance(timedelta(seconds=1))
        chosen = {**SWITCHES, "channels": {**ORDER, **order}, "consent_version": 2}
        return await self.app.put("/contact-preferences", json=chosen)

    async def preferences(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.app.get("/contact-preferences")).json()
        return found

    async def consents(self) -> list[tuple[Any, ...]]:
        rows = await self.city.parts.db.fetch(
            "SELECT sort, channel, is_given, wording, told_by FROM notifications.consent"
            " WHERE person_id = $1 ORDER BY at, sort, channel",
            self.person,
        )
        return [tuple(row) for row in rows]


@pytest.fixture
async def somebody(city: TestCity) -> Somebody:
    return Somebody(city, await a_person(city.parts.notifications))


async def test_an_address_is_confirmed_by_the_code_sent_to_it_and_used_only_then(somebody: Somebody) -> None:
    challenge_id, code = await somebody.ask_for_code("Wang.Wei@PEOPLE.example".replace("W", "w"))
    assert (await somebody.preferences())["email_masked"] is None
    assert code_of(await somebody.choose(results=["email"])) == "reaching.email_not_confirmed"
    confirmed = await somebody.confirm(challenge_id, code)
    assert confirmed.json()["email_masked"] == "w***@people.example"
    chosen = await somebody.choose(results=["email", "sms"])
    assert chosen.json()["channels"]["results"] == ["email", "sms"]
    again = await somebody.confirm(challenge_id, code)
    assert (again.status_code, code_of(again)) == (422, "reaching.email_code_not_accepted")


async def test_a_code_is_guessed_five_times_at_most_and_ends(somebody: Somebody) -> None:
    challenge_id, code = await somebody.ask_for_code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(5):
        assert (await somebody.confirm(challenge_id, wrong)).status_code == 422
    assert (await somebody.confirm(challenge_id, code)).status_code == 422
    challenge_id, code = await somebody.ask_for_code()
    somebody.city.clock.advance(timedelta(minutes=15))
    somebody.app = somebody.city.as_resident(somebody.person)
    assert (await somebody.confirm(challenge_id, code)).status_code == 422
    other = Somebody(somebody.city, PersonId(uuid4()))
    challenge_id, code = await somebody.ask_for_code()
    assert (await other.confirm(challenge_id, code)).status_code == 422


async def test_nobody_asks_for_codes_without_end(somebody: Somebody) -> None:
    asked = [await somebody.app.post("/contact/email", json={"address": f"a{nth}@b.example"}) for nth in range(7)]
    assert [one.status_code for one in asked] == [202] * 6 + [429]
    assert int(asked[-1].headers["Retry-After"]) > 0
    others = [Somebody(somebody.city, PersonId(uuid4())) for _ in range(7)]
    pestered = [await one.app.post("/contact/email", json={"address": ADDRESS}) for one in others]
    assert [one.status_code for one in pestered] == [202] * 6 + [429]
    refused = await others[0].app.post("/contact/email", json={"address": "no address"})
    assert (refused.status_code, code_of(refused)) == (422, "reaching.email_not_valid")


async def test_what_is_agreed_to_is_written_down_with_its_words_and_what_is_taken_back_too(somebody: Somebody) -> None:
    await somebody.confirmed()
    unread = {**SWITCHES, "channels": {**ORDER, "results": ["subscribe", "sms"]}}
    refused = await somebody.app.put("/contact-preferences", json=unread)
    assert (refused.status_code, code_of(refused), refused.json()["wording"]) == (422, "reaching.consent_needed", 2)
    assert "站内消息始终保留" in (await somebody.preferences())["consent"]["text"]
    await somebody.choose(results=["subscribe", "sms"], shown=["email"])
    await somebody.choose(results=["sms"])
    somebody.city.clock.advance(timedelta(seconds=1))
    off = await somebody.app.put("/contact-preferences", json={**SWITCHES, "sms_notices": False})
    somebody.city.clock.advance(timedelta(seconds=1))
    on = await somebody.app.put("/contact-preferences", json=SWITCHES)
    assert (off.status_code, on.status_code) == (200, 200)
    assert await somebody.consents() == [
        ("results", "subscribe", True, 2, "choice"),
        ("shown", "email", True, 2, "choice"),
        ("results", "subscribe", False, None, "choice"),
        ("shown", "email", False, None, "choice"),
        ("notices", "sms", False, None, "choice"),
        ("notices", "sms", True, 1, "choice"),
    ]


async def test_an_app_that_knows_three_switches_changes_nothing_else(somebody: Somebody) -> None:
    await somebody.confirmed()
    await somebody.app.put(
        "/contact-preferences",
        json={
            **SWITCHES,
            "channels": {**ORDER, "results": ["subscribe", "sms", "email"], "shown": ["email"]},
            "has_quiet_hours": False,
            "consent_version": 2,
        },
    )
    old = await somebody.app.put("/contact-preferences", json={**SWITCHES, "sms_results": False})
    assert old.json()["channels"] == {**ORDER, "results": ["subscribe", "email"], "shown": ["email"]}
    assert old.json()["has_quiet_hours"] is False


async def test_a_removed_address_is_written_to_no_more(somebody: Somebody) -> None:
    await somebody.confirmed()
    await somebody.choose(results=["email"])
    for _ in range(2):
        assert (await somebody.app.delete("/contact/email")).status_code == 204
    left = await somebody.preferences()
    assert (left["email_masked"], left["channels"]["results"]) == (None, [])
    assert ("results", "email", False, None, "removal") in await somebody.consents()
    assert (await somebody.app.delete("/contact/email")).status_code == 204


async def test_a_notice_goes_by_the_ways_that_were_chosen(somebody: Somebody) -> None:
    await somebody.confirmed()
    await somebody.choose(results=["email"])
    city = somebody.city
    await owe(city.parts.notifications, a_promise(to=somebody.person, due_at=city.clock.now()))
    [mail, *_] = await somebody.mails()
    assert mail.startswith("新证照\n您的“居民身份证”已签发")
    assert await stages(city.parts.db) == {"email delivered": 2, "inbox delivered": 1}


async def test_one_click_in_a_mail_ends_e_mail_and_opening_the_link_does_not(
    somebody: Somebody, city: TestCity
) -> None:
    await somebody.confirmed()
    await somebody.choose(notices=["email", "sms"])
    [message_id] = await owe(
        city.parts.notifications, a_promise(templates.DEPARTMENT_NOTICE, to=somebody.person, due_at=city.clock.now())
    )
    links = UnsubscribeLinks(city.parts.keys, origin=ORIGIN)
    path = links.url_of(Mail(str(message_id), ADDRESS, "", "", city.clock.now())).removeprefix(ORIGIN)
    opened = await city.as_nobody().get(path)
    assert opened.status_code == 200
    assert "form-action 'self'" in opened.headers["content-security-policy"]
    assert (await somebody.preferences())["channels"]["notices"] == ["email", "sms"]
    for _ in range(2):
        done = await city.as_nobody().ask("POST", path, data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200, done.text
    assert (await somebody.preferences())["channels"]["notices"] == ["sms"]
    assert ("notices", "email", False, None, "unsubscribe") in await somebody.consents()
    forged = await city.as_nobody().ask("POST", path[:-4] + "AAAA")
    assert (forged.status_code, code_of(forged)) == (422, "reaching.link_unknown")


async def test_an_address_alone_that_unsubscribes_hears_no_more_of_that_sender(city: TestCity) -> None:
    parts, address = city.parts, "stranger@people.example"
    promise = a_promise(templates.DEPARTMENT_NOTICE, to=ToEmail(address), due_at=city.clock.now())
    [message_id] = await owe(parts.notifications, promise)
    links = UnsubscribeLinks(parts.keys, origin=ORIGIN)
    for reference in (message_id, message_id, uuid4()):
        path = links.url_of(Mail(str(reference), address, "", "", city.clock.now())).removeprefix(ORIGIN)
        assert (await city.as_nobody().ask("POST", path)).status_code == 200
    digests = Seals(parts.keys).every_phone_digest(address)
    async with parts.db.connection() as conn:
        assert {one.caller for one in await OptOuts().of(conn, digests)} == {"tests", EVERY_SENDER}
    reminder = a_promise(templates.BOOKING_REMINDER, to=ToEmail(address), due_at=city.clock.now(), caller="another")
    [message_id] = await owe(parts.notifications, reminder)
    await parts.notifications.settle()
    told = "SELECT stage, reason FROM notifications.delivery WHERE message_id = $1"
    assert tuple(await parts.db.fetchrow(told, message_id)) == ("withdrawn", "opted out")


async def link_chat(city: TestCity, account_id: AccountId, openid: str) -> None:
    """An account that signed in from the mini-program."""
    async with city.parts.db.transaction() as conn:
        await insert_account(
            conn, account_id, sealed_phone=b"sealed", phone_digest=bytes(32), language="zh", now=city.clock.now()
        )
    digest = city.parts.keys.digester("gateway.openid").digest(openid)
    await city.parts.db.fetch(
        "INSERT INTO gateway.account_chat (account_id, openid_digest, openid, linked_at) VALUES ($1, $2, $3, $4)",
        account_id, digest, city.parts.keys.sealer("gateway.openid").seal(openid.encode(), account_id.bytes + digest),
        city.clock.now(),
    )  # fmt: skip


async def test_taps_in_the_mini_program_are_counted_and_shown(somebody: Somebody, city: TestCity) -> None:
    account_id = AccountId(uuid7(city.clock.now()))
    mini = city.as_resident(somebody.person, audience=Audience.MINI, account_id=account_id)
    tap = {"tap_id": str(uuid4()), "template": "demo-booking-made", "outcome": "accept"}
    assert code_of(await mini.post("/subscriptions", json=tap)) == "reaching.chat_not_linked"
    await link_chat(city, account_id, "o-somebody")
    for _ in range(2):
        told = await mini.post("/subscriptions", json=tap)
        assert told.status_code == 200, told.text
    await mini.post("/subscriptions", json={**tap, "tap_id": str(uuid4())})
    left = {one["template"]: one["left"] for one in (await mini.get("/subscriptions")).json()["subscriptions"]}
    assert left["demo-booking-made"] == 2
    assert set(left.values()) == {0, 2}
    unknown = await mini.post("/subscriptions", json={**tap, "template": "another"})
    assert (unknown.status_code, code_of(unknown)) == (422, "reaching.subscription_unknown")


async def test_all_of_it_is_taken_along_and_forgotten_with_the_account(city: TestCity) -> None:
    now, parts = city.clock.now(), city.parts
    async with parts.db.transaction() as conn:
        person = await parts.people.mint(conn, Identity("310101199001012336", "王伟"), now=now)
        account, _ = await parts.residents.accounts.open(conn, Phone(PHONE), "zh", now=now)
        assert await file_person(conn, person, account.account_id)
        await attach_person(conn, account.account_id, person, serial="1", now=now)
        await parts.notifications.contacts.remember(conn, person, PHONE, "zh", now)
        await parts.reaching.grants.tapped(
            conn, person, "o-me", tap_id=uuid4(), template="demo-result", outcome="accept", now=now
        )
    somebody = Somebody(city, person)
    somebody.app = city.as_resident(person, account_id=account.account_id)
    await somebody.confirmed()
    await somebody.choose(results=["email", "sms"])
    await owe(parts.notifications, a_promise(to=person, due_at=city.clock.now()))
    await parts.notifications.settle()
    held = (await somebody.app.get("/export")).json()["notifications"]
    assert (held["contact"]["phone"], held["contact"]["email"]) == (PHONE, ADDRESS)
    assert held["contact"]["choices"]["results"] == ["email", "sms"]
    assert [one["kind"] for one in held["inbox"]] == ["certificate_issued"]
    assert [(one["channel"], one["is_given"]) for one in held["consents"]] == [("email", True)]
    assert [one["provider_template"] for one in held["subscribe_grants"]] == ["demo-result"]
    await somebody.app.post("/contact/email", json={"address": "another@people.example"})
    assert (await somebody.app.delete("/account")).status_code == 204
    left = await parts.reaching.exporting.everything_of(person)
    assert (left.contact.phone, left.contact.email, left.contact.choices) == (None, None, Choices())
    assert {(one.told_by, one.is_given) for one in left.consents} == {("choice", True), ("closing", False)}
    for table in ("contact", "inbox_item", "subscribe_grant", "email_challenge"):
        kept = await parts.db.fetchval(f"SELECT count(*) FROM notifications.{table} WHERE person_id = $1", person)
        assert kept == 0, table
