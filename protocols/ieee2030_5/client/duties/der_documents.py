"""The four documents of a DER as values: what it can do, how it is set, what it does, what it could do now. Pure.

Only what is known is written. Ratings and settings are rounded toward zero, never beyond what the device has; settings
never exceed ratings. Times are the server's. Which documents are due, and when, is `der.py`'s matter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from wattseal.protocols.ieee2030_5.client.config import DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.client.duties.der_modes import (
    STORAGE,
    doe_modes_of,
    modes2_of,
    modes_of,
    vpp_modes_of,
)
from wattseal.protocols.ieee2030_5.client.duties.scaling import (
    INT16_MOST,
    UINT16_MOST,
    active_power,
    apparent_power,
    as_told,
    reactive_power,
    unsigned_active_power,
    unsigned_reactive_power,
    voltage,
    watt_hour,
)
from wattseal.protocols.ieee2030_5.client.measured import Measured
from wattseal.protocols.ieee2030_5.der_status import DERAvailability, DERCapability, DERSettings
from wattseal.protocols.ieee2030_5.editions import AUS, AUS_1_3, E2023
from wattseal.protocols.ieee2030_5.engine.force import InForce
from wattseal.protocols.ieee2030_5.modes import value_of
from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.vocabulary import DERType

TYPES: Final = {
    DerType.BATTERY: DERType.OTHER_STORAGE,
    DerType.PV: DERType.PHOTOVOLTAIC,
    DerType.PV_BATTERY: DERType.PHOTOVOLTAIC_AND_STORAGE,
    DerType.EV_CHARGER: DERType.EVSE,
}
"""DERCapability.type of each kind of device."""
SETTING_FIELDS: Final[Mapping[str, str]] = {
    "setESDelay": "set_es_delay",
    "setESHighFreq": "set_es_high_freq",
    "setESHighVolt": "set_es_high_volt",
    "setESLowFreq": "set_es_low_freq",
    "setESLowVolt": "set_es_low_volt",
    "setESRampTms": "set_es_ramp_tms",
    "setESRandomDelay": "set_es_random_delay",
    "setGradW": "set_grad_w",
    "setSoftGradW": "set_soft_grad_w",
}
"""What a DefaultDERControl overwrites in DERSettings, by element."""
_NO_GRADIENT: Final = 0
"""setGradW is required; 0 says that no limit is set, which is so while nobody set one."""


@dataclass(frozen=True, slots=True)
class InForceSettings:
    """The settings of a device that are in force.

    `limits`: what site staff set below the nameplate, None for the nameplate itself. `overwritten`: the settings of the
    DefaultDERControl in force, by element name, in its units. `disabled`: supported modes that are switched off.
    """

    limits: Ratings | None = None
    overwritten: tuple[tuple[str, int], ...] = ()
    disabled: frozenset[str] = frozenset()


def capability_of(device: Managed, profile: Profile) -> DERCapability:
    """The nameplate. CSIP-AUS demands its own bitmaps, also where no bit is set."""
    ratings, stores = device.ratings, device.der_type in STORAGE
    return DERCapability(
        modes_supported=modes_of(ratings, device.der_type),
        modes_supported2=modes2_of(ratings) if E2023 in profile.speaks else None,
        rtg_max_charge_rate_w=active_power(ratings.absorb_watts) if stores else None,
        rtg_max_discharge_rate_w=active_power(ratings.inject_watts) if stores else None,
        rtg_max_va=apparent_power(ratings.volt_amperes),
        rtg_max_var=reactive_power(ratings.inject_vars),
        rtg_max_var_neg=reactive_power(_negative(ratings.absorb_vars)),
        rtg_max_w=active_power(ratings.inject_watts),
        rtg_max_wh=watt_hour(ratings.storage_watt_hours),
        rtg_v_nom=voltage(ratings.volts),
        type=TYPES[device.der_type],
        doe_modes_supported=doe_modes_of(ratings) if AUS in profile.speaks else None,
        vpp_modes_supported=vpp_modes_of(ratings) if AUS_1_3 in profile.speaks else None,
    )


def settings_of(device: Managed, in_force: InForceSettings, profile: Profile, updated: int) -> DERSettings:
    """The settings in force; `updated` is when they last changed, by the server's clock."""
    ratings, stores = _lowered(device.ratings, in_force), device.der_type in STORAGE
    overwritten = {SETTING_FIELDS[name]: value for name, value in in_force.overwritten if name in SETTING_FIELDS}
    return DERSettings(
        modes_enabled=modes_of(ratings, device.der_type),
        modes_enabled2=modes2_of(ratings) if E2023 in profile.speaks else None,
        set_max_charge_rate_w=active_power(ratings.absorb_watts) if stores else None,
        set_max_discharge_rate_w=active_power(ratings.inject_watts) if stores else None,
        set_max_va=apparent_power(ratings.volt_amperes),
        set_max_var=reactive_power(ratings.inject_vars),
        set_max_var_neg=reactive_power(_negative(ratings.absorb_vars)),
        set_max_w=active_power(ratings.inject_watts),
        set_max_wh=watt_hour(ratings.storage_watt_hours),
        set_v_nom=voltage(ratings.volts),
        updated_time=updated,
        doe_modes_enabled=doe_modes_of(ratings) if AUS in profile.speaks else None,
        vpp_modes_enabled=vpp_modes_of(ratings) if AUS_1_3 in profile.speaks else None,
        **{"set_grad_w": _NO_GRADIENT, **overwritten},  # type: ignore[arg-type] # names and integers of one table
    )


def overwritten_by(values: Iterable[InForce]) -> tuple[tuple[str, int], ...]:
    """What the defaults among the values in force overwrite in DERSettings, for `InForceSettings.overwritten`."""
    return tuple(sorted((one.mode, value_of(one.mode, one.value)) for one in values if one.mode in SETTING_FIELDS))


def availability_of(measured: Measured, profile: Profile, reading_time: int) -> DERAvailability | None:
    """What the device could do from `reading_time` on; None where nothing of it is known."""
    new = E2023 in profile.speaks
    document = DERAvailability(
        availability_duration=measured.available_seconds,
        max_charge_duration=measured.charge_seconds,
        reading_time=reading_time,
        reserve_charge_percent=measured.reserve_charge_hundredths,
        reserve_percent=measured.reserve_hundredths,
        stat_var_absorb_avail=unsigned_reactive_power(measured.available_absorb_vars) if new else None,
        stat_var_avail=reactive_power(measured.available_vars),
        stat_w_absorb_avail=unsigned_active_power(measured.available_absorb_watts) if new else None,
        stat_w_avail=active_power(measured.available_watts),
    )
    return None if document == DERAvailability(reading_time=reading_time) else document


def _lowered(rated: Ratings, in_force: InForceSettings) -> Ratings:
    """The limits in force, none above its rating as that is told, and none where there is no rating.

    As told: beside a rating of 32768 W, written 3276 tens, a setting of 32767 W would look too large.
    """
    limits = in_force.limits or rated
    return Ratings(
        inject_watts=min(as_told(rated.inject_watts, INT16_MOST), limits.inject_watts),
        absorb_watts=min(as_told(rated.absorb_watts, INT16_MOST), limits.absorb_watts),
        inject_vars=_least(rated.inject_vars, limits.inject_vars, INT16_MOST),
        absorb_vars=_least(rated.absorb_vars, limits.absorb_vars, INT16_MOST),
        volt_amperes=_least(rated.volt_amperes, limits.volt_amperes, UINT16_MOST),
        storage_watt_hours=_least(rated.storage_watt_hours, limits.storage_watt_hours, UINT16_MOST),
        volts=rated.volts,
        modes=rated.modes - in_force.disabled,
    )


def _least(rated: int | None, limit: int | None, most: int) -> int | None:
    if rated is None:
        return None
    told = as_told(rated, most)
    return told if limit is None else min(told, limit)


def _negative(value: int | None) -> int | None:
    return None if value is None else -value
