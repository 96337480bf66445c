"""What the deck hands to the duties: one look at a device or at the site's meter, in integers.

The scale is in the name of each field (`millivolts`, hundredths of a percent). What is None is not known, and is then
not told: nothing is guessed here and nothing is filled in. Knows no wire form and no server; the sign is the
generator's, each dialect's own is made where a value goes on the wire.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.vocabulary import InverterState, LocalControlMode, OperationalMode, StorageMode

SITE: Final = ""
"""The device name of the site's own meter."""
DIGEST_OCTETS: Final = 32


@dataclass(frozen=True, slots=True)
class Measured:
    """One look at a device, or at the meter of the site where `device` is empty.

    `device` is the name in `ClientConfig.devices`, `at` unix seconds of our clock, `evidence` the SHA-256 of the sealed
    reading that all of this was read from (32 bytes; empty where there is none). `watts` and `vars`: positive injects.
    `millivolts` is phase A to neutral.
    `charge_hundredths` is the state of charge in hundredths of a percent, `alarms` a bitmap of `vocabulary.Alarm` (0:
    none, None: not known). `connected` at the grid, `available` for work, `operating`, in `test` mode, with a `fault`.

    What could be done from now on: `available_*` are non-negative, `available_seconds` how long it can inject at its
    rating, `charge_seconds` how long it can absorb, reserves in hundredths of a percent of the rating. The counters
    `injected_watt_hours` and `absorbed_watt_hours` only rise.
    """

    device: str
    at: int
    evidence: bytes = b""
    watts: int | None = None
    vars: int | None = None
    millivolts: int | None = None
    millihertz: int | None = None
    charge_hundredths: int | None = None
    stored_watt_hours: int | None = None
    injected_watt_hours: int | None = None
    absorbed_watt_hours: int | None = None
    connected: bool | None = None
    available: bool | None = None
    operating: bool | None = None
    test: bool | None = None
    fault: bool | None = None
    energized: bool | None = None
    alarms: int | None = None
    storage_mode: StorageMode | None = None
    inverter: InverterState | None = None
    operational_mode: OperationalMode | None = None
    control_mode: LocalControlMode | None = None
    maker_status: str = ""
    available_watts: int | None = None
    available_absorb_watts: int | None = None
    available_vars: int | None = None
    available_absorb_vars: int | None = None
    available_seconds: int | None = None
    charge_seconds: int | None = None
    reserve_hundredths: int | None = None
    reserve_charge_hundredths: int | None = None

    def __post_init__(self) -> None:
        if len(self.evidence) not in {0, DIGEST_OCTETS}:
            sentence = f"The evidence of a measurement is a SHA-256 of {DIGEST_OCTETS} octets, or empty."
            raise MisuseError("measured_evidence_malformed", sentence)


def latest_by_device(measured: Iterable[Measured]) -> dict[str, Measured]:
    """The newest look at each device; of two of one second, the one that came later."""
    newest: dict[str, Measured] = {}
    for one in measured:
        if one.device not in newest or one.at >= newest[one.device].at:
            newest[one.device] = one
    return newest
