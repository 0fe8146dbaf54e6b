"""The inbox always, and beside it what a person chose: SMS, e-mail, subscribe messages, one standing in for another."""

from collections import Counter
from datetime import timedelta

import pytest
from msgspec.structs import replace

from kernel.clock import StoppedClock
from kernel.db import Database
from kernel.sealing import Keys
from notifications import templates
from notifications.channels.provider import Accepted, Mail, ProviderText, Refused, Sms, SubscribeMessage
from notifications.contacts import Choices
from notifications.ending import alerting
from notifications.model import RECEIPT_PATIENCE, Lane, Reading
from notifications.outbox import ToEmail, ToNobody, ToPhone
from notifications.parts import Notifications
from notifications.template import ProviderIds, Template
from tests.builders_notifications import (
    PHONE,
    Carrier,
    Ends,
    ManyCarrier,
    a_person,
    a_promise,
    notifications_over,
    outcomes,
    owe,
    refs_of,
    stages,
)
from tests.builders_sending import (
    BULK_TEXT,
    SUBSCRIBE_TEXTS,
    SUBSCRIPTION,
    OneText,
    a_chooser,
    allow,
)

BY_CHAT_THEN_SMS = Choices(results=("subscribe", "sms"))
CONFIRMED = templates.BOOKING_CONFIRMED


class City:
    """Notifications over one provider of each channel."""

    def __init__(self, db: Database, clock: StoppedClock, keys: Keys, chat_says=None) -> None:
        self.sms = Carrier("sms")
        self.mail = Carrier("mail", channel="email", receipts_come=False)
        self.chat = Carrier("chat", chat_says, channel="subscribe", receipts_come=False)
        self.notifications = notifications_over(
            db, clock, keys, self.sms, self.mail, self.chat, subscribe_texts=SUBSCRIBE_TEXTS
        )
        self.ends = Ends()
        self.notifications.endings.listeners.append(self.ends)

    @property
    def carried(self) -> dict[str, int]:
        return {one.name: len(one.carried) for one in (self.sms, self.mail, self.chat) if one.carried}


@pytest.fixture
def city(db: Database, clock: StoppedClock, keys: Keys) -> City:
    return City(db, clock, keys)


async def grants_left(notifications: Notifications, person) -> int:
    async with notifications.db.connection() as conn:
        return sum(one.left for one in await notifications.grants.left(conn, person, "zh"))


async def test_who_allowed_it_is_told_by_the_mini_program_and_not_by_sms_as_well(city, db, clock, keys) -> None:
    person = await a_chooser(city.notifications, keys, BY_CHAT_THEN_SMS)
    await allow(city.notifications, person)
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"chat": 1}
    [message] = city.chat.carried
    assert isinstance(message, SubscribeMessage)
    assert (message.openid, message.template.provider_template) == ("o-123", SUBSCRIPTION)
    assert message.template.parameters["thing1"] == "出入境证件办理"
    assert await stages(db) == {"inbox delivered": 1, "subscribe delivered": 1}
    assert city.ends.said == [("inbox", "delivered", None), ("subscribe", "delivered", None)]
    assert await grants_left(city.notifications, person) == 0


async def test_without_a_grant_the_sms_goes_at_once(city, db, clock, keys) -> None:
    person = await a_chooser(city.notifications, keys, BY_CHAT_THEN_SMS)
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"sms": 1}
    assert await stages(db) == {"inbox delivered": 1, "sms accepted": 1}


async def test_where_the_platform_refuses_for_certain_the_sms_stands_in(db, clock, keys) -> None:
    city = City(db, clock, keys, lambda _: Refused("recipient", "43101"))
    person = await a_chooser(city.notifications, keys, BY_CHAT_THEN_SMS)
    await allow(city.notifications, person, times=2)
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"chat": 1, "sms": 1}
    assert await stages(db) == {"inbox delivered": 1, "subscribe undeliverable": 1, "sms accepted": 1}
    async with db.connection() as conn:
        alerts = await alerting.read(conn, now=clock.now())
    assert alerts.newest == [], "another channel took over: nothing is wrong"
    await city.notifications.settle()
    assert city.carried == {"chat": 1, "sms": 1}


async def test_a_stand_in_uses_up_no_grant(db, clock, keys) -> None:
    city = City(db, clock, keys, lambda _: Refused("provider", "47003"))
    person = await a_chooser(city.notifications, keys, BY_CHAT_THEN_SMS)
    await allow(city.notifications, person, times=2)
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"chat": 1, "sms": 1}
    assert await grants_left(city.notifications, person) == 2


async def test_where_nobody_knows_whether_the_platform_sent_it_nothing_stands_in_and_that_is_alerted(
    db, clock, keys
) -> None:
    city = City(db, clock, keys, lambda _: TimeoutError())
    person = await a_chooser(city.notifications, keys, BY_CHAT_THEN_SMS)
    await allow(city.notifications, person)
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"chat": 1}
    assert await stages(db) == {"inbox delivered": 1, "subscribe unknown": 1}
    async with db.connection() as conn:
        alerts = await alerting.read(conn, now=clock.now())
    assert [one.ending for one in alerts.newest] == ["unknown"]
    assert await grants_left(city.notifications, person) == 0


class Urgent(OneText):
    """A text of somebody's own matter that goes by the mini-program first."""

    text = replace(CONFIRMED, version=99, lane=Lane.CHANGE, channels=("inbox", "subscribe", "sms"))

    def find(self, template: str, version: int) -> Template | None:
        return self.text if (template, version) == (self.text.id, self.text.version) else None


async def test_what_must_be_known_goes_by_sms_too_where_nobody_knows_whether_the_platform_sent_it(
    db, clock, keys
) -> None:
    city = City(db, clock, keys, lambda _: TimeoutError())
    city.notifications.wordings.texts = Urgent()
    person = await a_chooser(city.notifications, keys, Choices())
    await allow(city.notifications, person)
    await owe(city.notifications, a_promise(Urgent.text, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"sms": 1, "chat": 1}
    assert await stages(db) == {"inbox delivered": 1, "subscribe unknown": 1, "sms accepted": 1}


async def test_a_platform_that_is_busy_leaves_the_grant_for_the_next_try(db, clock, keys) -> None:
    answers = [Refused("busy", "45011"), Accepted()]
    city = City(db, clock, keys, lambda _: answers.pop(0))
    person = await a_chooser(city.notifications, keys, BY_CHAT_THEN_SMS)
    await allow(city.notifications, person)
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert await grants_left(city.notifications, person) == 1
    clock.advance(timedelta(minutes=1))
    await city.notifications.settle()
    assert city.carried == {"chat": 2}
    assert await stages(db) == {"inbox delivered": 1, "subscribe delivered": 1}
    assert await grants_left(city.notifications, person) == 0


async def test_e_mail_and_sms_are_both_sent_when_both_were_chosen(city, db, clock, keys) -> None:
    choices = Choices(results=("email", "sms"))
    person = await a_chooser(city.notifications, keys, choices, email="someone@example.org")
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"mail": 1, "sms": 1}
    [mail] = city.mail.carried
    assert isinstance(mail, Mail)
    assert (mail.address, mail.subject) == ("someone@example.org", "预约成功")
    assert await stages(db) == {"inbox delivered": 1, "email delivered": 1, "sms accepted": 1}


async def test_who_chose_e_mail_and_has_no_address_has_it_in_the_inbox(city, db, clock, keys) -> None:
    person = await a_chooser(city.notifications, keys, Choices(results=("email",)))
    await owe(city.notifications, a_promise(CONFIRMED, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {}
    assert await stages(db) == {"inbox delivered": 1}


async def test_codes_and_changes_come_by_sms_whatever_was_chosen(city, db, clock, keys) -> None:
    person = await a_chooser(city.notifications, keys, Choices(results=(), reminders=(), notices=()))
    for template in (templates.SIGN_IN_CODE, templates.BOOKING_CANCELLED):
        await owe(city.notifications, a_promise(template, to=person, due_at=clock.now()))
    await city.notifications.settle()
    assert city.carried == {"sms": 2}


async def test_an_address_that_is_nobodys_we_know_is_written_to(city, db, clock) -> None:
    await owe(city.notifications, a_promise(to=ToEmail("office@example.org", "en"), due_at=clock.now()))
    await city.notifications.settle()
    assert [(mail.address, mail.subject) for mail in city.mail.carried] == [
        ("office@example.org", templates.CERTIFICATE_ISSUED.en.title)
    ]
    assert await stages(db) == {"email delivered": 1}


async def test_a_long_text_is_there_when_every_part_of_it_is(db, clock, keys) -> None:
    sms = Carrier("c", lambda one: Accepted(refs_of("c", one, 3)))
    notifications = notifications_over(db, clock, keys, sms)
    ends = Ends()
    notifications.endings.listeners.append(ends)
    await owe(notifications, *(a_promise(key=str(n), due_at=clock.now()) for n in range(2)))
    await notifications.settle()
    first, second = sms.carried
    for parts in ((0, 0), (2,), (0, 2)):
        await notifications.receiving.take("c", sms.parts_of(first, 3, *parts))
        await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms accepted": 2}
    await notifications.receiving.take("c", sms.parts_of(first, 3, 1) + sms.parts_of(second, 3, 0, 1, 2))
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 2}
    assert ends.said == [("sms", "delivered", None)] * 2


async def test_a_long_text_did_not_arrive_when_any_part_of_it_did_not(db, clock, keys) -> None:
    sms = Carrier("c", lambda one: Accepted(refs_of("c", one, 3)))
    notifications = notifications_over(db, clock, keys, sms)
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    [text] = sms.carried
    await notifications.receiving.take("c", sms.parts_of(text, 3, 0))
    await notifications.receiving.take("c", sms.parts_of(text, 3, 1, reading=Reading.UNDELIVERED))
    await notifications.receiving.take("c", sms.parts_of(text, 3, 2))
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms undeliverable": 1}
    await notifications.receiving.take("c", sms.parts_of(text, 3, 1))  # the carrier thought better of it
    await notifications.receiving.join_arrived()
    assert await stages(db) == {"sms delivered": 1}


async def test_what_a_provider_accepts_that_sends_no_receipts_is_the_end_we_can_know(db, clock, keys) -> None:
    notifications = notifications_over(db, clock, keys, Carrier("c", lambda _: Accepted(), receipts_come=False))
    await owe(notifications, a_promise(due_at=clock.now()))
    await notifications.settle()
    assert await stages(db) == {"sms delivered": 1}
    assert await outcomes(db) == [("c", "accepted")]


async def test_a_provider_that_takes_many_is_handed_many_at_once_and_codes_one_by_one(db, clock, keys) -> None:
    many = ManyCarrier(answer=lambda one: Accepted((f"ref-{one.reference}",)))
    notifications = notifications_over(db, clock, keys, many)
    notifications.wordings.texts = OneText()
    async with db.transaction() as conn:
        owed = [
            a_promise(BULK_TEXT, to=ToPhone(f"+86138{n:08d}"), due_at=clock.now(), words=f"第{n}号") for n in range(640)
        ]
        owed += [a_promise(templates.SIGN_IN_CODE, due_at=clock.now()) for _ in range(5)]
        await notifications.outbox.owe_many(conn, owed, now=clock.now())
    await notifications.settle()
    assert sum(many.handed) == 640
    assert len(many.handed) <= 64
    assert Counter(one.is_urgent for one in many.carried) == {False: 640, True: 5}
    assert len({one.reference for one in many.carried}) == 645
    assert await stages(db) == {"sms accepted": 645}


async def test_a_provider_that_keeps_texts_is_given_its_own_name_for_one(db, clock, keys) -> None:
    ids = {"cloud": ProviderIds("SMS_1", "SMS_2", "随申办", {"svc": "service"})}

    class Kept(OneText):
        def find(self, template: str, version: int):
            return templates.BOOKING_CONFIRMED.__class__(**{
                **{name: getattr(CONFIRMED, name) for name in CONFIRMED.__struct_fields__},
                "id": "kept", "provider_ids": ids,
            })  # fmt: skip

    notifications = notifications_over(db, clock, keys, Carrier("cloud"), Carrier("smsc"))
    notifications.wordings.texts = Kept()
    await owe(notifications, a_promise(Kept().find("kept", 1), due_at=clock.now()))
    await notifications.settle()
    [sms] = notifications.carriers.named("cloud").carried
    assert isinstance(sms, Sms)
    assert sms.phone == PHONE
    assert sms.template == ProviderText("SMS_1", "随申办", {"svc": "出入境证件办理"})


async def test_every_end_is_told_once_to_whoever_listens(db, clock, keys) -> None:
    answers = {"a": Refused("recipient", "no such number"), "b": TimeoutError(), "c": Accepted(("r",))}
    sms = Carrier("sms", lambda one: answers[one.text[-2]])
    notifications = notifications_over(db, clock, keys, sms)
    notifications.wordings.texts = OneText()
    ends = Ends()
    notifications.endings.listeners.append(ends)
    person = await a_person(notifications, phone=None)
    soon = clock.now()
    await owe(
        notifications,
        *(a_promise(BULK_TEXT, key=one, due_at=soon, words=f"{one}。") for one in "abc"),
        a_promise(to=person, due_at=soon),
        a_promise(templates.DEPARTMENT_NOTICE, to=ToNobody(), due_at=soon),
        a_promise(key="taken back", due_at=soon + RECEIPT_PATIENCE * 2),
        a_promise(key="late", due_at=soon, expires_at=soon),
    )
    async with db.transaction() as conn:
        await notifications.outbox.withdraw(conn, "tests", "taken back", now=soon)
    await notifications.settle()
    assert sorted(map(str, ends.said)) == sorted(
        map(
            str,
            [
                (None, "withdrawn", None),
                ("sms", "undeliverable", "no such number"),
                ("sms", "unknown", "TimeoutError"),
                ("sms", "expired", None),
                ("inbox", "delivered", None),
                ("inbox", "delivered", None),
            ],
        )
    )
    clock.advance(RECEIPT_PATIENCE)
    await notifications.settle()
    assert ends.said[6:] == [("sms", "unknown", "no receipt")]
    assert {one.caller for one in ends.heard} == {"tests"}
    assert {one.lane for one in ends.heard} == {Lane.BULK, Lane.RESULT}
    await notifications.settle()
    assert len(ends.said) == 7


async def test_a_text_approved_a_moment_ago_elsewhere_is_read_and_sent(db, clock, keys) -> None:
    sms, texts = Carrier(), OneText()
    texts.is_read = False
    notifications = notifications_over(db, clock, keys, sms)
    notifications.wordings.texts = texts
    await owe(notifications, a_promise(BULK_TEXT, due_at=clock.now(), words="新"))
    await notifications.settle()
    assert (texts.asked, sms.carried) == ([("bulk_text", 1)], [])
    clock.advance(timedelta(seconds=2))
    await notifications.settle()
    assert len(sms.carried) == 1
