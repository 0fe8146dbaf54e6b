"""The demo city is rich, consistent, check-digit valid, the same every time, and nobody's real data."""

from collections import Counter
from datetime import UTC, date, timedelta
from itertools import pairwise

import phonenumbers
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from city import seeds
from city.demo.certificates import EXPIRED, all_holdings, holdings
from city.demo.codes import DISTRICT_BY_CODE, credit_code
from city.demo.departments import DEPARTMENT_BY_SLUG, DEPARTMENTS
from city.demo.keys import demo_key
from city.demo.kinds import KIND_BY_CODE, KIND_BY_SLUG, KINDS
from city.demo.model import IDENTIFIER_FIELD, FieldType, Sex, StaffRole, VenueSort
from city.demo.offices import OFFICES, SERVICE_BY_SLUG, slots_from
from city.demo.people import CAST, PEOPLE, PERSON_BY_KEY, children_of, household
from city.demo.questions import LIVES_IN
from city.demo.scenarios import NEIGHBOUR, SCENARIO_BY_CODE, SCENARIOS
from city.demo.staff import OPERATOR, STAFF
from city.demo.venues import VENUES
from wallet import identifier
from wallet.model import IssuerSort
from wallet.operators.soundness import check_kind

TODAY = date(2026, 11, 22)
HELD = tuple(all_holdings(TODAY))

days = st.dates(min_value=date(2026, 1, 1), max_value=date(2040, 12, 31))


def test_the_city_is_as_large_as_was_promised():
    assert len(DEPARTMENTS) >= 12
    assert len(KINDS) >= 60
    assert len({kind.department for kind in KINDS}) >= 12
    assert len(VENUES) >= 12
    assert {venue.sort for venue in VENUES} == set(VenueSort)
    assert len(PEOPLE) >= 200
    assert len({office.district for office in OFFICES}) >= 6


def test_its_people_are_of_several_ages_and_live_in_families():
    decades = Counter(person.age_on(TODAY) // 10 for person in PEOPLE)
    assert set(range(9)) <= set(decades)
    generations = {
        home: len({person.born.year // 20 for person in PEOPLE if person.household == home})
        for home in {person.household for person in PEOPLE}
    }
    assert sum(1 for count in generations.values() if count >= 3) >= 10
    assert len(generations) >= 50


def test_every_id_number_is_valid_belongs_to_its_holder_and_cannot_be_a_living_persons():
    assert len({person.id_number for person in PEOPLE}) == len(PEOPLE)
    for person in PEOPLE:
        assert ric.validate(person.id_number) == person.id_number
        assert ric.get_birth_date(person.id_number) == person.born
        assert person.id_number.startswith(person.hometown)
        order = int(person.id_number[14:17])
        assert 996 <= order <= 999
        assert (order % 2 == 1) == (person.sex is Sex.MALE)


def test_every_phone_is_well_formed_and_rings_for_nobody():
    phones = [person.phone for person in PEOPLE if person.phone is not None]
    phones += [person.phone for person in STAFF] + [office.phone for office in OFFICES]
    assert len(set(phones)) == len(phones)
    for phone in phones:
        number = phonenumbers.parse(phone)
        assert phonenumbers.is_valid_number_for_region(number, "CN")
        assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == phone
        assert phone.startswith("+861349000")


def test_every_adult_can_be_reached():
    assert all(person.phone is not None for person in PEOPLE if person.age_on(TODAY) >= 18)


def test_families_agree_with_each_other():
    for person in PEOPLE:
        assert household(person)[0].head
        if person.spouse is not None:
            assert PERSON_BY_KEY[person.spouse].spouse == person.key
        for child in children_of(person):
            assert person.born.year + 18 <= child.born.year <= person.born.year + 45
    assert len({person.name for person in PEOPLE}) == len(PEOPLE)


def test_the_cast_can_play_its_parts():
    child, mother = PERSON_BY_KEY[CAST["child"]], PERSON_BY_KEY[CAST["mother"]]
    assert child.phone is None
    assert child in children_of(mother)
    assert PERSON_BY_KEY[CAST["elder"]].age_on(TODAY) >= 70
    assert not PERSON_BY_KEY[CAST["newcomer"]].is_local
    assert "health_certificate" in {one.kind_slug for one in holdings(PERSON_BY_KEY[CAST["cook"]], TODAY)}


def test_every_credit_code_is_valid_and_used_once():
    codes = [department.uscc for department in DEPARTMENTS] + [venue.uscc for venue in VENUES]
    codes += [str(one.values["credit_code"]) for _, one in HELD if one.kind_slug == "business_licence"]
    assert len(set(codes)) == len(codes)
    assert all(uscc.is_valid(code) for code in codes)


def test_a_credit_code_carries_the_check_character_of_its_organisation_too():
    # GB 11714: the organisation code D2143569 has the check character X.
    assert credit_code("11", "310000", "D2143569")[8:17] == "D2143569X"


def test_every_kind_has_a_code_of_its_department_and_a_schema():
    assert len(KIND_BY_CODE) == len(KIND_BY_SLUG) == len(KINDS)
    for kind in KINDS:
        assert len(kind.code) == 21
        assert kind.code[:18] == DEPARTMENT_BY_SLUG[kind.department].uscc
        assert kind.fields
        assert len(set(kind.field_names)) == len(kind.fields)
        assert IDENTIFIER_FIELD not in kind.field_names
        assert kind.valid_days is None or kind.valid_days > 0


def test_every_scenario_sees_only_fields_that_its_kinds_have():
    assert len(SCENARIO_BY_CODE) == len(SCENARIOS)
    assert {scenario.sort for scenario in SCENARIOS} == set(VenueSort)
    for scenario in SCENARIOS:
        assert scenario.code.startswith(f"{scenario.sort}.")
        assert len({grant.kind_code for grant in scenario.grants}) == len(scenario.grants) > 0
        for grant in scenario.grants:
            assert grant.fields
            assert len(set(grant.fields)) == len(grant.fields)
            kind = KIND_BY_CODE[grant.kind_code]
            assert set(grant.fields) <= {*kind.field_names, *kind.predicate_names, IDENTIFIER_FIELD}


def test_every_kind_is_sound_names_its_organ_and_shows_a_face():
    for kind in KINDS:
        check_kind(seeds.wallet_kind(kind))
        assert kind.organ_zh
        assert kind.face
    printable = {kind.slug for kind in KINDS if kind.is_printable}
    assert printable == {"no_criminal_record", "household_register"}


def test_questions_are_answered_yes_by_some_and_no_by_others():
    answers = {
        (kind.slug, predicate.name): {
            predicate.answer(holding.values, TODAY) for _, holding in HELD if holding.kind_code == kind.code
        }
        for kind in KINDS
        for predicate in kind.predicates
    }
    assert len(answers) >= 15
    always = {question for question, said in answers.items() if said == {True}}
    never = {question for question, said in answers.items() if said == {False}}
    assert always <= {("senior_card", "age_at_least_60"), ("no_criminal_record", "has_no_record"),
                      ("health_certificate", "is_fit_for_work"), ("medical_insurance", "is_insured"),
                      ("household_register", "is_registered_here"), ("residence_permit", "age_at_least_18"),
                      ("driving_licence", "may_drive_c1"), ("blood_donation", "donated_800_ml"),
                      ("student_card", "age_at_least_14")}, always  # fmt: skip
    assert never == set()


def test_a_scenic_spot_and_an_amusement_park_learn_of_an_elder_only_yes_or_no():
    for code in ("scenic_spot.concession", "amusement_park.concession"):
        seen = {KIND_BY_CODE[grant.kind_code].slug: grant.fields for grant in SCENARIO_BY_CODE[code].grants}
        assert seen["resident_id_card"] == seen["senior_card"] == ("age_at_least_60",)


def test_a_museum_asks_about_its_own_district_alone():
    museums = [venue for venue in VENUES if venue.sort is VenueSort.MUSEUM]
    for museum in museums:
        grants = museum.terms[NEIGHBOUR].grants
        assert grants is not None
        assert set(grants.values()) == {(LIVES_IN[museum.district].name,)}
    assert len({venue.district for venue in museums}) > 1


def test_an_association_an_assessor_and_a_school_issue_beside_the_departments():
    others = [one for one in DEPARTMENTS if one.sort is not IssuerSort.DEPARTMENT]
    assert {one.sort for one in others} == set(IssuerSort) - {IssuerSort.DEPARTMENT}
    assert all(one.accredited_until is not None for one in others)
    assert {one.slug for one in others} <= {kind.department for kind in KINDS}


def test_no_scenario_sees_a_whole_certificate_of_many_fields_and_almost_none_its_identifier():
    with_identifier = [
        scenario.code for scenario in SCENARIOS if any(IDENTIFIER_FIELD in grant.fields for grant in scenario.grants)
    ]
    assert len(with_identifier) <= 1
    for scenario in SCENARIOS:
        for grant in scenario.grants:
            kind = KIND_BY_CODE[grant.kind_code]
            assert len(grant.fields) < len(kind.fields) or len(kind.fields) <= 4


def test_every_venue_has_a_device_and_scenarios_of_its_sort():
    devices = [device.slug for venue in VENUES for device in venue.devices]
    assert len(set(devices)) == len(devices)
    for venue in VENUES:
        assert venue.district in DISTRICT_BY_CODE
        assert venue.devices
        assert venue.scenarios
        assert all(SCENARIO_BY_CODE[code].sort is venue.sort for code in venue.scenarios)


def test_every_kind_is_held_by_somebody():
    assert {holding.kind_slug for _, holding in HELD} == set(KIND_BY_SLUG)


def test_certificates_say_what_is_true_of_their_holder():
    for person, holding in HELD:
        kind = KIND_BY_CODE[holding.kind_code]
        assert tuple(holding.values) == kind.field_names
        assert holding.department == kind.department
        truth = {
            "name": person.name,
            "id_number": person.id_number,
            "birth_date": person.born.isoformat(),
            "sex": person.sex.value,
            "address": person.address,
        }
        assert all(value == truth[name] for name, value in holding.values.items() if name in truth)


def test_every_value_is_of_the_type_its_field_declares():
    for _, holding in HELD:
        for field in KIND_BY_CODE[holding.kind_code].fields:
            value = holding.values[field.name]
            if field.type is FieldType.BOOLEAN:
                assert isinstance(value, bool)
            elif field.type is FieldType.INTEGER:
                assert type(value) is int
            else:
                assert isinstance(value, str)
                assert value
            if field.type is FieldType.DATE:
                assert date.fromisoformat(str(value)) <= TODAY


def test_every_certificate_has_an_identifier_of_its_own():
    texts = {
        identifier.compose(holding.kind_code, DEPARTMENT_BY_SLUG[holding.department].uscc, holding.serial, 1)
        for _, holding in HELD
    }
    assert len(texts) == len(HELD)
    assert all(identifier.read(text).version == 1 for text in texts)


def test_references_are_unique_and_betray_nobody():
    assert len({(holding.department, holding.issuer_reference) for _, holding in HELD}) == len(HELD)
    for person, holding in HELD:
        secrets = [person.id_number, person.name, person.born.strftime("%Y%m%d"), (person.phone or "-")[1:]]
        assert not any(secret in holding.issuer_reference for secret in secrets if secret)


def test_only_those_named_hold_something_expired():
    lapsed = {
        (person.key, holding.kind_slug)
        for person, holding in HELD
        if holding.valid_until is not None and holding.valid_until < TODAY
    }
    assert lapsed == EXPIRED


@given(st.sampled_from(PEOPLE), days)
def test_the_same_day_gives_the_same_certificates_and_none_from_the_future(person, day):
    first = holdings(person, day)
    assert first == holdings(person, day)
    assert all(holding.valid_from <= day for holding in first)


@given(st.sampled_from(PEOPLE), days, days)
def test_references_and_serials_outlive_the_day(person, one_day, other_day):
    one = {holding.kind_slug: (holding.issuer_reference, holding.serial) for holding in holdings(person, one_day)}
    other = {holding.kind_slug: (holding.issuer_reference, holding.serial) for holding in holdings(person, other_day)}
    assert all(one[slug] == other[slug] for slug in one.keys() & other.keys())


@given(days)
def test_there_are_slots_for_two_weeks_in_six_districts(day):
    slots = slots_from(day)
    assert len({slot.key for slot in slots}) == len(slots)
    local_days = {(slot.starts_at + timedelta(hours=8)).date() for slot in slots}
    assert local_days == {day + timedelta(days=ahead) for ahead in range(14)}
    district_of = {office.slug: office.district for office in OFFICES}
    assert len({district_of[slot.office] for slot in slots}) >= 6
    assert all(slot.places >= 1 and slot.starts_at.tzinfo is UTC for slot in slots)


def test_slots_of_one_desk_never_overlap():
    desks: dict[tuple[str, str], list] = {}
    for slot in slots_from(TODAY):
        desks.setdefault((slot.office, slot.service), []).append(slot)
    assert all(earlier.ends_at <= later.starts_at for desk in desks.values() for earlier, later in pairwise(desk))


def test_every_desk_offers_a_known_service_and_the_services_promised_are_there():
    offered = {desk.service for office in OFFICES for desk in office.desks}
    assert offered == set(SERVICE_BY_SLUG)
    assert {
        "exit_entry",
        "marriage_registration",
        "driving_licence",
        "health_exam",
        "real_estate",
        "social_security",
    } <= offered
    assert all(service.department in DEPARTMENT_BY_SLUG for service in SERVICE_BY_SLUG.values())


def test_somebody_works_at_every_desk_and_one_person_operates_the_city():
    for role in (StaffRole.DESK, StaffRole.SUPERVISOR):
        assert {person.office for person in STAFF if person.role is role} == {office.slug for office in OFFICES}
    assert [person for person in STAFF if person.role is StaffRole.OPERATOR] == [OPERATOR]
    assert all(person.department in DEPARTMENT_BY_SLUG for person in STAFF if person is not OPERATOR)
    assert not {person.name for person in STAFF} & {person.name for person in PEOPLE}


def test_demo_keys_follow_from_the_installations_secret_alone():
    one, same = demo_key(b"a" * 32, "department:police"), demo_key(b"a" * 32, "department:police")
    assert one.private_numbers() == same.private_numbers()
    assert isinstance(one.curve, ec.SECP256R1)
    others = [demo_key(b"b" * 32, "department:police"), demo_key(b"a" * 32, "department:parks")]
    assert all(other.private_numbers() != one.private_numbers() for other in others)


def test_a_short_secret_makes_no_keys():
    with pytest.raises(AssertionError):
        demo_key(b"short", "department:police")
