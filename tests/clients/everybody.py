"""One of each who use the city, signed in the way each signs in, with what each holds."""

import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import msgspec

from appointments.model import service_id_of
from city.journey.calling import ASSERTION_TYPE, assertion
from gateway.demo.cast import PlayedClient, PlayedPerson
from kernel.principal import Audience
from tests.clients import library
from tests.clients.served_city import ALWAYS_OPEN, ServedCity

ARRIVES_WITHIN_SECONDS: Final = 20.0
SCENARIO: Final = "station.entry"
ISSUER: Final = "department:police"
T = TypeVar("T")


class Tokens(msgspec.Struct):
    """What signing in answers with."""

    access_token: str
    refresh_token: str


class Everybody:
    """Signs everybody in once; asks for more where an operation uses something up."""

    def __init__(self, city: ServedCity) -> None:
        self.city = city
        self.now = datetime.now(UTC)
        residents = iter(city.cast.residents)
        self.person, self.newcomer, self.leaver, self.visitor, self.stranger = (next(residents) for _ in range(5))
        self.printing_person = next(residents)
        self.desk_phone = phone_in(city.cast.roles[-2].how)
        self.operator_phone = phone_in(city.cast.roles[-1].how)
        self.resident = self.known(self.person)
        self.mini = self.from_chat(self.person)
        self.printing, self.printing_in_chat = self.known(self.printing_person), self.from_chat(self.printing_person)
        self.gate_client = next(one for one in city.cast.clients if SCENARIO in one.scenarios and one.sort == "station")
        self.gate = self.machine(self.gate_client)
        self.police_client = next(one for one in city.cast.clients if one.client_id == ISSUER)
        self.police = self.machine(self.police_client)
        self.desk = self.by_sms(Audience.DEPARTMENT, self.desk_phone)
        self.operator = self.by_sms(Audience.OPERATOR, self.operator_phone)
        self._slots = [str(one["slot_id"]) for one in self._slots_found()]

    def known_to(self, audience: Audience) -> dict[str, list[str]]:
        """Values that exist, by the names under which requests of an audience carry them."""
        if audience is Audience.VENUE:
            return {"scenario_code": [SCENARIO], "ask_id": [self.asked()["ask_id"]]}
        if audience is Audience.DEPARTMENT:
            return {
                "certificate_id": [self.issued() for _ in range(6)],
                "booking_id": [self.booked_today()],
                "kind_code": [self.to_issue()["kind_code"]],
                "load_id": [self.load_id()],
            }
        if audience is Audience.PUBLIC:
            return {"kind_code": [self.to_issue()["kind_code"]], "token": [last_segment(self.code()["text"])]}
        if audience is Audience.OPERATOR:
            return {}
        return {
            "certificate_id": [self.certificate_id],
            "scenario_code": [SCENARIO],
            "slot_id": self._slots[-6:],
            "booking_id": [self.booked()],
            "message_id": [self.message_id()],
            "service_id": [str(service_id_of(ALWAYS_OPEN))],
            "slug": list(self.city.cast.apps),
            "rest": ["parks", "me", "nothing"],
        }

    def open_apps_again(self) -> None:
        """Whatever operators were made to close."""
        for slug in (*self.city.cast.apps, library.SLUG):
            self.ask("POST", f"/operator/apps/{slug}/go-live", self.operator.access_token)

    def ask(self, method: str, path: str, token: str | None = None, **how: Any) -> httpx.Response:
        """One request that must be answered well."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.city.http.request(method, path, headers=headers, **how).raise_for_status()

    def challenge(self, audience: Audience, phone: str) -> dict[str, str]:
        """A fresh code on somebody's phone: all that answering its challenge takes."""
        before = self._texts(phone)
        challenge = self.ask("POST", f"/{audience}/sign-in/codes", json={"phone": phone}).json()

        def look() -> str | None:
            fresh = self._texts(phone)[: -len(before) or None]
            return next((code for text in fresh for code in re.findall(r"(?<!\d)\d{6}(?!\d)", text)), None)

        return {"challenge_id": challenge["challenge_id"], "phone": phone, "code": awaited(look, "an SMS with a code")}

    def by_sms(self, audience: Audience, phone: str) -> Tokens:
        answer = self.ask("POST", f"/{audience}/sign-in", json=self.challenge(audience, phone))
        return msgspec.json.decode(answer.content, type=Tokens)

    def known(self, person: PlayedPerson) -> Tokens:
        """A resident whose real name has been checked."""
        first = self.by_sms(Audience.RESIDENT, person.phone)
        answer = self.ask("POST", "/resident/real-name", first.access_token, json=real_name_of(person))
        return msgspec.json.decode(answer.content, type=Tokens)

    def js_codes(self, person: PlayedPerson) -> dict[str, str]:
        """What the chat app hands to the mini-program on somebody's phone."""
        platform = self.city.cast.chat_platform_url
        answer = httpx.post(f"{platform}/demo/js-codes", json={"phone": person.phone}, trust_env=False)
        found = answer.raise_for_status().json()
        return {"js_code": found["js_code"], "phone_code": found["phone_code"]}

    def from_chat(self, person: PlayedPerson) -> Tokens:
        answer = self.ask("POST", "/mini/sign-in", json=self.js_codes(person))
        return msgspec.json.decode(answer.content, type=Tokens)

    def assertion_form(self, client: PlayedClient) -> dict[str, str]:
        """How a machine asks for a token; good once."""
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(client, issuer=self.city.cast.issuer, now=datetime.now(UTC)),
        }

    def machine(self, client: PlayedClient) -> str:
        form = self.assertion_form(client)
        token: str = self.ask("POST", f"/{client.audience}/token", data=form).json()["access_token"]
        return token

    @cached_property
    def certificate_id(self) -> str:
        """A certificate of the resident that the scenario looks at."""
        scenarios = self.ask("GET", "/venue/scenarios", self.gate).json()["scenarios"]
        shown = next(one for one in scenarios if one["scenario_code"] == SCENARIO)["shows"]
        kinds = {kind["kind_code"] for kind in shown}
        held = self.ask("GET", "/resident/certificates", self.resident.access_token).json()["certificates"]
        good = (one for one in held if one["state"] == "issued" and one["kind_code"] in kinds)
        return str(next(good)["certificate_id"])

    def code(self) -> dict[str, Any]:
        """A fresh code of that certificate."""
        path, body = f"/resident/certificates/{self.certificate_id}/codes", {"scenario_code": SCENARIO}
        return dict(self.ask("POST", path, self.resident.access_token, json=body).json())

    def asked(self) -> dict[str, Any]:
        """A fresh ask of the gate's."""
        return dict(self.ask("POST", "/venue/asks", self.gate, json={"scenario_code": SCENARIO}).json())

    def fields_asked_of(self, text: str) -> list[str]:
        """What an ask would see of that certificate, as the resident reads it before consenting."""
        looked = self.ask("POST", "/resident/asks/look", self.resident.access_token, json={"text": text}).json()
        card = next(one for one in looked["fitting"] if one["certificate_id"] == self.certificate_id)
        shows = next(one for one in looked["scenario"]["shows"] if one["kind_code"] == card["kind_code"])
        return [field["name"] for field in shows["fields"]]

    def to_issue(self) -> dict[str, Any]:
        """A certificate that its department has yet to issue."""
        kind = self.ask("GET", "/department/kinds", self.police).json()["kinds"][0]
        return {
            "reference": f"clients-{uuid4()}",
            "kind_code": kind["kind_code"],
            "holder": {"id_number": self.person.id_number, "name": self.person.name},
            "values": fields_of(kind, self.person),
            "valid_from": self.now.date().isoformat(),
        }

    def issued(self, request: dict[str, Any] | None = None) -> str:
        """The id of a certificate just issued."""
        answer = self.ask("POST", "/department/certificates", self.police, json=request or self.to_issue())
        return str(answer.json()["certificate_id"])

    def load_id(self) -> str:
        """The id of a load just opened."""
        load_id = str(uuid4())
        self.ask("PUT", f"/department/loads/{load_id}", self.police)
        return load_id

    def message_id(self) -> str:
        inbox = self.ask("GET", "/resident/inbox", self.resident.access_token).json()["items"]
        return str(inbox[0]["id"])

    def free_slot(self) -> str:
        """A slot that has not been given out yet: nobody can be in two places at once."""
        return self._slots.pop()

    def booking_id(self) -> str:
        """An id for a booking, after the resident gave back what they had: there is one booking of a service."""
        bookings = self.ask("GET", "/resident/bookings", self.resident.access_token).json()["bookings"]
        for one in bookings:
            if one["stage"] == "booked":
                self.ask("DELETE", f"/resident/bookings/{one['booking_id']}", self.resident.access_token)
        return str(uuid4())

    def booked(self, slot_id: str | None = None) -> str:
        """The id of a booking just made."""
        booking_id = self.booking_id()
        path, body = f"/resident/bookings/{booking_id}", {"slot_id": slot_id or self.free_slot()}
        self.ask("PUT", path, self.resident.access_token, json=body)
        return booking_id

    def booked_by_another(self, audience: Audience, *, soon: bool = False) -> tuple[str, str]:
        """A booking that a citizen just made, and their token."""
        booking_id, token = str(uuid4()), self.city.a_citizen(audience)
        slot_id = self._slot_soon() if soon else self.free_slot()
        self.ask("PUT", f"/{audience}/bookings/{booking_id}", token, json={"slot_id": slot_id})
        return booking_id, token

    def booked_today(self) -> str:
        """The id of a booking that a citizen just made for an hour that comes soon."""
        booking_id, _ = self.booked_by_another(Audience.RESIDENT, soon=True)
        return booking_id

    def _slot_soon(self) -> str:
        soon = datetime.now(UTC) + timedelta(minutes=1)
        return next(
            str(one["slot_id"])
            for one in self._slots_found()
            if one["free"] and datetime.fromisoformat(one["starts_at"]) > soon
        )

    def _slots_found(self) -> list[dict[str, Any]]:
        """Of the desk that is always open, earliest first."""
        path = f"/resident/slots?service_id={service_id_of(ALWAYS_OPEN)}&limit=100"
        return list(self.ask("GET", path, self.resident.access_token).json()["slots"])

    def _texts(self, phone: str) -> list[str]:
        shown = self.ask("POST", "/demo/outbox/search", json={"phone": phone}).json()["messages"]
        return [message["text"] for message in shown]


def real_name_of(person: PlayedPerson) -> dict[str, str]:
    return {"name": person.name, "id_number": person.id_number}


def phone_in(words: str) -> str:
    """The phone that a role of the cast names."""
    found = re.search(r"\+86\d{11}", words)
    assert found, words
    return found[0]


def awaited(look: Callable[[], T | None], what: str) -> T:
    """What `look` finds, asked again until it does."""
    patience = time.monotonic() + ARRIVES_WITHIN_SECONDS
    while (found := look()) is None:
        assert time.monotonic() < patience, f"{what} did not come"
        time.sleep(0.05)
    return found


def last_segment(text: str) -> str:
    """The token in a code's text."""
    return urlsplit(text).path.rsplit("/", 1)[-1]


def fields_of(kind: Mapping[str, Any], person: PlayedPerson) -> dict[str, Any]:
    """A value for every field of a kind."""
    known = {"name": person.name, "id_number": person.id_number}
    fit: dict[str, Any] = {"boolean": True, "integer": 1, "date": "2026-01-05", "code": "standard"}
    return {
        field["name"]: known.get(field["name"])
        or (field["codes"][0] if field["codes"] else fit.get(field["type"], "示例"))
        for field in kind["fields"]
    }
