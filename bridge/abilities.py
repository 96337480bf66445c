"""Which modes of IEEE 2030.5 a device can be asked for: from what its profile offers and its enrolment permits.

One table for all who must agree: the capability bits that the server is told, the engine's 252 for what cannot be done,
and the plan, which gives these operations and no others.
"""

from collections.abc import Collection, Mapping
from typing import Final

from wattseal.bridge import profiles
from wattseal.bridge.site.model import Site, Utility

_SETPOINTS: Final = ("opModFixedW", "opModTargetW", "csipaus:opModStorageTargetW")
_DEVICE_MODES: Final[Mapping[str, tuple[str, ...]]] = {
    "set_power": _SETPOINTS,
    "limit_inject": ("opModMaxLimW", "opModMaxLimWInject", "csipaus:opModGenLimW"),
    # A charger is told a setpoint as the most that it may draw: so the plan carries it, whichever dialect asks.
    "limit_absorb": ("opModMaxLimPctWAbsorb", "opModMaxLimWAbsorb", "csipaus:opModLoadLimW", *_SETPOINTS),
    "energize": ("opModEnergize",),  # to disconnect galvanically is more, and no profile here has it
    "power_factor_inject": ("opModFixedPFInjectW",),
    "power_factor_absorb": ("opModFixedPFAbsorbW",),
    "fixed_var": ("opModFixedVar",),
    "target_var": ("opModTargetVar",),
    "freq_droop": ("opModFreqDroop",),
    "ramp_rate": ("setGradW",),
    "return_to_service": (
        "setESDelay", "setESRandomDelay", "setESRampTms", "setESHighFreq", "setESLowFreq", "setESHighVolt",
        "setESLowVolt",
    ),
    "freq_watt": ("opModFreqWatt",),
    "volt_var": ("opModVoltVar",),
    "volt_watt": ("opModVoltWatt",),
    "watt_pf": ("opModWattPF",),
    "watt_var": ("opModWattVar",),
    "hf_may_trip": ("opModHFRTMayTrip",),
    "hf_must_trip": ("opModHFRTMustTrip",),
    "hv_may_trip": ("opModHVRTMayTrip",),
    "hv_momentary_cessation": ("opModHVRTMomentaryCessation",),
    "hv_must_trip": ("opModHVRTMustTrip",),
    "lf_may_trip": ("opModLFRTMayTrip",),
    "lf_must_trip": ("opModLFRTMustTrip",),
    "lv_may_trip": ("opModLVRTMayTrip",),
    "lv_momentary_cessation": ("opModLVRTMomentaryCessation",),
    "lv_must_trip": ("opModLVRTMustTrip",),
}  # fmt: skip
_SITE_MODES: Final[Mapping[str, str]] = {
    "limit_inject": "csipaus:opModExpLimW",
    "limit_absorb": "csipaus:opModImpLimW",
}


def modes_of(operations: Collection[str], at_site: Collection[str] | None = None) -> frozenset[str]:
    """The modes that operations (by name) can carry out; names that no mode needs, or that are not known, add none.

    `at_site`: what all devices at the connection point can do together (None: this one is alone there). Its limits are
    held by whichever device can, so they are every end device's that is known there.
    """
    together = operations if at_site is None else at_site
    own = {mode for operation in operations for mode in _DEVICE_MODES.get(operation, ())}
    if "target_var" not in operations:
        own.discard("opModFixedVar")  # of a setMaxVar that was told, it is carried as so many vars
    shared = (mode for operation, mode in _SITE_MODES.items() if operation in together)
    return frozenset(own) | frozenset(shared)


def operations_for(site: Site, utility: Utility, device: str) -> frozenset[str]:
    """The names of the operations that the utility may have this device carry out, and the device can."""
    known = site.device(device)
    if known is None:
        return frozenset()
    able = profiles.operations_of(known.profile).intersection(utility.operations) - set(known.envelope.forbidden)
    return frozenset(str(operation) for operation in able)
