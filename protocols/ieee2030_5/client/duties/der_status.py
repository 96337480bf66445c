"""DERStatus from what was measured: each value with the second since which it holds. One memory for each device.

A bit or a state that nobody measured is not written. `genConnectStatus` is told of what can inject, `storConnectStatus`
of what stores; a battery is both. Times are handed in as the server's clock shows them.
"""

from typing import Final, TypeAlias

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

Urgent: TypeAlias = tuple[object, ...]
"""What a change of which is told at once."""

_WHOLE_HUNDREDTHS: Final = 10_000
_MAKER_OCTETS: Final = 6


class Since:
    """Since when each value of one device holds."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[object, int]] = {}

    def date(self, field: str, value: object, at: int) -> int:
        """The second since which `field` has `value`, given that it has it at `at`."""
        held = self._held.get(field)
        if held is None or held[0] != value:
            self._held[field] = held = (value, at)
        return held[1]


def status_of(device: Managed, measured: Measured, profile: Profile, since: Since, offset_seconds: int) -> DERStatus:
    """The status as it was at `measured.at`; `offset_seconds` is how far the server's clock is ahead of ours."""

    def date(field: str, value: object) -> int:
        return since.date(field, value, measured.at) + offset_seconds

    connect, operational, storage = connect_bits(measured), _operational(measured), _storage(device, measured)
    injects, stores = device.ratings.inject_watts > 0, device.der_type in STORAGE
    connect2 = _connect_bits2(measured) if E2023 in profile.speaks else None
    charge = measured.charge_hundredths if stores else None
    return DERStatus(
        alarm_status=measured.alarms,
        connect_status=None if connect2 is None else ConnectStatus2(date_time=date("c2", connect2), value=connect2),
        gen_connect_status=(
            ConnectStatus(date_time=date("c", connect), value=connect) if connect is not None and injects else None
        ),
        inverter_status=(
            None
            if measured.inverter is None
            else InverterStatus(date_time=date("i", measured.inverter), value=measured.inverter)
        ),
        local_control_mode_status=(
            None
            if measured.control_mode is None
            else LocalControlModeStatus(date_time=date("l", measured.control_mode), value=measured.control_mode)
        ),
        manufacturer_status=(
            ManufacturerStatus(date_time=date("m", maker), value=maker)
            if (maker := _short(measured.maker_status))
            else None
        ),
        operational_mode_status=(
            None if operational is None else OperationalModeStatus(date_time=date("o", operational), value=operational)
        ),
        reading_time=measured.at + offset_seconds,
        state_of_charge_status=(
            None
            if charge is None
            else StateOfChargeStatus(
                date_time=measured.at + offset_seconds, value=min(max(charge, 0), _WHOLE_HUNDREDTHS)
            )
        ),
        storage_mode_status=(
            None if storage is None else StorageModeStatus(date_time=date("s", storage), value=storage)
        ),
        stor_connect_status=(
            ConnectStatus(date_time=date("c", connect), value=connect) if connect is not None and stores else None
        ),
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
