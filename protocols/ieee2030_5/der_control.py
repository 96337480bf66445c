"""Programs of DER controls: DERProgram, DERControl, DefaultDERControl, the modes of a control, and curves.

Percentages are hundredths of a percent, `*_tms` hundredths of a second. Setpoints in W are positive for output, as the
generator's sign has it; CSIP-AUS limits are never negative and hold at the connection point (import, export) or at the
device (generation, load).
"""

from typing import Annotated

import msgspec

from wattseal.protocols.ieee2030_5.base import (
    IdentifiedObject,
    Link,
    List,
    ListLink,
    RandomizableEvent,
    RespondableSubscribableIdentifiedObject,
    SubscribableIdentifiedObject,
    SubscribableList,
)
from wattseal.protocols.ieee2030_5.editions import AUS, AUS_1_3, E2023
from wattseal.protocols.ieee2030_5.lexicals import BITS8, BITS32, INT16, INT32, MULTIPLIER, TIME, UINT8, UINT16, UINT32
from wattseal.protocols.ieee2030_5.quantities import (
    ActivePower,
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
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, UnitReference
from wattseal.protocols.lexical import URI
from wattseal.protocols.xml_wire import wire


class DERCurveLink(Link, frozen=True, kw_only=True):
    """A reference to a curve of the same program; since 2023 the mode may be switched off by `disabled`."""

    disabled: Annotated[bool | None, wire("@disabled?", of=E2023)] = None


class DERControlBase(msgspec.Struct, frozen=True, kw_only=True):
    """The modes that a control sets; each field is one mode, None where the control does not touch it.

    `strangers` names the elements inside that are not known here (``{namespace}name``): a mode that was asked for and
    cannot be honoured must be answered for. It is never written.
    """

    op_mod_connect: Annotated[bool | None, wire("opModConnect?")] = None
    op_mod_delta_var: Annotated[ReactivePowerDeltaControl | None, wire("opModDeltaVar?", of=E2023)] = None
    op_mod_delta_w: Annotated[ActivePowerDeltaControl | None, wire("opModDeltaW?", of=E2023)] = None
    op_mod_energize: Annotated[bool | None, wire("opModEnergize?")] = None
    op_mod_fixed_pf_absorb_w: Annotated[PowerFactorWithExcitationControl | None, wire("opModFixedPFAbsorbW?")] = None
    op_mod_fixed_pf_inject_w: Annotated[PowerFactorWithExcitationControl | None, wire("opModFixedPFInjectW?")] = None
    op_mod_fixed_v: Annotated[SignedPerCentControl | None, wire("opModFixedV?", of=E2023)] = None
    op_mod_fixed_var: Annotated[FixedVarControl | None, wire("opModFixedVar?")] = None
    op_mod_fixed_w: Annotated[SignedPerCentControl | None, wire("opModFixedW?")] = None
    op_mod_freq_droop: Annotated[FreqDroop | None, wire("opModFreqDroop?")] = None
    op_mod_freq_watt: Annotated[DERCurveLink | None, wire("opModFreqWatt?")] = None
    op_mod_grid_connect_permit: Annotated[bool | None, wire("opModGridConnectPermit?", of=E2023)] = None
    op_mod_hfrt_may_trip: Annotated[DERCurveLink | None, wire("opModHFRTMayTrip?")] = None
    op_mod_hfrt_must_trip: Annotated[DERCurveLink | None, wire("opModHFRTMustTrip?")] = None
    op_mod_hvrt_may_trip: Annotated[DERCurveLink | None, wire("opModHVRTMayTrip?")] = None
    op_mod_hvrt_momentary_cessation: Annotated[DERCurveLink | None, wire("opModHVRTMomentaryCessation?")] = None
    op_mod_hvrt_must_trip: Annotated[DERCurveLink | None, wire("opModHVRTMustTrip?")] = None
    op_mod_island_permit: Annotated[bool | None, wire("opModIslandPermit?", of=E2023)] = None
    op_mod_lfrt_may_trip: Annotated[DERCurveLink | None, wire("opModLFRTMayTrip?")] = None
    op_mod_lfrt_must_trip: Annotated[DERCurveLink | None, wire("opModLFRTMustTrip?")] = None
    op_mod_lvrt_may_trip: Annotated[DERCurveLink | None, wire("opModLVRTMayTrip?")] = None
    op_mod_lvrt_momentary_cessation: Annotated[DERCurveLink | None, wire("opModLVRTMomentaryCessation?")] = None
    op_mod_lvrt_must_trip: Annotated[DERCurveLink | None, wire("opModLVRTMustTrip?")] = None
    op_mod_max_lim_pct_va_absorb: Annotated[PerCentControl | None, wire("opModMaxLimPctVAAbsorb?", of=E2023)] = None
    op_mod_max_lim_pct_va_inject: Annotated[PerCentControl | None, wire("opModMaxLimPctVAInject?", of=E2023)] = None
    op_mod_max_lim_pct_var_absorb: Annotated[
        UnsignedFixedVarControl | None, wire("opModMaxLimPctVarAbsorb?", of=E2023)
    ] = None
    op_mod_max_lim_pct_var_inject: Annotated[
        UnsignedFixedVarControl | None, wire("opModMaxLimPctVarInject?", of=E2023)
    ] = None
    op_mod_max_lim_pct_w_absorb: Annotated[PerCentControl | None, wire("opModMaxLimPctWAbsorb?", of=E2023)] = None
    op_mod_max_lim_var_absorb: Annotated[
        UnsignedReactivePowerControl | None, wire("opModMaxLimVarAbsorb?", of=E2023)
    ] = None
    op_mod_max_lim_var_inject: Annotated[
        UnsignedReactivePowerControl | None, wire("opModMaxLimVarInject?", of=E2023)
    ] = None
    op_mod_max_lim_w: Annotated[PerCentControl | None, wire("opModMaxLimW?")] = None
    op_mod_max_lim_w_absorb: Annotated[UnsignedActivePowerControl | None, wire("opModMaxLimWAbsorb?", of=E2023)] = None
    op_mod_max_lim_w_inject: Annotated[UnsignedActivePowerControl | None, wire("opModMaxLimWInject?", of=E2023)] = None
    op_mod_target_v: Annotated[VoltageRMSControl | None, wire("opModTargetV?", of=E2023)] = None
    op_mod_target_var: Annotated[ReactivePowerControl | None, wire("opModTargetVar?")] = None
    op_mod_target_w: Annotated[ActivePowerControl | None, wire("opModTargetW?")] = None
    op_mod_volt_var: Annotated[DERCurveLink | None, wire("opModVoltVar?")] = None
    op_mod_volt_watt: Annotated[DERCurveLink | None, wire("opModVoltWatt?")] = None
    op_mod_watt_pf: Annotated[DERCurveLink | None, wire("opModWattPF?")] = None
    op_mod_watt_var: Annotated[DERCurveLink | None, wire("opModWattVar?")] = None
    ramp_tms: Annotated[int | None, wire("rampTms?", UINT16)] = None
    op_mod_imp_lim_w: Annotated[ActivePower | None, wire("csipaus:opModImpLimW?", of=AUS)] = None
    op_mod_exp_lim_w: Annotated[ActivePower | None, wire("csipaus:opModExpLimW?", of=AUS)] = None
    op_mod_gen_lim_w: Annotated[ActivePower | None, wire("csipaus:opModGenLimW?", of=AUS)] = None
    op_mod_load_lim_w: Annotated[ActivePower | None, wire("csipaus:opModLoadLimW?", of=AUS)] = None
    op_mod_storage_target_w: Annotated[ActivePower | None, wire("csipaus:opModStorageTargetW?", of=AUS_1_3)] = None
    strangers: Annotated[tuple[str, ...], wire("*")] = ()


class DERControl(RandomizableEvent, frozen=True, kw_only=True):
    """An event that sets modes. With a `device_category` that is not ours it is ignored without a Response."""

    der_control_base: Annotated[DERControlBase, wire("DERControlBase")]
    device_category: Annotated[int | None, wire("deviceCategory?", BITS32)] = None


class DERControlList(SubscribableList, frozen=True, kw_only=True):
    """DERControlList."""

    items: Annotated[tuple[DERControl, ...], wire("DERControl*", apart=True)] = ()


class DefaultDERControl(RespondableSubscribableIdentifiedObject, frozen=True, kw_only=True):
    """What holds while no event does; its settings overwrite those of DERSettings.

    `set_es_*`: delays in hundredths of a second, frequencies in hundredths of a hertz, voltages in hundredths of a
    percent of the reference. Gradients in hundredths of a percent of setMaxW per second, 0 for no limit.
    """

    reply_to: Annotated[str | None, wire("@replyTo?", URI, of=E2023)] = None
    response_required: Annotated[int | None, wire("@responseRequired?", BITS8, of=E2023)] = None
    der_control_base: Annotated[DERControlBase, wire("DERControlBase")]
    set_es_delay: Annotated[int | None, wire("setESDelay?", UINT32)] = None
    set_es_high_freq: Annotated[int | None, wire("setESHighFreq?", UINT16)] = None
    set_es_high_volt: Annotated[int | None, wire("setESHighVolt?", INT16)] = None
    set_es_low_freq: Annotated[int | None, wire("setESLowFreq?", UINT16)] = None
    set_es_low_volt: Annotated[int | None, wire("setESLowVolt?", INT16)] = None
    set_es_ramp_tms: Annotated[int | None, wire("setESRampTms?", UINT32)] = None
    set_es_random_delay: Annotated[int | None, wire("setESRandomDelay?", UINT32)] = None
    set_grad_w: Annotated[int | None, wire("setGradW?", UINT16)] = None
    set_soft_grad_w: Annotated[int | None, wire("setSoftGradW?", UINT16)] = None
    updated_time: Annotated[int | None, wire("updatedTime?", TIME, of=E2023)] = None


class CurveData(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a curve, before the multipliers."""

    excitation: Annotated[bool | None, wire("excitation?")] = None
    xvalue: Annotated[int, wire("xvalue", INT32)]
    yvalue: Annotated[int, wire("yvalue", INT32)]


class DERCurve(IdentifiedObject, frozen=True, kw_only=True):
    """A curve of 1 to 10 points: `xvalue` times ten to `x_multiplier`, and so for y; `y_ref_type` says what y is of.

    Times in hundredths of a second, ramps in hundredths of a percent per second, `v_ref` in hundredths of a percent.
    """

    autonomous_v_ref_enable: Annotated[bool | None, wire("autonomousVRefEnable?")] = None
    autonomous_v_ref_time_constant: Annotated[int | None, wire("autonomousVRefTimeConstant?", UINT32)] = None
    creation_time: Annotated[int | None, wire("creationTime!", TIME)] = None
    curve_data: Annotated[tuple[CurveData, ...], wire("CurveData+", most=10)]
    curve_type: Annotated[CurveType, wire("curveType")]
    open_loop_tms: Annotated[int | None, wire("openLoopTms?", UINT16)] = None
    ramp_dec_tms: Annotated[int | None, wire("rampDecTms?", UINT16)] = None
    ramp_inc_tms: Annotated[int | None, wire("rampIncTms?", UINT16)] = None
    ramp_pt1_tms: Annotated[int | None, wire("rampPT1Tms?", UINT16)] = None
    v_ref: Annotated[int | None, wire("vRef?", UINT16)] = None
    x_multiplier: Annotated[int, wire("xMultiplier", MULTIPLIER)]
    y_multiplier: Annotated[int, wire("yMultiplier", MULTIPLIER)]
    y_ref_type: Annotated[UnitReference, wire("yRefType")]


class DERCurveList(List, frozen=True, kw_only=True):
    """DERCurveList."""

    items: Annotated[tuple[DERCurve, ...], wire("DERCurve*", apart=True)] = ()


class DERProgram(SubscribableIdentifiedObject, frozen=True, kw_only=True):
    """A program. The lower `primacy` wins."""

    active_der_control_list_link: Annotated[ListLink | None, wire("ActiveDERControlListLink?", apart=True)] = None
    default_der_control_link: Annotated[Link | None, wire("DefaultDERControlLink?", apart=True)] = None
    der_control_list_link: Annotated[ListLink | None, wire("DERControlListLink?", apart=True)] = None
    der_curve_list_link: Annotated[ListLink | None, wire("DERCurveListLink?", apart=True)] = None
    primacy: Annotated[int, wire("primacy", UINT8)]


class DERProgramList(SubscribableList, frozen=True, kw_only=True):
    """DERProgramList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[DERProgram, ...], wire("DERProgram*", apart=True)] = ()
