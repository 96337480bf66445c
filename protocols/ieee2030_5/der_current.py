"""CurrentDERControls (2023): the modes that a DER follows now, with the curves written out."""

from typing import Annotated, ClassVar

from wattseal.protocols.ieee2030_5.base import SubscribableResource
from wattseal.protocols.ieee2030_5.der_control import DERCurve
from wattseal.protocols.ieee2030_5.editions import E2023
from wattseal.protocols.ieee2030_5.lexicals import TIME
from wattseal.protocols.ieee2030_5.quantities import (
    ActivePowerControl,
    ActivePowerDeltaControl,
    FixedVarControl,
    FreqDroop,
    PerCentControl,
    PowerFactorWithExcitationControl,
    ReactivePowerControl,
    ReactivePowerDeltaControl,
    SignedPerCentControl,
    UnsignedActivePowerControl,
    UnsignedFixedVarControl,
    UnsignedReactivePowerControl,
    VoltageRMSControl,
)
from wattseal.protocols.xml_wire import wire


class DERCurveControl(DERCurve, frozen=True, kw_only=True):
    """A curve that is in force, or `disabled`."""

    disabled: Annotated[bool | None, wire("@disabled?")] = None


class CurrentDERControls(SubscribableResource, frozen=True, kw_only=True):
    """The modes in force at a DER."""

    OF: ClassVar[str] = E2023

    op_mod_connect: Annotated[bool | None, wire("opModConnect?")] = None
    op_mod_delta_var: Annotated[ReactivePowerDeltaControl | None, wire("opModDeltaVar?")] = None
    op_mod_delta_w: Annotated[ActivePowerDeltaControl | None, wire("opModDeltaW?")] = None
    op_mod_energize: Annotated[bool | None, wire("opModEnergize?")] = None
    op_mod_fixed_pf_absorb_w: Annotated[PowerFactorWithExcitationControl | None, wire("opModFixedPFAbsorbW?")] = None
    op_mod_fixed_pf_inject_w: Annotated[PowerFactorWithExcitationControl | None, wire("opModFixedPFInjectW?")] = None
    op_mod_fixed_v: Annotated[SignedPerCentControl | None, wire("opModFixedV?")] = None
    op_mod_fixed_var: Annotated[FixedVarControl | None, wire("opModFixedVar?")] = None
    op_mod_fixed_w: Annotated[SignedPerCentControl | None, wire("opModFixedW?")] = None
    op_mod_freq_droop: Annotated[FreqDroop | None, wire("opModFreqDroop?")] = None
    op_mod_freq_watt: Annotated[DERCurveControl | None, wire("opModFreqWatt?")] = None
    op_mod_grid_connect_permit: Annotated[bool | None, wire("opModGridConnectPermit?")] = None
    op_mod_hfrt_may_trip: Annotated[DERCurveControl | None, wire("opModHFRTMayTrip?")] = None
    op_mod_hfrt_must_trip: Annotated[DERCurveControl | None, wire("opModHFRTMustTrip?")] = None
    op_mod_hvrt_may_trip: Annotated[DERCurveControl | None, wire("opModHVRTMayTrip?")] = None
    op_mod_hvrt_momentary_cessation: Annotated[DERCurveControl | None, wire("opModHVRTMomentaryCessation?")] = None
    op_mod_hvrt_must_trip: Annotated[DERCurveControl | None, wire("opModHVRTMustTrip?")] = None
    op_mod_island_permit: Annotated[bool | None, wire("opModIslandPermit?")] = None
    op_mod_lfrt_may_trip: Annotated[DERCurveControl | None, wire("opModLFRTMayTrip?")] = None
    op_mod_lfrt_must_trip: Annotated[DERCurveControl | None, wire("opModLFRTMustTrip?")] = None
    op_mod_lvrt_may_trip: Annotated[DERCurveControl | None, wire("opModLVRTMayTrip?")] = None
    op_mod_lvrt_momentary_cessation: Annotated[DERCurveControl | None, wire("opModLVRTMomentaryCessation?")] = None
    op_mod_lvrt_must_trip: Annotated[DERCurveControl | None, wire("opModLVRTMustTrip?")] = None
    op_mod_max_lim_pct_va_absorb: Annotated[PerCentControl | None, wire("opModMaxLimPctVAAbsorb?")] = None
    op_mod_max_lim_pct_va_inject: Annotated[PerCentControl | None, wire("opModMaxLimPctVAInject?")] = None
    op_mod_max_lim_pct_var_absorb: Annotated[UnsignedFixedVarControl | None, wire("opModMaxLimPctVarAbsorb?")] = None
    op_mod_max_lim_pct_var_inject: Annotated[UnsignedFixedVarControl | None, wire("opModMaxLimPctVarInject?")] = None
    op_mod_max_lim_pct_w_absorb: Annotated[PerCentControl | None, wire("opModMaxLimPctWAbsorb?")] = None
    op_mod_max_lim_var_absorb: Annotated[UnsignedReactivePowerControl | None, wire("opModMaxLimVarAbsorb?")] = None
    op_mod_max_lim_var_inject: Annotated[UnsignedReactivePowerControl | None, wire("opModMaxLimVarInject?")] = None
    op_mod_max_lim_w: Annotated[PerCentControl | None, wire("opModMaxLimW?")] = None
    op_mod_max_lim_w_absorb: Annotated[UnsignedActivePowerControl | None, wire("opModMaxLimWAbsorb?")] = None
    op_mod_max_lim_w_inject: Annotated[UnsignedActivePowerControl | None, wire("opModMaxLimWInject?")] = None
    op_mod_target_v: Annotated[VoltageRMSControl | None, wire("opModTargetV?")] = None
    op_mod_target_var: Annotated[ReactivePowerControl | None, wire("opModTargetVar?")] = None
    op_mod_target_w: Annotated[ActivePowerControl | None, wire("opModTargetW?")] = None
    op_mod_volt_var: Annotated[DERCurveControl | None, wire("opModVoltVar?")] = None
    op_mod_volt_watt: Annotated[DERCurveControl | None, wire("opModVoltWatt?")] = None
    op_mod_watt_pf: Annotated[DERCurveControl | None, wire("opModWattPF?")] = None
    op_mod_watt_var: Annotated[DERCurveControl | None, wire("opModWattVar?")] = None
    updated_time: Annotated[int | None, wire("updatedTime!", TIME)] = None
