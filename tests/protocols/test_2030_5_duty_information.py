"""The duty of saying who made a device and what it runs on: reference 1.11; values only."""

from typing import Any

from duties_world import NOW, carry, config, created, device_read, document, managed, survey, texts, without

from wattseal.protocols.ieee2030_5.client.config import DerType
from wattseal.protocols.ieee2030_5.client.duties.information import Information, Nameplate
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.measured import Measured

PLATE = Nameplate(64_222, "B-20", "000123", 1_700_000_000, "1.0", "2.4", 1_790_000_000, locale="en-AU", label="Garage")
HERE = survey(device_read())


def told(duty: Information, now: int = NOW, seen: Any = HERE) -> list[Any]:
    return carry(duty, seen, now, created)[0]


def test_nothing_known_nothing_put() -> None:
    duty = Information(config())
    assert duty.due(HERE, NOW) == ()
    duty.take(Measured("battery", NOW, watts=5))
    duty.take(Measured("", NOW, connected=True))
    assert duty.due(HERE, NOW) == ()


def test_the_nameplate_is_put_once_where_it_is_linked() -> None:
    """DeviceInformation: lFDI, mfID (a PEN), mfModel, mfSerNum, swVer; Configuration: locale and name."""
    duty = Information(config())
    duty.put_nameplate("battery", PLATE)
    information, configuration = told(duty)
    assert (information.request.method, information.request.href) == ("PUT", "/edev/1/di")
    assert configuration.request.href == "/edev/1/cfg"
    assert texts(information, "mfID") == ["64222"]
    assert texts(information, "lFDI") == ["3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"]
    assert texts(information, "mfSerNum") == ["000123"]
    assert texts(configuration, "currentLocale") == ["en-AU"]
    assert told(duty, NOW + 10**6) == []
    unlinked = survey(without(device_read(), device_information_link=None, configuration_link=None))
    again = Information(config())
    again.put_nameplate("battery", PLATE)
    assert again.due(unlinked, NOW) == ()


def test_a_nameplate_without_locale_has_no_configuration_and_long_texts_are_cut() -> None:
    duty = Information(config())
    duty.put_nameplate("battery", Nameplate(1, "Ä" * 40, "1", 0, "1", "1", 0))
    (information,) = told(duty)
    assert texts(information, "mfModel") == ["Ä" * 16]


def test_the_power_status_is_put_on_change_and_on_the_beat() -> None:
    """PowerStatus: currentPowerSource 1 mains; batteryStatus 0 unknown for a battery, 4 not applicable without one."""
    duty = Information(config())
    duty.take(Measured("battery", NOW, connected=True, charge_hundredths=4_000))
    (first,) = told(duty)
    read = document(first)
    assert (read.current_power_source, read.battery_status, read.estimated_charge_remaining) == (1, 0, 4_000)
    assert duty.wake_at(NOW) == NOW + 300
    assert told(duty, NOW + 299) == []
    duty.take(Measured("battery", NOW + 20, connected=False))
    (second,) = told(duty, NOW + 21)
    assert document(second).current_power_source == 5
    assert document(second).changed_time == NOW + 20
    assert len(told(duty, NOW + 321)) == 1
    solar = Information(config(devices=(managed(der_type=DerType.PV),)))
    solar.take(Measured("battery", NOW, connected=True, charge_hundredths=1))
    (errand,) = told(solar)
    assert document(errand).battery_status == 4
    assert document(errand).estimated_charge_remaining is None


def test_a_change_while_the_answer_is_out_is_not_lost() -> None:
    duty = Information(config())
    duty.take(Measured("battery", NOW, connected=True))
    (errand,) = duty.due(HERE, NOW)
    duty.take(Measured("battery", NOW + 1, connected=False))
    duty.settled(errand, Answer(204), NOW + 1)
    (second,) = duty.due(HERE, NOW + 1)
    assert document(second).current_power_source == 5


def test_a_refusal_is_told_and_not_repeated_unchanged() -> None:
    duty = Information(config())
    duty.put_nameplate("battery", PLATE)
    errands, happenings = carry(duty, HERE, NOW, lambda _: Answer(405))
    assert len(errands) == 2
    assert {one.kind for one in happenings} == {"device_information", "configuration"}
    assert duty.due(HERE, NOW + 10**6) == ()
