"""Attested readings into what the duties of a 2030.5 client tell: pure; the samples are handed in.

One reading of the gateway gives one look at a device, in integers, with the digest of the sealed reading. Only what is
good is told; a quantity that was not read, or is doubtful, is left unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

from wattseal.bridge.journal import Sample
from wattseal.bridge.states import Told, states_of
from wattseal.protocols.ieee2030_5.client.measured import Measured

_GOOD: Final = "good"
_MOST_SCALE: Final = 9
_FIELDS: Final[Mapping[str, tuple[str, int]]] = {
    "watts": ("watts", 0),
    "vars": ("vars", 0),
    "volts": ("millivolts", 3),
    "hertz": ("millihertz", 3),
    "soc_percent": ("charge_hundredths", 2),
    "energy_injected_wh": ("injected_watt_hours", 0),
    "energy_absorbed_wh": ("absorbed_watt_hours", 0),
}
"""Quantity of a reading: the field that tells it, and the power of ten from its unit to the field's."""
_CODES: Final = ("operating_state", "connection_state", "alarms", "mode_3_state")
QUANTITIES: Final = (*_FIELDS, *_CODES)

SamplesOf = Callable[[str, str, int, int], tuple[Sample, ...]]


def measured_between(
    devices: Mapping[str, str], samples_of: SamplesOf, from_ms: int, to_ms: int
) -> tuple[Measured, ...]:
    """The looks at `devices` (our name: the name that the duties know) in `[from_ms, to_ms)`, oldest first."""
    found = []
    for device, name in devices.items():
        samples = [one for quantity in QUANTITIES for one in samples_of(device, quantity, from_ms, to_ms)]
        found += [_look(name, at_ms, reading, some) for (at_ms, reading), some in _by_reading(samples).items()]
    return tuple(sorted(found, key=lambda one: (one.at, one.device)))


def _by_reading(samples: Iterable[Sample]) -> dict[tuple[int, bytes], list[Sample]]:
    groups: dict[tuple[int, bytes], list[Sample]] = {}
    for sample in sorted(samples, key=lambda one: one.at_ms):
        groups.setdefault((sample.at_ms, sample.reading), []).append(sample)
    return groups


def _look(device: str, at_ms: int, reading: bytes, samples: Iterable[Sample]) -> Measured:
    told: Told = {}
    codes: dict[str, int] = {}
    for sample in samples:
        if sample.quality != _GOOD or abs(sample.scale) > _MOST_SCALE:
            continue
        if sample.quantity in _CODES:
            codes[sample.quantity] = sample.value
        else:
            field, shift = _FIELDS[sample.quantity]
            told[field] = _scaled(sample.value, sample.scale + shift)
    return replace(Measured(device, at_ms // 1000, reading), **(told | states_of(codes)))  # type: ignore[arg-type] # fields of one table, of states.py


def _scaled(value: int, exponent: int) -> int:
    """To the nearest integer, halves away from zero: a reading is told as near as its unit allows."""
    if exponent >= 0:
        return value * int(10**exponent)
    whole = int(10**-exponent)
    nearest = (2 * abs(value) + whole) // (2 * whole)
    return nearest if value >= 0 else -nearest
