"""Readings into what the duties of a 2030.5 client tell: one look for each reading, exact, and only what is good."""

from wattseal.bridge.journal import Sample
from wattseal.bridge.measuring import measured_between
from wattseal.protocols.ieee2030_5.client.measured import Measured

FIRST, SECOND = bytes(32), b"\x01" * 32


def sample(quantity: str, value: int, scale: int = 0, *, at: int = 5000, reading: bytes = FIRST, quality: str = "good"):
    return Sample("battery", quantity, at, value, scale, quality, reading)


def looks(*samples: Sample, devices: dict[str, str] | None = None) -> tuple[Measured, ...]:
    def of(device: str, quantity: str, from_ms: int, to_ms: int) -> tuple[Sample, ...]:
        mine = (one for one in samples if (one.device, one.quantity) == (device, quantity))
        return tuple(one for one in mine if from_ms <= one.at_ms < to_ms)

    return measured_between(devices or {"battery": "battery"}, of, 0, 100_000)


def test_units_and_signs():
    """Watts and vars keep the generator's sign; the scale of each field is in its name."""
    (look,) = looks(
        sample("watts", -1234), sample("vars", 56), sample("volts", 2301, -1), sample("hertz", 49_987, -3),
        sample("soc_percent", 505, -1), sample("energy_injected_wh", 12, 3), sample("energy_absorbed_wh", 7),
    )  # fmt: skip
    assert look == Measured(
        "battery", 5, FIRST, watts=-1234, vars=56, millivolts=230_100, millihertz=49_987, charge_hundredths=5050,
        injected_watt_hours=12_000, absorbed_watt_hours=7,
    )  # fmt: skip


def test_a_fraction_goes_to_the_nearest_unit():
    assert looks(sample("watts", 15, -1))[0].watts == 2
    assert looks(sample("watts", -15, -1))[0].watts == -2
    assert looks(sample("watts", 14, -1))[0].watts == 1


def test_one_look_for_each_reading_oldest_first():
    found = looks(sample("watts", 1, at=9000, reading=SECOND), sample("watts", 2), sample("vars", 3))
    assert [(one.at, one.evidence, one.watts, one.vars) for one in found] == [
        (5, FIRST, 2, 3),
        (9, SECOND, 1, None),
    ]


def test_what_is_not_good_is_not_told():
    """A doubtful, missing or absurdly scaled quantity is unknown, never zero."""
    (look,) = looks(sample("watts", 9, quality="suspect"), sample("vars", 1, 99), sample("hertz", 50))
    assert (look.watts, look.vars, look.millihertz) == (None, None, 50_000)


def test_a_device_may_be_told_by_another_name():
    assert looks(sample("watts", 1), devices={"battery": ""})[0].device == ""
    assert looks(sample("watts", 1), devices={"charger": "charger"}) == ()
