"""DERStatus from what was measured: each value with the second since which it holds. One memory for each device.

A bit or a state that nobody measured is not written. `genConnectStatus` is told of what can inject, `storConnectStatus`
of what stores; a battery is both. Times are handed in as the server's clock shows them.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, TypeVar

from wattseal.protocols.ieee2030_5.client.config import DerType, Managed
from wattseal.protocols.ieee2030_5.client.duties.der_modes import STORAGE
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.der_status import (
    ConnectStatus,
    ConnectStatus2,
    DERStatus,
    InverterStatus,
    LocalControlModeStatus,
    ManufacturerStatus,
    OperationalModeStatus,
    StateOfChargeStatus,
    StorageModeStatus,
)
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.vocabulary import ConnectBit, ConnectBit2, OperationalMode, StorageMode

D = TypeVar("D")
Urgent: TypeAlias = tuple[object, ...]
"""What a change of which is told at once."""

_WHOLE_HUNDREDTHS: Final = 10_000
_MAKER_OCTETS: Final = 6


class Since:
    """Since when each value of one device holds, in our seconds."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[object, int]] = {}

    def see(self, device: Managed, measured: Measured) -> None:
        """Every look, in the order of time: a value that is another than before holds since then."""
        for name, value in _values_of(device, measured).items():
            held = self._held.get(name)
            if held is None or held[0] != value:
                self._held[name] = (value, measured.at)

    def date(self, name: str) -> int:
        """The second since which the value that was last seen holds."""
        return self._held[name][1]


def status_of(device: Managed, measured: Measured, profile: Profile, since: Since, offset_seconds: int) -> DERStatus:
    """The status as it was at `measured.at`, the look that `since` saw last; `offset_seconds` is how far the server's
    clock is ahead of ours.
    """
    values = _values_of(device, measured)

    def dated(kind: Callable[..., D], name: str) -> D | None:
        value = values[name]
        return None if value is None else kind(date_time=since.date(name) + offset_seconds, value=value)

    return DERStatus(
        alarm_status=measured.alarms,
        connect_status=dated(ConnectStatus2, "connect2") if E2023 in profile.speaks else None,
        gen_connect_status=dated(ConnectStatus, "connect") if device.ratings.inject_watts > 0 else None,
        inverter_status=dated(InverterStatus, "inverter"),
        local_control_mode_status=dated(LocalControlModeStatus, "control"),
        manufacturer_status=dated(ManufacturerStatus, "maker"),
        operational_mode_status=dated(OperationalModeStatus, "operational"),
        reading_time=measured.at + offset_seconds,
        state_of_charge_status=_charge(device, measured, offset_seconds),
        storage_mode_status=dated(StorageModeStatus, "storage"),
        stor_connect_status=dated(ConnectStatus, "connect") if device.der_type in STORAGE else None,
    )


def is_known(status: DERStatus) -> bool:
    """Whether a status says anything beside its time."""
    return status != DERStatus(reading_time=status.reading_time)


def urgent_of(measured: Measured) -> Urgent:
    """Connect and operational state, and alarms."""
    return (
        connect_bits(measured),
        measured.energized,
        measured.inverter,
        _operational(measured),
        measured.alarms,
    )


def connect_bits(measured: Measured) -> int | None:
    """The bits of genConnectStatus and storConnectStatus; None where none of them is known."""
    bits = {
        ConnectBit.CONNECTED: measured.connected,
        ConnectBit.AVAILABLE: measured.available,
        ConnectBit.OPERATING: measured.operating,
        ConnectBit.TEST: measured.test,
        ConnectBit.FAULT: measured.fault,
    }
    if all(value is None for value in bits.values()):
        return None
    return sum(int(bit) for bit, value in bits.items() if value)


def _values_of(device: Managed, measured: Measured) -> dict[str, object]:
    """The values that have a date of their own; None where a value is not known."""
    return {
        "connect": connect_bits(measured),
        "connect2": _connect_bits2(measured),
        "inverter": measured.inverter,
        "control": measured.control_mode,
        "maker": _short(measured.maker_status) or None,
        "operational": _operational(measured),
        "storage": _storage(device, measured),
    }


def _charge(device: Managed, measured: Measured, offset_seconds: int) -> StateOfChargeStatus | None:
    charge = measured.charge_hundredths
    if charge is None or device.der_type not in STORAGE:
        return None
    value = min(max(charge, 0), _WHOLE_HUNDREDTHS)
    return StateOfChargeStatus(date_time=measured.at + offset_seconds, value=value)


def _short(text: str) -> str:
    """As much of a text as the six octets of manufacturerStatus hold."""
    return text.encode()[:_MAKER_OCTETS].decode(errors="ignore")


def _connect_bits2(measured: Measured) -> int | None:
    if measured.connected is None and measured.energized is None:
        return None
    connected = ConnectBit2.CONNECTED if measured.connected else 0
    return connected | (ConnectBit2.ENERGIZED if measured.energized else 0)


def _operational(measured: Measured) -> OperationalMode | None:
    """As read, or as it follows from what was read. A device that stands by is neither off nor operating."""
    if measured.operational_mode is not None:
        return measured.operational_mode
    if measured.test:
        return OperationalMode.TEST
    return OperationalMode.OPERATIONAL if measured.operating else None


def _storage(device: Managed, measured: Measured) -> StorageMode | None:
    """As read; for a battery alone its power says it, for one behind a common inverter it does not."""
    if device.der_type not in STORAGE or measured.storage_mode is not None:
        return measured.storage_mode if device.der_type in STORAGE else None
    if measured.watts is None or device.der_type is DerType.PV_BATTERY:
        return None
    if measured.watts == 0:
        return StorageMode.HOLDING
    return StorageMode.CHARGING if measured.watts < 0 else StorageMode.DISCHARGING
