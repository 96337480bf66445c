"""The attester: readings as they were read; counters that fall, values that went stale."""

from dataclasses import replace

import pytest

from wattseal.certs import cbor
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.drivers.commands import BodyError
from wattseal.drivers.device import DeviceState, OperatingState, Quality, Quantity
from wattseal.drivers.gateway.attester import RESET_READINGS, Attester
from wattseal.drivers.modbus.exchange import Exchange
from wattseal.drivers.testimony import Reading

AT = Instant(1_800_000_000_123, 50.0, ClockQuality.TRUSTED)
ABSENT = Quantity(None, 0, Quality.NOT_IMPLEMENTED)


def good(mantissa: int, exponent: int = 0, register: str = "") -> Quantity:
    return Quantity(mantissa, exponent, Quality.GOOD, register)


def state(points: dict[str, Quantity] | None = None, **quantities: Quantity) -> DeviceState:
    fields = {
        "watts": good(-2990, 0, "701.W"),
        "vars": ABSENT,
        "volts": good(2301, -1, "701.LNV"),
        "amps": ABSENT,
        "hertz": good(5000, -2, "701.Hz"),
        "energy_injected_wh": good(240, 4, "701.TotWhInj"),
        "energy_absorbed_wh": good(2_700_000, 0, "701.TotWhAbs"),
        "soc_percent": good(605, -1, "713.SoC"),
    } | quantities
    return DeviceState(
        **fields,
        operating_state=OperatingState.RUNNING,
        controls=(),
        points=tuple((points or {}).items()),
        exchanges=(Exchange(b"ask", b"answer", (1,)),),
    )


def rows(reading: Reading) -> dict[str, tuple[int, int, str, str, str]]:
    return {q.name: (q.value, q.scale, q.unit, q.quality, q.register) for q in reading.quantities}


def test_a_reading_says_what_was_read_and_where() -> None:
    """Integers with scale, unit, register and quality; what the device lacks is left out."""
    told = Attester("battery").attest(state(), AT)
    assert rows(told.reading) == {
        "watts": (-2990, 0, "W", "good", "701.W"),
        "volts": (2301, -1, "V", "good", "701.LNV"),
        "hertz": (5000, -2, "Hz", "good", "701.Hz"),
        "energy_injected_wh": (240, 4, "Wh", "good", "701.TotWhInj"),
        "energy_absorbed_wh": (2_700_000, 0, "Wh", "good", "701.TotWhAbs"),
        "soc_percent": (605, -1, "%", "good", "713.SoC"),
    }
    assert (told.reading.from_ms, told.reading.to_ms) == (AT.unix_ms, AT.unix_ms)
    assert told.counters == (("energy_injected_wh", 2_400_000), ("energy_absorbed_wh", 2_700_000))
    assert Reading.decode(told.reading.encode()) == told.reading


def test_the_digest_is_over_the_raw_frames() -> None:
    """[[request, answer], ...] in deterministic CBOR."""
    told = Attester("battery").attest(state(), AT)
    assert told.frames.raw == cbor.encode(((b"ask", b"answer"),))
    assert told.reading.frames_digest == told.frames.digest


@pytest.mark.parametrize(
    "fallen", [good(100), ABSENT, Quantity(None, 0, Quality.UNREADABLE), Quantity(5, 0, Quality.SUSPECT)]
)
def test_a_counter_that_falls_or_vanishes_is_suspect_and_not_booked(fallen: Quantity) -> None:
    attester = Attester("battery")
    attester.attest(state(), AT)
    told = attester.attest(state(energy_absorbed_wh=fallen), AT)
    assert rows(told.reading)["energy_absorbed_wh"][3] == "suspect"
    assert dict(told.counters) == {"energy_injected_wh": 2_400_000}


def test_a_counter_booked_by_an_earlier_run_counts_as_well() -> None:
    told = Attester("battery", (("energy_absorbed_wh", 3_000_000),)).attest(state(), AT)
    assert rows(told.reading)["energy_absorbed_wh"][3] == "suspect"


def test_a_counter_that_was_reset_is_believed_again_after_a_while() -> None:
    """A replaced meter must not be suspect for ever; ten readings that count on show that it was reset."""
    attester = Attester("battery")
    attester.attest(state(), AT)
    qualities = [
        rows(attester.attest(state(energy_absorbed_wh=good(10 + turn)), AT).reading)["energy_absorbed_wh"][3]
        for turn in range(RESET_READINGS + 2)
    ]
    assert qualities == ["suspect"] * RESET_READINGS + ["good"] * 2


def test_a_counter_that_jumps_about_is_never_believed() -> None:
    attester = Attester("battery")
    attester.attest(state(), AT)
    for turn in range(3 * RESET_READINGS):
        told = attester.attest(state(energy_absorbed_wh=good(500 - turn % 5 * 100)), AT)
        assert rows(told.reading)["energy_absorbed_wh"][3] == "suspect"


def test_stale_values_keep_the_time_at_which_they_were_true() -> None:
    attester = Attester("battery")
    assert attester.stale(AT) is None
    attester.attest(state(), AT)
    later = replace(AT, unix_ms=AT.unix_ms + 60_000, quality=ClockQuality.HOLDOVER)
    told = attester.stale(later)
    assert told is not None
    assert {q.quality for q in told.reading.quantities} == {"stale"}
    assert (told.reading.to_ms, told.reading.clock, told.counters) == (AT.unix_ms, "holdover", ())


@pytest.mark.parametrize("shown", [good((1 << 64) - 1), good(1 << 62), good((1 << 60), 3)])
def test_a_counter_that_shows_all_ones_is_suspect_and_is_not_booked(shown: Quantity) -> None:
    """A 64-bit register that a device fills with ones instead of zeros ("not accumulated") is no energy."""
    attester = Attester("battery")
    first = attester.attest(state(energy_injected_wh=shown), AT)
    assert "energy_injected_wh" not in rows(first.reading)
    assert "energy_injected_wh" not in dict(first.counters)
    attester.attest(state(), AT)
    again = attester.attest(state(energy_injected_wh=shown), AT)
    assert rows(again.reading)["energy_injected_wh"] == (2_400_000, 0, "Wh", "suspect", "")
    assert dict(again.counters) == {"energy_absorbed_wh": 2_700_000}
    assert Reading.decode(again.reading.encode()) == again.reading


def test_a_reading_beyond_all_counting_is_not_read() -> None:
    """Who keeps readings keeps them in a database: such a number must not get as far as that."""
    reading = Attester("battery").attest(state(), AT).reading
    for wrong in (
        replace(reading, to_ms=1 << 63),
        replace(reading, quantities=(replace(reading.quantities[0], value=1 << 63),)),
    ):
        with pytest.raises(BodyError):
            Reading.decode(wrong.encode())


def test_what_a_device_says_of_itself_is_sealed() -> None:
    """docs/statements.md, codes in a reading: as read, with its register; what was not read is left out."""
    points = {
        "operating_state": good(6, register="701.InvSt"),
        "connection_state": good(0, register="701.ConnSt"),
        "alarms": good(1 << 10, register="701.Alrm"),
        "mode_3_state": ABSENT,
    }
    told = Attester("battery")
    found = rows(told.attest(state(points), AT).reading)
    assert found["operating_state"] == (6, 0, "state", "good", "701.InvSt")
    assert found["connection_state"] == (0, 0, "state", "good", "701.ConnSt")
    assert found["alarms"] == (1024, 0, "bits", "good", "701.Alrm")
    assert "mode_3_state" not in found
    stale = told.stale(AT)
    assert stale is not None
    assert rows(stale.reading)["alarms"] == (1024, 0, "bits", "stale", "701.Alrm")
