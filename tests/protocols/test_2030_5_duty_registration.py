"""The duty of being registered: facts of the reference, 1.3; values only."""

from dataclasses import replace

import pytest
from duties_world import (
    LFDI,
    NOW,
    OTHER_LFDI,
    SFDI,
    config,
    created,
    device_read,
    document,
    fleet,
    managed,
    survey,
    texts,
    without,
)

from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.client.config import DerType
from wattseal.protocols.ieee2030_5.client.duties.registration import REFUSED_AGAIN_SECONDS, Registration
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.happenings import Registered, RegistrationRefused, Told
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.core_resources import Registration as Registered2030
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3


def test_a_device_that_a_whole_list_lacks_is_posted_with_what_the_standard_wants() -> None:
    """LFDI 3E4F45AB31... has the SFDI 167261211391; storage is bit 25; changedTime is the server's time."""
    (errand,) = Registration(config()).due(survey(offset=7), NOW)
    assert (errand.request.method, errand.request.href) == ("POST", "/edev")
    assert texts(errand, "sFDI") == ["167261211391"]
    assert texts(errand, "lFDI") == ["3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"]
    assert texts(errand, "deviceCategory") == ["02000000"]
    assert texts(errand, "changedTime") == [str(NOW + 7)]
    assert errand.reread == "/edev"


@pytest.mark.parametrize(
    ("kind", "bit"), [(DerType.BATTERY, 25), (DerType.PV, 21), (DerType.PV_BATTERY, 23), (DerType.EV_CHARGER, 17)]
)
def test_the_category_is_one_bit(kind: DerType, bit: int) -> None:
    """deviceCategory: 17 EVSE, 21 PV, 23 PV and storage, 25 other storage."""
    (errand,) = Registration(config(devices=(managed(der_type=kind),))).due(survey(), NOW)
    assert document(errand).device_category == 1 << bit


def test_nothing_is_posted_before_the_list_was_read_whole() -> None:
    """A missing page is no missing device."""
    assert Registration(config()).due(Survey(links={"EndDeviceListLink": "/edev"}), NOW) == ()


def test_nothing_is_posted_that_is_listed_or_where_it_is_not_wanted() -> None:
    assert Registration(config()).due(survey(device_read()), NOW) == ()
    assert Registration(config(register=False)).due(survey(), NOW) == ()


def test_a_location_ends_it_for_good_also_over_a_restart() -> None:
    """Once only: neither a stale list nor a restart brings a second EndDevice."""
    duty = Registration(config())
    (errand,) = duty.due(survey(), NOW)
    (told,) = duty.settled(errand, Answer(201, location="/edev/1"), NOW)
    assert isinstance(told, Told)
    assert duty.due(survey(), NOW + 10) == ()
    again = Registration(config())
    again.load(duty.dump())
    assert again.due(survey(), NOW + 10**7) == ()


def test_a_lost_state_posts_nothing_where_the_server_lists_the_device() -> None:
    """The list is read first: an empty disk is no reason for a second registration."""
    duty = Registration(config())
    assert duty.due(survey(device_read()), NOW) == ()
    assert duty.news() == (Registered("battery", "/edev/1", None),)
    assert duty.news() == ()


def test_one_errand_for_each_managed_device() -> None:
    """CSIP aggregators register every DER by itself, the aggregator itself is not posted."""
    errands = Registration(fleet()).due(survey(), NOW)
    assert [texts(one, "lFDI")[0] for one in errands] == [LFDI.hex().upper(), OTHER_LFDI.hex().upper()]
    assert len({one.key for one in errands}) == 2


def test_a_refusal_is_told_and_rests_for_a_day() -> None:
    duty = Registration(config())
    (errand,) = duty.due(survey(), NOW)
    _told, refused = duty.settled(errand, Answer(403), NOW)
    assert isinstance(refused, RegistrationRefused)
    assert refused.reason == "registration_refused"
    assert duty.due(survey(), NOW + REFUSED_AGAIN_SECONDS - 1) == ()
    assert duty.wake_at(NOW) == NOW + REFUSED_AGAIN_SECONDS
    assert len(duty.due(survey(), NOW + REFUSED_AGAIN_SECONDS)) == 1


def test_the_pin_111115_lets_go_on_and_another_stops_everything() -> None:
    """Labs use 11111 with the check digit 5; a mismatch ends all talk with that server."""
    good = Registration(config())
    good.due(survey(device_read()), NOW)
    assert good.may_proceed
    bad = Registration(fleet())
    wrong = replace(device_read(), registration=Registered2030(date_time_registered=0, pin=111_111))
    assert bad.due(survey(wrong), NOW) == ()  # the other device is not registered either
    assert not bad.may_proceed
    assert [one.reason for one in bad.news() if isinstance(one, RegistrationRefused)] == ["pin_mismatch"]
    assert bad.due(survey(device_read()), NOW)
    assert bad.may_proceed


def test_without_a_registration_link_it_goes_on() -> None:
    """No RegistrationLink: continue (ALL-05)."""
    duty = Registration(config())
    duty.due(survey(replace(without(device_read(), registration_link=None), registration=None)), NOW)
    assert duty.may_proceed


def test_a_pin_that_was_not_read_yet_lets_nothing_begin_unless_it_was_confirmed_before() -> None:
    unread = survey(replace(device_read(), registration=None))
    duty = Registration(config())
    duty.due(unread, NOW)
    assert not duty.may_proceed
    assert duty.news() == ()
    duty.due(survey(device_read()), NOW)
    again = Registration(config())
    again.load(duty.dump())
    again.due(unread, NOW)
    assert again.may_proceed


def test_the_sfdi_without_check_digit_is_taken_for_a_managed_device_and_not_for_ourselves() -> None:
    """A public harness registers 3E4F45AB31... with 16726121139: leniently for managed, strictly for oneself."""
    short = without(device_read(), sfdi=16_726_121_139)
    lenient = Registration(fleet())
    lenient.due(survey(short), NOW)
    assert lenient.may_serve(LFDI)
    strict = Registration(config())
    strict.due(survey(short), NOW)
    assert not strict.may_proceed
    assert [one.reason for one in strict.news() if isinstance(one, RegistrationRefused)] == ["sfdi_mismatch"]
    assert SFDI // 10 == 16_726_121_139


def test_a_deleted_device_is_not_put_back_and_no_longer_served() -> None:
    """MAINT-001: the server deletes an EndDevice; stop managing it. The operator may have it tried anew."""
    duty = Registration(fleet())
    duty.due(survey(device_read(), device_read(OTHER_LFDI, 2)), NOW)
    duty.news()
    assert duty.due(survey(device_read(OTHER_LFDI, 2)), NOW + 1) == ()
    assert not duty.may_serve(LFDI)
    assert duty.may_serve(OTHER_LFDI)
    assert [one.reason for one in duty.news() if isinstance(one, RegistrationRefused)] == ["end_device_deleted"]
    duty.forget(LFDI)
    assert len(duty.due(survey(device_read(OTHER_LFDI, 2)), NOW + 2)) == 1


def test_a_disabled_device_is_not_served_the_others_are() -> None:
    """EndDevice/enabled=false: not served any longer."""
    duty = Registration(fleet())
    duty.due(survey(without(device_read(), enabled=False), device_read(OTHER_LFDI, 2)), NOW)
    assert not duty.may_serve(LFDI)
    assert duty.may_serve(OTHER_LFDI)


def test_a_connection_point_is_put_once() -> None:
    """CSIP-AUS: the NMI is put to the ConnectionPointLink, 201 creates it."""
    ours = config(CSIPAUS_1_3, devices=(managed(connection_point="4102334567"),))
    duty = Registration(ours)
    (errand,) = duty.due(survey(device_read()), NOW)
    assert (errand.request.method, errand.request.href) == ("PUT", "/edev/1/cp")
    assert texts(errand, "connectionPointId") == ["4102334567"]
    duty.settled(errand, created(errand), NOW)
    again = Registration(ours)
    again.load(duty.dump())
    assert again.due(survey(device_read()), NOW) == ()


def test_a_409_on_the_connection_point_is_told_and_not_repeated() -> None:
    """409: the server forbids the change."""
    duty = Registration(config(CSIPAUS_1_3, devices=(managed(connection_point="4102334567"),)))
    (errand,) = duty.due(survey(device_read()), NOW)
    (told,) = duty.settled(errand, Answer(409), NOW)
    assert isinstance(told, Told)
    assert (told.kind, told.status) == ("connection_point", 409)
    assert duty.due(survey(device_read()), NOW + 10**7) == ()
    assert duty.may_serve(LFDI)


def test_a_plain_2030_5_server_gets_no_connection_point() -> None:
    duty = Registration(config(devices=(managed(connection_point="4102334567"),)))
    assert duty.due(survey(device_read()), NOW) == ()


@pytest.mark.parametrize("data", [b"", b"\x92\x09\x80", b"\x93", b"\xff" * 9])
def test_bytes_of_another_release_are_refused(data: bytes) -> None:
    with pytest.raises(WorldError, match="duty_state_"):
        Registration(config()).load(data)
