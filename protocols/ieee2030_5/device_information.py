"""What a device tells about itself apart from energy: make, configuration, power status, temperature."""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.base import Link, List, ListLink, Resource, SubscribableResource
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.lexicals import (
    BITS32,
    BITS64,
    HEX160,
    INT16,
    INT32,
    MULTIPLIER,
    STRING32,
    STRING42,
    TIME,
    UINT8,
    UINT16,
    UINT32,
)
from wattseal.protocols.ieee2030_5.quantities import ActivePower, RealEnergy
from wattseal.protocols.ieee2030_5.vocabulary import BatteryState, OperationalState, PowerSource
from wattseal.protocols.xml_wire import wire


class GPSLocation(msgspec.Struct, frozen=True, kw_only=True):
    """A place, as decimal degrees in text."""

    lat: Annotated[str, wire("lat", STRING32)]
    lon: Annotated[str, wire("lon", STRING32)]


class DRLCCapabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a device can do in demand response."""

    average_energy: Annotated[RealEnergy, wire("averageEnergy")]
    max_demand: Annotated[ActivePower, wire("maxDemand")]
    options_implemented: Annotated[int, wire("optionsImplemented", BITS32)]


class DeviceInformation(Resource, frozen=True, kw_only=True):
    """Make, model, serial number and software of a device. `mf_id` is a private enterprise number."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    connection_point_id: Annotated[str | None, wire("connectionPointID?", STRING32, of=E2023)] = None
    drlc_capabilities: Annotated[DRLCCapabilities | None, wire("DRLCCapabilities?")] = None
    functions_implemented: Annotated[int | None, wire("functionsImplemented?", BITS64)] = None
    gps_location: Annotated[GPSLocation | None, wire("gpsLocation?")] = None
    lfdi: Annotated[str | None, wire("lFDI!", HEX160)] = None
    mf_date: Annotated[int | None, wire("mfDate!", TIME)] = None
    mf_hw_ver: Annotated[str | None, wire("mfHwVer!", STRING32)] = None
    mf_id: Annotated[int | None, wire("mfID!", UINT32)] = None
    mf_info: Annotated[str | None, wire("mfInfo?", STRING32)] = None
    mf_model: Annotated[str | None, wire("mfModel!", STRING32)] = None
    mf_ser_num: Annotated[str | None, wire("mfSerNum!", STRING32)] = None
    primary_power: Annotated[PowerSource | None, wire("primaryPower!")] = None
    secondary_power: Annotated[PowerSource | None, wire("secondaryPower!")] = None
    supported_locale_list_link: Annotated[ListLink | None, wire("SupportedLocaleListLink?", apart=True)] = None
    sw_act_time: Annotated[int | None, wire("swActTime!", TIME)] = None
    sw_ver: Annotated[str | None, wire("swVer!", STRING32)] = None


class SupportedLocale(Resource, frozen=True, kw_only=True):
    """A language tag."""

    locale: Annotated[str, wire("locale", STRING42)]


class SupportedLocaleList(List, frozen=True, kw_only=True):
    """SupportedLocaleList."""

    items: Annotated[tuple[SupportedLocale, ...], wire("SupportedLocale*", apart=True)] = ()


class Temperature(msgspec.Struct, frozen=True, kw_only=True):
    """A temperature in degrees Celsius; `subject` 0 enclosure, 1 transformer, 2 heat sink."""

    multiplier: Annotated[int, wire("multiplier", MULTIPLIER)]
    subject: Annotated[int, wire("subject", UINT8)]
    value: Annotated[int, wire("value", INT16)]


class DeviceStatus(Resource, frozen=True, kw_only=True):
    """Whether a device works, since when, how warm it is. `op_time` in seconds."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    changed_time: Annotated[int | None, wire("changedTime!", TIME)] = None
    on_count: Annotated[int | None, wire("onCount?", UINT16)] = None
    op_state: Annotated[OperationalState | None, wire("opState?")] = None
    op_time: Annotated[int | None, wire("opTime?", UINT32)] = None
    temperatures: Annotated[tuple[Temperature, ...], wire("Temperature*")] = ()
    time_link: Annotated[Link | None, wire("TimeLink?", apart=True)] = None


class PEVInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a charging vehicle needs. `target_state_of_charge` in hundredths of a percent, times in seconds."""

    charging_power_now: Annotated[ActivePower, wire("chargingPowerNow")]
    energy_request_now: Annotated[RealEnergy, wire("energyRequestNow")]
    max_forward_power: Annotated[ActivePower | None, wire("maxForwardPower!")] = None
    minimum_charging_duration: Annotated[int | None, wire("minimumChargingDuration!", UINT32)] = None
    target_state_of_charge: Annotated[int | None, wire("targetStateOfCharge!", UINT16)] = None
    time_charge_is_needed: Annotated[int | None, wire("timeChargeIsNeeded!", TIME)] = None
    time_charging_status_pev: Annotated[int | None, wire("timeChargingStatusPEV!", TIME)] = None


class PowerStatus(Resource, frozen=True, kw_only=True):
    """What a device runs on. Remaining charge in hundredths of a percent, times in seconds."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    battery_status: Annotated[BatteryState | None, wire("batteryStatus!")] = None
    changed_time: Annotated[int | None, wire("changedTime!", TIME)] = None
    current_power_source: Annotated[PowerSource | None, wire("currentPowerSource!")] = None
    estimated_charge_remaining: Annotated[int | None, wire("estimatedChargeRemaining?", UINT16)] = None
    estimated_time_remaining: Annotated[int | None, wire("estimatedTimeRemaining?", UINT32)] = None
    pev_info: Annotated[PEVInfo | None, wire("PEVInfo?")] = None
    session_time_on_battery: Annotated[int | None, wire("sessionTimeOnBattery?", UINT32)] = None
    total_time_on_battery: Annotated[int | None, wire("totalTimeOnBattery?", UINT32)] = None


class PowerConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """`low_charge_threshold` in seconds of running time."""

    battery_install_time: Annotated[int | None, wire("batteryInstallTime?", TIME)] = None
    low_charge_threshold: Annotated[int | None, wire("lowChargeThreshold?", UINT32)] = None


class TimeConfiguration(msgspec.Struct, frozen=True, kw_only=True):
    """Rules of daylight saving, coded in bits; offsets in seconds."""

    dst_end_rule: Annotated[int, wire("dstEndRule", BITS32)]
    dst_offset: Annotated[int, wire("dstOffset", INT32)]
    dst_start_rule: Annotated[int, wire("dstStartRule", BITS32)]
    tz_offset: Annotated[int, wire("tzOffset", INT32)]


class PriceResponseCfg(Resource, frozen=True, kw_only=True):
    """Prices above which a device consumes less."""

    consume_threshold: Annotated[int, wire("consumeThreshold", INT32)]
    max_reduction_threshold: Annotated[int, wire("maxReductionThreshold", INT32)]
    rate_component_link: Annotated[Link | None, wire("RateComponentLink!", apart=True)] = None


class PriceResponseCfgList(List, frozen=True, kw_only=True):
    """PriceResponseCfgList."""

    items: Annotated[tuple[PriceResponseCfg, ...], wire("PriceResponseCfg*", apart=True)] = ()


class Configuration(SubscribableResource, frozen=True, kw_only=True):
    """Settings of a device that a user may change."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    current_locale: Annotated[str | None, wire("currentLocale!", STRING42)] = None
    power_configuration: Annotated[PowerConfiguration | None, wire("PowerConfiguration?")] = None
    price_response_cfg_list_link: Annotated[ListLink | None, wire("PriceResponseCfgListLink?", apart=True)] = None
    time_configuration: Annotated[TimeConfiguration | None, wire("TimeConfiguration?")] = None
    user_device_name: Annotated[str | None, wire("userDeviceName!", STRING32)] = None
