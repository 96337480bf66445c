"""What a sealed reading says of a device, as a 2030.5 server is told it; and what such a device could do then."""

import pytest

from wattseal.bridge.availability import Bounds, with_availability
from wattseal.bridge.journal import Sample
from wattseal.bridge.measuring import measured_between
from wattseal.bridge.states import states_of
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.vocabulary import Alarm, InverterState, OperationalMode

BOUNDS = Bounds(inject_watts=5000, absorb_watts=4000, storage_watt_hours=20_000, floor_permille=100,
                ceiling_permille=900)  # fmt: skip


@pytest.mark.parametrize(
    ("number", "inverter"),
    [
        (0, InverterState.OFF),
        (1, InverterState.SLEEPING),
        (2, InverterState.STARTING),
        (3, InverterState.TRACKING_MPPT),
        (4, InverterState.FORCED_REDUCTION),
        (5, InverterState.SHUTTING_DOWN),
        (6, InverterState.FAULT),
        (7, InverterState.STANDBY),
    ],
)
def test_each_state_of_701_has_its_inverter_status(number, inverter):
    """701.InvSt on the one side, DERStatus/inverterStatus (XSD: 1 off ... 8 standby) on the other."""
    assert states_of({"operating_state": number})["inverter"] is inverter


def test_connected_available_operating_fault():
    """XSD ConnectStatusType: bits connected, available, operating, test, fault."""

    def bits(**codes: int) -> tuple[object, ...]:
        told = states_of(codes)
        return tuple(told.get(name) for name in ("connected", "available", "operating", "fault", "energized"))

    assert bits(operating_state=3, connection_state=1) == (True, True, True, False, True)
    assert bits(operating_state=7, connection_state=1) == (True, True, False, False, None)
    assert bits(operating_state=6, connection_state=1) == (True, False, False, True, False)
    assert bits(operating_state=2, connection_state=0) == (False, False, False, False, False)
    assert bits(operating_state=7, connection_state=0) == (False, False, False, False, False)
    assert bits(connection_state=1) == (True, None, None, None, None)
    assert bits() == (None,) * 5


def test_a_code_that_nobody_knows_tells_nothing():
    assert states_of({"operating_state": 8, "connection_state": 2}) == {}


def test_off_is_an_operational_mode_and_standby_is_none():
    assert states_of({"operating_state": 0})["operational_mode"] is OperationalMode.OFF
    assert "operational_mode" not in states_of({"operating_state": 7})


@pytest.mark.parametrize(
    ("bit", "alarm"),
    [
        (6, Alarm.EMERGENCY_LOCAL),
        (8, Alarm.OVER_FREQUENCY),
        (9, Alarm.UNDER_FREQUENCY),
        (10, Alarm.OVER_VOLTAGE),
        (11, Alarm.UNDER_VOLTAGE),
    ],
)
def test_an_alarm_with_a_place_of_its_own(bit, alarm):
    """Bits of SunSpec 701.Alrm, and of DERStatus/alarmStatus."""
    assert states_of({"alarms": 1 << bit}) == {"alarms": int(alarm)}


def test_an_alarm_without_a_place_is_told_in_the_makers_own_status():
    """701.Alrm bit 7 is over temperature: alarmStatus has no bit for it; manufacturerStatus holds six octets."""
    assert states_of({"alarms": 1 << 7 | 1 << 10}) == {"alarms": int(Alarm.OVER_VOLTAGE), "maker_status": "000480"}
    assert states_of({"alarms": 0}) == {"alarms": 0}


def test_the_socket_of_a_charger():
    """IEC 61851-1: A no car, B connected, C and D charging, E and F faults of which nobody can tell."""
    assert states_of({"mode_3_state": 0, "operating_state": 7}) == {
        "connected": False, "available": False, "operating": False, "fault": False,
    }  # fmt: skip
    assert states_of({"mode_3_state": 2, "operating_state": 3}) == {
        "connected": True, "available": True, "operating": True, "fault": False,
    }  # fmt: skip
    assert states_of({"mode_3_state": 5, "operating_state": 6}) == {
        "available": False, "operating": False, "fault": True,
    }  # fmt: skip


def test_states_are_those_of_the_same_reading_and_only_good_ones():
    def of(_: str, quantity: str, *__: int) -> tuple[Sample, ...]:
        codes = {"operating_state": (3, "good"), "connection_state": (1, "suspect"), "alarms": (1 << 8, "good")}
        if quantity not in codes:
            return ()
        value, quality = codes[quantity]
        return (Sample("battery", quantity, 5000, value, 0, quality, b"\x07" * 32),)

    (look,) = measured_between({"battery": "battery"}, of, 0, 9000)
    assert look.evidence == b"\x07" * 32
    assert (look.operating, look.connected, look.alarms) == (True, None, int(Alarm.OVER_FREQUENCY))


def ready(charge_hundredths: int | None, *, available: bool | None = True) -> Measured:
    return with_availability(Measured("battery", 5, available=available, charge_hundredths=charge_hundredths), BOUNDS)


def test_what_a_store_could_do():
    """Half full between 10 and 90 %: 40 % of 20 kWh are 8 kWh; 1 h 36 min at 5 kW out, 2 h at 4 kW in."""
    look = ready(5000)
    assert (look.available_watts, look.available_absorb_watts) == (5000, 4000)
    assert (look.available_seconds, look.charge_seconds) == (5760, 7200)


def test_at_the_floor_nothing_goes_out_and_at_the_ceiling_nothing_in():
    assert (ready(1000).available_watts, ready(1000).available_seconds) == (0, 0)
    assert (ready(800).available_watts, ready(800).available_absorb_watts) == (0, 4000)
    assert (ready(9000).available_absorb_watts, ready(9000).charge_seconds) == (0, 0)


def test_what_is_not_known_is_not_told():
    """Without a charge nobody can foresee; without a state neither; a device that cannot work can do nothing."""
    assert ready(None).available_watts is None
    assert ready(5000, available=None).available_watts is None
    idle = ready(None, available=False)
    assert (idle.available_watts, idle.available_absorb_watts, idle.available_seconds, idle.charge_seconds) == (0,) * 4
    unsized = with_availability(
        Measured("battery", 5, available=True, charge_hundredths=5000), Bounds(5000, 4000, None, 0, 1000)
    )
    assert (unsized.available_watts, unsized.available_seconds) == (5000, None)
