"""The duty of telling a DER: facts of the reference, 1.8; values only."""

from dataclasses import replace
from typing import Any

import pytest
from duties_world import (
    NOW,
    OTHER_LFDI,
    RATINGS,
    carry,
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
from hypothesis import example, given
from hypothesis import strategies as st

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.client.config import DerType, Ratings
from wattseal.protocols.ieee2030_5.client.duties.der import RETOLD_SECONDS, DerReports
from wattseal.protocols.ieee2030_5.client.duties.der_documents import (
    InForceSettings,
    capability_of,
    overwritten_by,
    settings_of,
)
from wattseal.protocols.ieee2030_5.client.duties.der_modes import doe_modes_of, modes2_of, modes_of, vpp_modes_of
from wattseal.protocols.ieee2030_5.client.duties.scaling import INT16_MOST, UINT16_MOST, scaled
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControlBase
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source
from wattseal.protocols.ieee2030_5.modes import default_settings_of, modes
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIP_2023, CSIPAUS_1_2, CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.vocabulary import Alarm, InverterState, OperationalMode

RUNNING = Measured(
    "battery",
    NOW,
    watts=-1500,
    charge_hundredths=5050,
    connected=True,
    available=True,
    operating=True,
    fault=False,
    alarms=0,
    available_watts=32_768,
    available_absorb_watts=70_000,
)
WHOLE = survey(device_read())


def told(duty: DerReports, seen: Survey = WHOLE, now: int = NOW) -> list[Any]:
    return carry(duty, seen, now, created)[0]


def test_32768_watts_do_not_fit_and_become_3276_tens() -> None:
    """Int16 ends at 32767: the smallest power of ten that fits, and never more than the device has."""
    capability = capability_of(managed(), CSIP_2018)
    assert capability.rtg_max_w is not None
    assert (capability.rtg_max_w.value, capability.rtg_max_w.multiplier) == (3276, 1)
    assert capability.rtg_max_charge_rate_w is not None
    assert (capability.rtg_max_charge_rate_w.value, capability.rtg_max_charge_rate_w.multiplier) == (20_000, 0)
    assert capability.rtg_max_wh is not None
    assert (capability.rtg_max_wh.value, capability.rtg_max_wh.multiplier) == (10_000, 1)


@given(st.integers(-(10**12), 10**12), st.sampled_from((INT16_MOST, UINT16_MOST)))
def test_scaling_never_goes_beyond_and_takes_the_smallest_power(value: int, most: int) -> None:
    """Against the definition: toward zero, less than one step away, no smaller power of ten would do."""
    digits, multiplier = scaled(value, most)
    assert abs(digits) <= most
    assert 0 <= abs(value) - abs(digits) * 10**multiplier < 10**multiplier
    assert digits * value >= 0
    assert multiplier == 0 or abs(value) // 10 ** (multiplier - 1) > most


def test_what_fits_nowhere_is_refused() -> None:
    with pytest.raises(MisuseError, match="quantity_out_of_range"):
        scaled(10**14, INT16_MOST)


@pytest.mark.parametrize(
    ("mode", "bit"),
    [
        ("opModConnect", 2),
        ("opModEnergize", 3),
        ("opModFixedPFAbsorbW", 4),
        ("opModFixedPFInjectW", 5),
        ("opModFixedVar", 6),
        ("opModFixedW", 7),
        ("opModFreqDroop", 8),
        ("opModFreqWatt", 9),
        ("opModHFRTMayTrip", 10),
        ("opModHFRTMustTrip", 11),
        ("opModHVRTMayTrip", 12),
        ("opModHVRTMomentaryCessation", 13),
        ("opModHVRTMustTrip", 14),
        ("opModLFRTMayTrip", 15),
        ("opModLFRTMustTrip", 16),
        ("opModLVRTMayTrip", 17),
        ("opModLVRTMomentaryCessation", 18),
        ("opModLVRTMustTrip", 19),
        ("opModMaxLimW", 20),
        ("opModTargetVar", 21),
        ("opModTargetW", 22),
        ("opModVoltVar", 23),
        ("opModVoltWatt", 24),
        ("opModWattPF", 25),
        ("opModWattVar", 26),
    ],
)
def test_each_mode_has_its_bit_and_no_other(mode: str, bit: int) -> None:
    """DERControlType, the table of the schema."""
    assert mode in modes()
    assert modes_of(Ratings(1, 1, modes=frozenset({mode})), DerType.PV) == 1 << bit


def test_charge_and_discharge_follow_from_the_ratings_of_what_stores() -> None:
    """Bits 0 and 1."""
    assert modes_of(Ratings(1, 1), DerType.BATTERY) == 0b11
    assert modes_of(Ratings(0, 1), DerType.EV_CHARGER) == 0b01
    assert modes_of(Ratings(1, 0), DerType.PV) == 0


def test_the_bitmaps_of_the_other_vocabularies() -> None:
    """2023: bit 8 MaxLimWInject. CSIP-AUS: bits 0 Exp, 1 Imp, 2 Gen, 3 Load; v1.3 bit 0 StorageTargetW."""
    names = ("ExpLimW", "ImpLimW", "GenLimW", "LoadLimW")
    for bit, name in enumerate(names):
        assert doe_modes_of(Ratings(1, 1, modes=frozenset({f"csipaus:opMod{name}"}))) == 1 << bit
        assert f"csipaus:opMod{name}" in modes()
    assert vpp_modes_of(Ratings(1, 1, modes=frozenset({"csipaus:opModStorageTargetW"}))) == 1
    assert modes2_of(Ratings(1, 1, modes=frozenset({"opModMaxLimWInject", "opModTargetV"}))) == 0b11_0000_0000


def test_csip_aus_demands_its_bitmaps_and_the_others_never_see_them() -> None:
    """CSIP-AUS: envoy answers 400 to a capability without doeModesSupported."""
    assert capability_of(managed(), CSIPAUS_1_2).doe_modes_supported == 1
    assert capability_of(managed(), CSIPAUS_1_2).vpp_modes_supported is None
    assert capability_of(managed(), CSIPAUS_1_3).vpp_modes_supported == 0
    assert capability_of(managed(), CSIP_2018).doe_modes_supported is None
    assert capability_of(managed(), CSIP_2023).modes_supported2 == 0


@example(32_767, 0, 0, 0)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_settings_never_exceed_ratings(inject: int, absorb: int, var: int, volt_amperes: int) -> None:
    """CORE-014, also as written: 32767 W beside 3276 tens would exceed. setMaxVarNeg is negative."""
    limits = Ratings(inject, absorb, var, var, volt_amperes, 10**9)
    device = managed()
    settings = settings_of(device, InForceSettings(limits=limits), CSIP_2018, NOW)
    rated = capability_of(device, CSIP_2018)
    for setting, rating in (
        (settings.set_max_w, rated.rtg_max_w),
        (settings.set_max_charge_rate_w, rated.rtg_max_charge_rate_w),
        (settings.set_max_discharge_rate_w, rated.rtg_max_discharge_rate_w),
        (settings.set_max_va, rated.rtg_max_va),
        (settings.set_max_var, rated.rtg_max_var),
        (settings.set_max_wh, rated.rtg_max_wh),
    ):
        assert setting is not None
        assert rating is not None
        assert setting.value * 10**setting.multiplier <= rating.value * 10**rating.multiplier
    assert settings.set_max_var_neg is not None
    assert -4000 <= settings.set_max_var_neg.value * 10**settings.set_max_var_neg.multiplier <= 0


def test_what_is_told_at_the_start_and_in_which_order() -> None:
    """CORE-009; one document of a DER at a time, because servers lose one of two that come together (envoy #361)."""
    duty = DerReports(config())
    duty.take(RUNNING)
    first = duty.due(WHOLE, NOW)
    assert len(first) == 1
    assert duty.due(WHOLE, NOW) == first  # still the same one while its answer is out
    assert [one.request.href for one in told(duty)] == [
        "/edev/1/der/1/dercap",
        "/edev/1/der/1/derg",
        "/edev/1/der/1/ders",
        "/edev/1/der/1/dera",
    ]
    assert duty.due(WHOLE, NOW + 1) == ()


def test_two_devices_do_not_wait_for_each_other() -> None:
    duty = DerReports(fleet())
    errands = duty.due(survey(device_read(), device_read(OTHER_LFDI, 2)), NOW)
    assert [one.key[1] for one in errands] == ["battery", "charger"]


def test_a_newly_urgent_status_waits_for_the_document_that_is_out() -> None:
    duty = DerReports(config())
    (capability,) = duty.due(WHOLE, NOW)
    duty.take(replace(RUNNING, alarms=int(Alarm.OVER_VOLTAGE)))
    assert duty.due(WHOLE, NOW) == (capability,)


def test_an_alarm_waits_for_the_availability_that_is_out() -> None:
    """Also for what stands behind it in the order."""
    duty = DerReports(config())
    duty.take(RUNNING)
    for _ in range(3):
        (errand,) = duty.due(WHOLE, NOW)
        duty.settled(errand, created(errand), NOW)
    (availability,) = duty.due(WHOLE, NOW)
    assert availability.key[2] == "availability"
    duty.take(replace(RUNNING, alarms=int(Alarm.OVER_VOLTAGE)))
    assert duty.due(WHOLE, NOW) == (availability,)
    duty.settled(availability, created(availability), NOW)
    (status,) = duty.due(WHOLE, NOW)
    assert texts(status, "alarmStatus") == ["00000002"]


def test_nothing_measured_nothing_told() -> None:
    duty = DerReports(config())
    duty.take(Measured("battery", NOW))
    duty.take(Measured("", NOW, alarms=1))
    assert [one.key[2] for one in told(duty)] == ["capability", "settings"]


def test_status_says_what_was_measured() -> None:
    """Bits 0 connected, 1 available, 2 operating; storage 0 charging; 50.50 % is 5050; dates in server time."""
    duty = DerReports(config())
    duty.take(RUNNING)
    (status,) = (one for one in told(duty, survey(device_read(), offset=5)) if one.key[2] == "status")
    read = document(status)
    assert (read.gen_connect_status.value, read.stor_connect_status.value) == (0b111, 0b111)
    assert read.gen_connect_status.date_time == NOW + 5
    assert read.reading_time == NOW + 5
    assert read.state_of_charge_status.value == 5050
    assert read.storage_mode_status.value == 0
    assert read.operational_mode_status.value == OperationalMode.OPERATIONAL
    assert read.alarm_status == 0
    assert read.inverter_status is None
    assert read.connect_status is None  # of 2023


def test_a_date_is_that_of_the_change_and_not_of_the_reading() -> None:
    duty = DerReports(config())
    duty.take(RUNNING)
    told(duty)
    duty.take(replace(RUNNING, at=NOW + 60, alarms=2))
    (status,) = told(duty, now=NOW + 60)
    assert texts(status, "readingTime") == [str(NOW + 60)]
    assert document(status).gen_connect_status.date_time == NOW


@pytest.mark.parametrize(
    "change",
    [{"alarms": int(Alarm.OVER_FREQUENCY)}, {"connected": False}, {"inverter": InverterState.FAULT}, {"fault": True}],
)
def test_a_change_of_state_or_alarm_is_told_at_once(change: dict[str, Any]) -> None:
    """BASIC-028; and only the status, off its beat."""
    duty = DerReports(config())
    duty.take(RUNNING)
    told(duty)
    duty.take(replace(RUNNING, at=NOW + 2, watts=-1400))
    assert told(duty, now=NOW + 2) == []
    duty.take(replace(RUNNING, at=NOW + 3, **change))
    assert [one.key[2] for one in told(duty, now=NOW + 3)] == ["status"]


@pytest.mark.parametrize(("post_rate", "seconds"), [(None, 300), (60, 60), (0, 300)])
def test_status_and_availability_keep_the_rate_of_the_server(post_rate: int | None, seconds: int) -> None:
    """EndDevice.postRate, else five minutes; the beat does not drift with the answer."""
    seen = survey(without(device_read(), post_rate=post_rate))
    duty = DerReports(config())
    duty.take(RUNNING)
    told(duty, seen)
    assert duty.wake_at(NOW) == NOW + seconds
    duty.take(replace(RUNNING, at=NOW + seconds - 1))
    assert told(duty, seen, NOW + seconds - 1) == []
    late = NOW + seconds + 7
    assert [one.key[2] for one in told(duty, seen, late)] == ["status", "availability"]
    assert duty.wake_at(late) == NOW + 2 * seconds


def test_the_same_reading_is_not_told_twice() -> None:
    """A device that fell silent has no news; its old state is not told as a new one."""
    duty = DerReports(config())
    duty.take(RUNNING)
    told(duty)
    assert told(duty, now=NOW + 3000) == []


def test_a_default_control_that_overwrites_a_setting_is_told() -> None:
    """CSIP-AUS: setGradW 27 (0.27 %/s) of a DefaultDERControl overwrites that of DERSettings."""
    duty = DerReports(config())
    (_, before) = told(duty)
    assert document(before).set_grad_w == 0
    assert document(before).updated_time == NOW
    duty.put_settings("battery", InForceSettings(overwritten=(("setESDelay", 6000), ("setGradW", 27))), NOW + 50)
    (after,) = told(duty, now=NOW + 51)
    assert (document(after).set_grad_w, document(after).set_es_delay) == (27, 6000)
    assert document(after).updated_time == NOW + 50
    duty.put_settings("battery", InForceSettings(overwritten=(("setESDelay", 6000), ("setGradW", 27))), NOW + 60)
    assert told(duty, now=NOW + 61) == []


def test_the_settings_among_what_is_in_force_are_those_of_the_default() -> None:
    """DefaultDERControl: its setES* and gradients overwrite DERSettings; modes of its base do not."""
    default = DefaultDERControl(
        mrid="0A", der_control_base=DERControlBase(op_mod_energize=True), set_grad_w=27, set_es_low_volt=-1200
    )
    values = [
        InForce(one.mode, one.value, None, Source.DEFAULT, b"", b"", None)
        for one in default_settings_of(default, lambda _: None)
    ]
    assert len(values) == 3
    assert overwritten_by(values) == (("setESLowVolt", -1200), ("setGradW", 27))


def test_a_setting_that_changed_and_changed_back_blocks_nothing() -> None:
    duty = DerReports(config())
    told(duty)
    duty.put_settings("battery", InForceSettings(overwritten=(("setGradW", 27),)), NOW + 1)
    assert duty.due(WHOLE, NOW + 1)
    duty.put_settings("battery", InForceSettings(), NOW + 2)
    assert [one.key[2] for one in told(duty, now=NOW + 2)] == ["settings", "settings"]


def test_a_refused_document_rests_until_it_changes() -> None:
    duty = DerReports(config())
    refused, happenings = carry(duty, WHOLE, NOW, lambda _: Answer(400))
    assert [one.status for one in happenings] == [400, 400]
    assert len(refused) == 2
    assert duty.due(WHOLE, NOW + RETOLD_SECONDS - 1) == ()
    assert duty.due(WHOLE, NOW + RETOLD_SECONDS)


def test_a_der_that_moved_is_told_anew() -> None:
    duty = DerReports(config())
    told(duty)
    moved = replace(device_read(), ders=((("/edev/1/der/9"), device_read(number=9).ders[0][1]),))
    assert [one.request.href for one in told(duty, survey(moved))] == ["/edev/9/der/1/dercap", "/edev/9/der/1/derg"]


def test_availability_has_the_absorbing_side_since_2023_only() -> None:
    """Field statWAbsorbAvail came with 2023; 70000 W do not fit an UInt16."""
    for profile, there in ((CSIP_2018, False), (CSIP_2023, True)):
        duty = DerReports(config(profile))
        duty.take(RUNNING)
        (one,) = (one for one in told(duty) if one.key[2] == "availability")
        read = document(one, profile)
        assert (read.stat_w_avail.value, read.stat_w_avail.multiplier) == (3276, 1)
        assert (read.stat_w_absorb_avail is not None) == there
        assert not there or (read.stat_w_absorb_avail.value, read.stat_w_absorb_avail.multiplier) == (7000, 1)


def test_a_photovoltaic_device_has_no_storage_words() -> None:
    duty = DerReports(config(devices=(managed(der_type=DerType.PV, ratings=replace(RATINGS, absorb_watts=0)),)))
    duty.take(RUNNING)
    capability, _, status, _ = told(duty)
    assert document(capability).rtg_max_charge_rate_w is None
    assert document(capability).type == 4
    assert document(status).stor_connect_status is None
    assert document(status).state_of_charge_status is None


def test_no_der_no_errand() -> None:
    assert DerReports(config()).due(survey(replace(device_read(), ders=None)), NOW) == ()
    assert DerReports(config()).due(survey(device_read(OTHER_LFDI)), NOW) == ()
