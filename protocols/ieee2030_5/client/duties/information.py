"""DeviceInformation, Configuration and PowerStatus, put where an EndDevice links them.

Make and serial number come from the site file or the device itself and are told once; the power status when its source
or its battery changed, and otherwise every postRate. A document whose required parts are not known is not put: half a
nameplate is refused by servers and helps nobody. Nothing is on disk.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wattseal.protocols.ieee2030_5.base import Link
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Managed
from wattseal.protocols.ieee2030_5.client.duties.surroundings import (
    DEFAULT_POST_SECONDS,
    MayServe,
    device_at,
    everybody,
    post_seconds,
    server_time,
)
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Told
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.device_information import Configuration, DeviceInformation, PowerStatus
from wattseal.protocols.ieee2030_5.vocabulary import BatteryState, PowerSource

_TEXT_OCTETS: Final = 32
_INFORMATION: Final = "device_information"
_CONFIGURATION: Final = "configuration"
_POWER: Final = "power_status"


@dataclass(frozen=True, slots=True)
class Nameplate:
    """Who made a device. `maker_pen`: the maker's private enterprise number; `made_at`, `software_since` unix seconds.

    `locale` is a language tag, `label` the name that the site gave the device; both empty: no Configuration is put.
    """

    maker_pen: int
    model: str
    serial_number: str
    made_at: int
    hardware_version: str
    software_version: str
    software_since: int
    primary_power: PowerSource = PowerSource.MAINS
    secondary_power: PowerSource = PowerSource.NONE
    locale: str = ""
    label: str = ""


@dataclass(slots=True)
class _Memory:
    """What is known and told of one device; `told` by document: where, what, and when by our clock; `offers`
    by document: what each of the bodies under way tells.
    """

    nameplate: Nameplate | None = None
    power: tuple[PowerSource, BatteryState] | None = None
    power_since: int = 0
    charge_hundredths: int | None = None
    period_seconds: int = DEFAULT_POST_SECONDS
    told: dict[str, tuple[str, object, int]] = field(default_factory=dict)
    offers: dict[str, dict[bytes, object]] = field(default_factory=dict)


class Information:
    """The duty."""

    name: Final = "information"

    def __init__(self, config: ClientConfig, may_serve: MayServe = everybody) -> None:
        self._config = config
        self._may_serve = may_serve
        self._memories = {device.name: _Memory() for device in config.devices}

    def put_nameplate(self, device: str, nameplate: Nameplate) -> None:
        """Who made a device."""
        self._memories[device].nameplate = nameplate

    def take(self, measured: Measured) -> None:
        """What a device runs on: the grid while it is connected. Unknown while nobody read whether it is."""
        memory = self._memories.get(measured.device)
        if memory is None or measured.connected is None:
            return
        device = next(one for one in self._config.devices if one.name == measured.device)
        power = _power(device, connected=measured.connected)
        if power != memory.power:
            memory.power, memory.power_since = power, measured.at
        memory.charge_hundredths = measured.charge_hundredths

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        """What is linked, known and not told yet."""
        return tuple(errand for device in self._config.devices for errand in self._due(device, survey, now))

    def wake_at(self, now: int) -> int | None:
        """The next beat of a power status."""
        beats = (one.told[_POWER][2] + one.period_seconds for one in self._memories.values() if _POWER in one.told)
        return min((at for at in beats if at > now), default=None)

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        """A document was taken or refused; a refused one is not sent again unchanged."""
        _, name, kind = errand.key
        memory = self._memories[name]
        news = memory.offers.pop(kind, {}).get(errand.request.body, self._news(memory, kind))
        memory.told[kind] = (errand.request.href, news, now)
        return (Told(kind, name, errand.request.href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        """Nothing that outlives a restart."""
        return b""

    def load(self, data: bytes) -> None:
        """Nothing to load."""

    def _due(self, device: Managed, survey: Survey, now: int) -> Iterator[Errand]:
        read, memory = device_at(survey, device.lfdi, self._may_serve), self._memories[device.name]
        if read is None:
            return
        end_device = read.end_device
        memory.period_seconds = post_seconds(end_device.post_rate)
        yield from self._errand(
            device, memory, _INFORMATION, end_device.device_information_link, _information(device, memory), now
        )
        yield from self._errand(
            device, memory, _CONFIGURATION, end_device.configuration_link, _configuration(memory), now
        )
        power = _power_status(memory, server_time(survey, memory.power_since))
        yield from self._errand(device, memory, _POWER, end_device.power_status_link, power, now)

    def _errand(
        self, device: Managed, memory: _Memory, kind: str, link: Link | None, body: msgspec.Struct | None, now: int
    ) -> Iterator[Errand]:
        if link is None or body is None:
            return
        told = memory.told.get(kind)
        beat = kind == _POWER and told is not None and now >= told[2] + memory.period_seconds
        if told is None or beat or told[:2] != (link.href, self._news(memory, kind)):
            request = Request(Method.PUT, link.href, encode(body, self._config.profile))
            # The answer may come after something newer was offered: what was sent says what is told.
            memory.offers.setdefault(kind, {})[request.body] = self._news(memory, kind)
            yield Errand((self.name, device.name, kind), request)

    @staticmethod
    def _news(memory: _Memory, kind: str) -> object:
        """What a change of which is told at once."""
        return memory.power if kind == _POWER else memory.nameplate


def _information(device: Managed, memory: _Memory) -> DeviceInformation | None:
    plate = memory.nameplate
    if plate is None:
        return None
    return DeviceInformation(
        lfdi=device.lfdi.hex().upper(),
        mf_date=plate.made_at,
        mf_hw_ver=_short(plate.hardware_version),
        mf_id=plate.maker_pen,
        mf_model=_short(plate.model),
        mf_ser_num=_short(plate.serial_number),
        primary_power=plate.primary_power,
        secondary_power=plate.secondary_power,
        sw_act_time=plate.software_since,
        sw_ver=_short(plate.software_version),
    )


def _configuration(memory: _Memory) -> Configuration | None:
    plate = memory.nameplate
    if plate is None or not plate.locale or not plate.label:
        return None
    return Configuration(current_locale=plate.locale, user_device_name=_short(plate.label))


def _power_status(memory: _Memory, changed: int) -> PowerStatus | None:
    if memory.power is None:
        return None
    source, battery = memory.power
    charge = memory.charge_hundredths if battery is not BatteryState.NOT_APPLICABLE else None
    return PowerStatus(
        battery_status=battery,
        changed_time=changed,
        current_power_source=source,
        estimated_charge_remaining=charge,
    )


def _power(device: Managed, *, connected: bool) -> tuple[PowerSource, BatteryState]:
    """Off the grid we know only of what a device could run on, not that it does."""
    stores = device.der_type in {DerType.BATTERY, DerType.PV_BATTERY}
    return (
        PowerSource.MAINS if connected else PowerSource.UNKNOWN,
        BatteryState.UNKNOWN if stores else BatteryState.NOT_APPLICABLE,
    )


def _short(text: str) -> str:
    return text.encode()[:_TEXT_OCTETS].decode(errors="ignore")
