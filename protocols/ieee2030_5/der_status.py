"""What a DER says of itself: DER, DERCapability (nameplate), DERSettings, DERStatus, DERAvailability, DERComponent.

`type` and the mode bitmaps are in the vocabulary. Percentages are hundredths of a percent, times seconds since 1970,
`*_tms` and delays hundredths of a second.
"""

from typing import Annotated, ClassVar

import msgspec

from wattseal.protocols.ieee2030_5.base import Link, List, ListLink, Resource, SubscribableResource
from wattseal.protocols.ieee2030_5.editions import AUS, AUS_1_3, E2023
from wattseal.protocols.ieee2030_5.lexicals import BITS8, BITS32, HEX160, INT16, STRING6, TIME, UINT8, UINT16, UINT32
from wattseal.protocols.ieee2030_5.quantities import (
    ActivePower,
    AmpereHour,
    ApparentPower,
    CurrentRMS,
    PowerFactor,
    ReactivePower,
    ReactiveSusceptance,
    UnsignedActivePower,
    UnsignedReactivePower,
    VoltageRMS,
    WattHour,
)
from wattseal.protocols.ieee2030_5.vocabulary import (
    DERType,
    InverterState,
    LocalControlMode,
    OperationalMode,
    StorageMode,
)
from wattseal.protocols.xml_wire import wire


class DER(SubscribableResource, frozen=True, kw_only=True):
    """The links of one DER."""

    associated_der_program_list_link: Annotated[ListLink | None, wire("AssociatedDERProgramListLink?", apart=True)] = (
        None
    )
    associated_usage_point_link: Annotated[Link | None, wire("AssociatedUsagePointLink?", apart=True)] = None
    current_der_controls_link: Annotated[Link | None, wire("CurrentDERControlsLink?", apart=True, of=E2023)] = None
    current_der_program_link: Annotated[Link | None, wire("CurrentDERProgramLink?", apart=True)] = None
    der_availability_link: Annotated[Link | None, wire("DERAvailabilityLink?", apart=True)] = None
    der_capability_link: Annotated[Link | None, wire("DERCapabilityLink?", apart=True)] = None
    der_component_list_link: Annotated[ListLink | None, wire("DERComponentListLink?", apart=True, of=E2023)] = None
    der_settings_link: Annotated[Link | None, wire("DERSettingsLink?", apart=True)] = None
    der_status_link: Annotated[Link | None, wire("DERStatusLink?", apart=True)] = None


class DERList(List, frozen=True, kw_only=True):
    """DERList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[DER, ...], wire("DER*", apart=True)] = ()


class DERCapability(Resource, frozen=True, kw_only=True):
    """The nameplate. CSIP-AUS requires `doe_modes_supported`."""

    modes_supported: Annotated[int | None, wire("modesSupported!", BITS32)] = None
    modes_supported2: Annotated[int | None, wire("modesSupported2?", BITS32, of=E2023)] = None
    rtg_abnormal_category: Annotated[int | None, wire("rtgAbnormalCategory?", UINT8)] = None
    rtg_max_a: Annotated[CurrentRMS | None, wire("rtgMaxA?")] = None
    rtg_max_ah: Annotated[AmpereHour | None, wire("rtgMaxAh?")] = None
    rtg_max_charge_rate_va: Annotated[ApparentPower | None, wire("rtgMaxChargeRateVA?")] = None
    rtg_max_charge_rate_w: Annotated[ActivePower | None, wire("rtgMaxChargeRateW?")] = None
    rtg_max_discharge_rate_va: Annotated[ApparentPower | None, wire("rtgMaxDischargeRateVA?")] = None
    rtg_max_discharge_rate_w: Annotated[ActivePower | None, wire("rtgMaxDischargeRateW?")] = None
    rtg_max_v: Annotated[VoltageRMS | None, wire("rtgMaxV?")] = None
    rtg_max_va: Annotated[ApparentPower | None, wire("rtgMaxVA?")] = None
    rtg_max_var: Annotated[ReactivePower | None, wire("rtgMaxVar?")] = None
    rtg_max_var_neg: Annotated[ReactivePower | None, wire("rtgMaxVarNeg?")] = None
    rtg_max_w: Annotated[ActivePower | None, wire("rtgMaxW!")] = None
    rtg_max_wh: Annotated[WattHour | None, wire("rtgMaxWh?")] = None
    rtg_min_pf_over_excited: Annotated[PowerFactor | None, wire("rtgMinPFOverExcited?")] = None
    rtg_min_pf_under_excited: Annotated[PowerFactor | None, wire("rtgMinPFUnderExcited?")] = None
    rtg_min_v: Annotated[VoltageRMS | None, wire("rtgMinV?")] = None
    rtg_normal_category: Annotated[int | None, wire("rtgNormalCategory?", UINT8)] = None
    rtg_over_excited_pf: Annotated[PowerFactor | None, wire("rtgOverExcitedPF?")] = None
    rtg_over_excited_w: Annotated[ActivePower | None, wire("rtgOverExcitedW?")] = None
    rtg_reactive_susceptance: Annotated[ReactiveSusceptance | None, wire("rtgReactiveSusceptance?")] = None
    rtg_under_excited_pf: Annotated[PowerFactor | None, wire("rtgUnderExcitedPF?")] = None
    rtg_under_excited_w: Annotated[ActivePower | None, wire("rtgUnderExcitedW?")] = None
    rtg_v_nom: Annotated[VoltageRMS | None, wire("rtgVNom?")] = None
    type: Annotated[DERType | None, wire("type!")] = None
    doe_modes_supported: Annotated[int | None, wire("csipaus:doeModesSupported?", BITS8, of=AUS)] = None
    vpp_modes_supported: Annotated[int | None, wire("csipaus:vppModesSupported?", BITS8, of=AUS_1_3)] = None


class DERSettings(SubscribableResource, frozen=True, kw_only=True):
    """The settings in force, at most the ratings. `set_max_var_neg` is negative."""

    modes_enabled: Annotated[int | None, wire("modesEnabled?", BITS32)] = None
    modes_enabled2: Annotated[int | None, wire("modesEnabled2?", BITS32, of=E2023)] = None
    set_es_delay: Annotated[int | None, wire("setESDelay?", UINT32)] = None
    set_es_high_freq: Annotated[int | None, wire("setESHighFreq?", UINT16)] = None
    set_es_high_volt: Annotated[int | None, wire("setESHighVolt?", INT16)] = None
    set_es_low_freq: Annotated[int | None, wire("setESLowFreq?", UINT16)] = None
    set_es_low_volt: Annotated[int | None, wire("setESLowVolt?", INT16)] = None
    set_es_ramp_tms: Annotated[int | None, wire("setESRampTms?", UINT32)] = None
    set_es_random_delay: Annotated[int | None, wire("setESRandomDelay?", UINT32)] = None
    set_grad_w: Annotated[int | None, wire("setGradW!", UINT16)] = None
    set_max_a: Annotated[CurrentRMS | None, wire("setMaxA?")] = None
    set_max_ah: Annotated[AmpereHour | None, wire("setMaxAh?")] = None
    set_max_charge_rate_va: Annotated[ApparentPower | None, wire("setMaxChargeRateVA?")] = None
    set_max_charge_rate_w: Annotated[ActivePower | None, wire("setMaxChargeRateW?")] = None
    set_max_discharge_rate_va: Annotated[ApparentPower | None, wire("setMaxDischargeRateVA?")] = None
    set_max_discharge_rate_w: Annotated[ActivePower | None, wire("setMaxDischargeRateW?")] = None
    set_max_v: Annotated[VoltageRMS | None, wire("setMaxV?")] = None
    set_max_va: Annotated[ApparentPower | None, wire("setMaxVA?")] = None
    set_max_var: Annotated[ReactivePower | None, wire("setMaxVar?")] = None
    set_max_var_neg: Annotated[ReactivePower | None, wire("setMaxVarNeg?")] = None
    set_max_w: Annotated[ActivePower | None, wire("setMaxW!")] = None
    set_max_wh: Annotated[WattHour | None, wire("setMaxWh?")] = None
    set_min_pf_over_excited: Annotated[PowerFactor | None, wire("setMinPFOverExcited?")] = None
    set_min_pf_under_excited: Annotated[PowerFactor | None, wire("setMinPFUnderExcited?")] = None
    set_min_v: Annotated[VoltageRMS | None, wire("setMinV?")] = None
    set_soft_grad_w: Annotated[int | None, wire("setSoftGradW?", UINT16)] = None
    set_v_nom: Annotated[VoltageRMS | None, wire("setVNom?")] = None
    set_v_ref: Annotated[VoltageRMS | None, wire("setVRef?")] = None
    set_v_ref_ofs: Annotated[VoltageRMS | None, wire("setVRefOfs?")] = None
    updated_time: Annotated[int | None, wire("updatedTime!", TIME)] = None
    doe_modes_enabled: Annotated[int | None, wire("csipaus:doeModesEnabled?", BITS8, of=AUS)] = None
    vpp_modes_enabled: Annotated[int | None, wire("csipaus:vppModesEnabled?", BITS8, of=AUS_1_3)] = None
    set_min_wh: Annotated[WattHour | None, wire("csipaus:setMinWh?", of=AUS_1_3)] = None


class ConnectStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A bitmap of `ConnectBit` and since when."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[int, wire("value", BITS8)]


class ConnectStatus2(msgspec.Struct, frozen=True, kw_only=True):
    """A bitmap of `ConnectBit2` and since when (2023)."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[int, wire("value", BITS8)]


class InverterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the inverter and since when."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[InverterState, wire("value")]


class LocalControlModeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Local or remote control and since when."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[LocalControlMode, wire("value")]


class ManufacturerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The maker's own status, up to 6 characters."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[str, wire("value", STRING6)]


class OperationalModeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The mode of operation and since when."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[OperationalMode, wire("value")]


class StateOfChargeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """State of charge in hundredths of a percent and when."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[int, wire("value", UINT16)]


class StorageModeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Charging, discharging or holding, and since when."""

    date_time: Annotated[int, wire("dateTime", TIME)]
    value: Annotated[StorageMode, wire("value")]


class DERStatus(SubscribableResource, frozen=True, kw_only=True):
    """What the DER is doing. `alarm_status` is a bitmap of `Alarm`."""

    alarm_status: Annotated[int | None, wire("alarmStatus?", BITS32)] = None
    connect_status: Annotated[ConnectStatus2 | None, wire("connectStatus?", of=E2023)] = None
    gen_connect_status: Annotated[ConnectStatus | None, wire("genConnectStatus?")] = None
    inverter_status: Annotated[InverterStatus | None, wire("inverterStatus?")] = None
    local_control_mode_status: Annotated[LocalControlModeStatus | None, wire("localControlModeStatus?")] = None
    manufacturer_status: Annotated[ManufacturerStatus | None, wire("manufacturerStatus?")] = None
    operational_mode_status: Annotated[OperationalModeStatus | None, wire("operationalModeStatus?")] = None
    reading_time: Annotated[int | None, wire("readingTime!", TIME)] = None
    state_of_charge_status: Annotated[StateOfChargeStatus | None, wire("stateOfChargeStatus?")] = None
    storage_mode_status: Annotated[StorageModeStatus | None, wire("storageModeStatus?")] = None
    stor_connect_status: Annotated[ConnectStatus | None, wire("storConnectStatus?")] = None


class DERAvailability(SubscribableResource, frozen=True, kw_only=True):
    """What the DER could do: durations in seconds, reserves in hundredths of a percent."""

    availability_duration: Annotated[int | None, wire("availabilityDuration?", UINT32)] = None
    max_charge_duration: Annotated[int | None, wire("maxChargeDuration?", UINT32)] = None
    reading_time: Annotated[int | None, wire("readingTime!", TIME)] = None
    reserve_charge_percent: Annotated[int | None, wire("reserveChargePercent?", UINT16)] = None
    reserve_percent: Annotated[int | None, wire("reservePercent?", UINT16)] = None
    stat_var_absorb_avail: Annotated[UnsignedReactivePower | None, wire("statVarAbsorbAvail?", of=E2023)] = None
    stat_var_avail: Annotated[ReactivePower | None, wire("statVarAvail?")] = None
    stat_w_absorb_avail: Annotated[UnsignedActivePower | None, wire("statWAbsorbAvail?", of=E2023)] = None
    stat_w_avail: Annotated[ActivePower | None, wire("statWAvail?")] = None


class DERComponentBase(SubscribableResource, frozen=True, kw_only=True):
    """The links that a component of a DER has (2023)."""

    associated_usage_point_link: Annotated[Link | None, wire("AssociatedUsagePointLink?", apart=True)] = None
    der_availability_link: Annotated[Link | None, wire("DERAvailabilityLink?", apart=True)] = None
    der_capability_link: Annotated[Link | None, wire("DERCapabilityLink?", apart=True)] = None
    der_settings_link: Annotated[Link | None, wire("DERSettingsLink?", apart=True)] = None
    der_status_link: Annotated[Link | None, wire("DERStatusLink?", apart=True)] = None


class DERComponent(DERComponentBase, frozen=True, kw_only=True):
    """A component of a DER (2023)."""

    OF: ClassVar[str] = E2023

    lfdi: Annotated[str, wire("lFDI", HEX160)]


class DERComponentList(List, frozen=True, kw_only=True):
    """DERComponentList (2023)."""

    OF: ClassVar[str] = E2023

    items: Annotated[tuple[DERComponent, ...], wire("DERComponent*", apart=True)] = ()
