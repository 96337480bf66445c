"""A three-phase meter at the connection point: SunSpec models 1 and 203 at base 40000, unit 1. Nothing can be written.

Its power is the household's (set at the control door) plus that of every device behind it, at the moment of reading;
its two energy counters are the integral of that, each for its own direction. Positive W is import unless told
otherwise: vendors differ. W_SF is 0, and 1 where the power would not fit: factors change while a device runs.
Faults besides those of every device: `frozen` (the registers stand still, the power does not) and `sign_flipped`
(as with current transformers put on the wrong way round: power, and the two counters change places).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from wattseal.drivers.simulators.device import Truth
from wattseal.drivers.simulators.modbus_frames import ExceptionCode, ModbusFault
from wattseal.drivers.simulators.registers import Value, block_words
from wattseal.drivers.simulators.settings import typed, within
from wattseal.drivers.simulators.sunspec_layout import COMMON, END_MODEL, MARKER, METER, ModelLayout

BASE = 40_000
UNIT = 1
PHASES = 3
MOST_WATTS = 300_000.0
LARGEST_MANTISSA = 32_767
STEP_SECONDS = 1.0
MOST_STEPS = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMeterOptions:
    """How it is built. `behind` gives the power of each device behind it at a moment; positive gives."""

    maker: str = "Wattseal"
    model: str = "Simulated Meter 3"
    firmware: str = "1.0.0"
    serial: str = "WS-MET-0001"
    household_watts: float = -800.0
    export_positive: bool = False
    exported_wh: float = 1_200_000.0
    imported_wh: float = 3_400_000.0
    behind: tuple[Callable[[float], float], ...] = ()

    def __post_init__(self) -> None:
        """Raises MisuseError `bad_option`."""
        within("household_watts", self.household_watts, -MOST_WATTS, MOST_WATTS, reason="bad_option")
        within("exported_wh", self.exported_wh, 0.0, 2e9, reason="bad_option")
        within("imported_wh", self.imported_wh, 0.0, 2e9, reason="bad_option")


class SiteMeterSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Anything left out stays as it is. `household_watts`: negative draws."""

    household_watts: float | None = None
    frozen: bool | None = None
    sign_flipped: bool | None = None
    volts: float | None = None
    frequency_hz: float | None = None


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the registers are made from. Watts positive = export."""

    watts: float
    exported_wh: float
    imported_wh: float


class SiteMeter:
    """The device. Time runs only through the `now` of its calls."""

    name = "meter"
    functions = frozenset({3, 4})

    def __init__(self, options: SiteMeterOptions, now: float) -> None:
        self.options = options
        self._now = now
        self._household_watts = options.household_watts
        self._frozen = False
        self._sign_flipped = False
        self._volts, self._frequency_hz = 230.9, 50.01
        self._truth = _Shown(0.0, options.exported_wh, options.imported_wh)
        self._truth = replace(self._truth, watts=self._watts(now))
        self._shown = self._truth

    # --- as Modbus sees it

    def read(self, unit: int, function: int, address: int, count: int, now: float) -> tuple[int, ...] | ModbusFault:
        """FC 3 and 4 see the same registers."""
        del function
        if unit != UNIT:
            return ModbusFault(ExceptionCode.GATEWAY_TARGET_SILENT)
        self.advance(now)
        words = self._words()
        if address < BASE or address + count > BASE + len(words):
            return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)
        return words[address - BASE : address - BASE + count]

    def write(self, unit: int, address: int, words: tuple[int, ...], now: float) -> ModbusFault | None:
        """A meter takes no writes."""
        del unit, address, words, now
        return ModbusFault(ExceptionCode.ILLEGAL_DATA_ADDRESS)

    def _words(self) -> tuple[int, ...]:
        options = self.options
        common: dict[str, Value] = {
            "Mn": options.maker,
            "Md": options.model,
            "Vr": options.firmware,
            "SN": options.serial,
            "DA": UNIT,
        }
        return (*MARKER, *_block(COMMON, common), *_block(METER, self._registers()), END_MODEL, 0)

    def _registers(self) -> dict[str, Value]:
        shown, volts = self._shown, self._volts
        watts = shown.watts if self.options.export_positive else -shown.watts
        exported, imported = shown.exported_wh, shown.imported_wh
        if self._sign_flipped:
            watts, exported, imported = -watts, imported, exported
        scale = 0 if abs(watts) <= LARGEST_MANTISSA else 1
        total, each = round(watts / 10**scale), round(watts / PHASES / 10**scale)
        amperes = round(abs(watts) / PHASES / volts * 10)
        return {
            "A": PHASES * amperes, "AphA": amperes, "AphB": amperes, "AphC": amperes, "A_SF": -1,
            "PhV": round(volts * 10), "PhVphA": round(volts * 10), "PhVphB": round(volts * 10),
            "PhVphC": round(volts * 10), "PPV": round(volts * math.sqrt(3) * 10), "V_SF": -1,
            "Hz": round(self._frequency_hz * 100), "Hz_SF": -2,
            "W": total, "WphA": each, "WphB": each, "WphC": each, "W_SF": scale,
            "TotWhExp": int(exported), "TotWhImp": int(imported), "TotWh_SF": 0, "Evt": 0,
        }  # fmt: skip

    # --- as the physics see it

    def advance(self, now: float) -> None:
        """Count energy up to `now`, in steps of a second (longer ones over hours), by the trapezoid of their ends."""
        steps = min(MOST_STEPS, math.ceil((now - self._now) / STEP_SECONDS))
        began = self._now
        for step in range(1, steps + 1):
            at = now if step == steps else began + (now - began) * step / steps
            watts = self._watts(at)
            energy = (self._truth.watts + watts) / 2 * (at - self._now) / 3600
            exported, imported = self._truth.exported_wh + max(energy, 0.0), self._truth.imported_wh - min(energy, 0.0)
            self._truth, self._now = _Shown(watts, exported, imported), at
        self._truth = replace(self._truth, watts=self._watts(self._now))
        if not self._frozen:
            self._shown = self._truth

    def _watts(self, at: float) -> float:
        return self._household_watts + sum(power(at) for power in self.options.behind)

    # --- as the control door sees it

    def state(self, now: float) -> dict[str, Truth]:
        """Watts positive = export; `shown_watts` is what the registers are made from."""
        self.advance(now)
        return {
            "watts": self._truth.watts,
            "household_watts": self._household_watts,
            "behind_watts": self._truth.watts - self._household_watts,
            "shown_watts": -self._shown.watts if self._sign_flipped else self._shown.watts,
            "energy_exported_wh": self._truth.exported_wh,
            "energy_imported_wh": self._truth.imported_wh,
            "frozen": self._frozen,
            "sign_flipped": self._sign_flipped,
        }

    def set(self, values: Mapping[str, object], now: float) -> None:
        """See SiteMeterSet."""
        self.advance(now)
        wish = typed(values, SiteMeterSet)
        within("household_watts", wish.household_watts, -MOST_WATTS, MOST_WATTS)
        within("volts", wish.volts, 1.0, 1_000.0)
        within("frequency_hz", wish.frequency_hz, 1.0, 100.0)
        for name in ("household_watts", "frozen", "sign_flipped", "volts", "frequency_hz"):
            value = getattr(wish, name)
            if value is not None:
                setattr(self, f"_{name}", value)
        self.advance(now)


def _block(layout: ModelLayout, values: dict[str, Value]) -> tuple[int, ...]:
    """A model with its header; a point without a value is "not implemented"."""
    header: dict[str, Value] = {"ID": layout.model, "L": layout.length}
    return block_words(layout.points, header | values, layout.length + 2)
