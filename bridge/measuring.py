"""Attested readings into what the duties of a 2030.5 client tell: pure; the samples are handed in.

One reading of the gateway gives one look at a device, in integers, with the digest of the sealed reading. Only what is
good is told; a quantity that was not read, or is doubtful, is left unknown.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from wattseal.bridge.journal import Sample
from wattseal.drivers.operating import OPERATING_CODES, OperatingState
from wattseal.drivers.operating import Alarm as DeviceAlarm
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.vocabulary import Alarm, InverterState, OperationalMode

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
    "alarms": ("alarms", 0),
    "connected": ("connected", 0),
    "operating_state": ("operating_state", 0),
}
"""Quantity of a reading: the field that tells it, and the power of ten from its unit to the field's."""
QUANTITIES: Final = tuple(_FIELDS)
_ALARMS: Final[Mapping[DeviceAlarm, Alarm]] = {
    DeviceAlarm.OVER_VOLTAGE: Alarm.OVER_VOLTAGE,
    DeviceAlarm.UNDER_VOLTAGE: Alarm.UNDER_VOLTAGE,
    DeviceAlarm.OVER_FREQUENCY: Alarm.OVER_FREQUENCY,
    DeviceAlarm.UNDER_FREQUENCY: Alarm.UNDER_FREQUENCY,
}
_STATES: Final[Mapping[int, OperatingState]] = {code: state for state, code in OPERATING_CODES.items()}
_INVERTER: Final[Mapping[OperatingState, InverterState]] = {
    OperatingState.OFF: InverterState.OFF,
    OperatingState.SLEEPING: InverterState.SLEEPING,
    OperatingState.STARTING: InverterState.STARTING,
    OperatingState.RUNNING: InverterState.TRACKING_MPPT,  # the only word of 2030.5 for an inverter at its work
    OperatingState.THROTTLED: InverterState.FORCED_REDUCTION,
    OperatingState.SHUTTING_DOWN: InverterState.SHUTTING_DOWN,
    OperatingState.FAULT: InverterState.FAULT,
    OperatingState.STANDBY: InverterState.STANDBY,
}
_AT_WORK: Final = frozenset({OperatingState.RUNNING, OperatingState.THROTTLED})
_OFF_MODE: Final = frozenset({OperatingState.OFF, OperatingState.SLEEPING})

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
    fields: dict[str, int] = {}
    for sample in samples:
        field, shift = _FIELDS[sample.quantity]
        if sample.quality == _GOOD and abs(sample.scale) <= _MOST_SCALE:
            fields[field] = _scaled(sample.value, sample.scale + shift)
    state = _STATES.get(fields.get("operating_state", 0))
    return Measured(
        device,
        at_ms // 1000,
        reading,
        watts=fields.get("watts"),
        vars=fields.get("vars"),
        millivolts=fields.get("millivolts"),
        millihertz=fields.get("millihertz"),
        charge_hundredths=fields.get("charge_hundredths"),
        injected_watt_hours=fields.get("injected_watt_hours"),
        absorbed_watt_hours=fields.get("absorbed_watt_hours"),
        alarms=_alarms(fields.get("alarms")),
        connected=_flag(fields.get("connected")),
        available=None if state is None else state in _AT_WORK or state is OperatingState.STANDBY,
        operating=None if state is None else state in _AT_WORK,
        fault=None if state is None else state is OperatingState.FAULT,
        inverter=None if state is None else _INVERTER[state],
        operational_mode=_mode(state),
    )


def _alarms(bits: int | None) -> Alarm | None:
    if bits is None:
        return None
    found = Alarm(0)
    for known, alarm in _ALARMS.items():
        found |= alarm if bits & known else Alarm(0)
    return found


def _flag(read: int | None) -> bool | None:
    return None if read is None else read == 1


def _mode(state: OperatingState | None) -> OperationalMode | None:
    """Off, or at work; a device that stands by or is at fault is neither."""
    if state in _OFF_MODE:
        return OperationalMode.OFF
    return OperationalMode.OPERATIONAL if state in _AT_WORK else None


def _scaled(value: int, exponent: int) -> int:
    """To the nearest integer, halves away from zero: a reading is told as near as its unit allows."""
    if exponent >= 0:
        return value * int(10**exponent)
    whole = int(10**-exponent)
    nearest = (2 * abs(value) + whole) // (2 * whole)
    return nearest if value >= 0 else -nearest
