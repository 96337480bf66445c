"""Modes as the event engine carries them: the name of an element and, as bytes, all that its value needs.

A control names a curve by address; here the curve itself is put into the value, so that what is stored needs nothing
more to be carried out when the utility is away. Knows the wire types, no address, no device and no schedule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import msgspec

from wattseal.protocols.ieee2030_5.der_control import DefaultDERControl, DERControlBase, DERCurve, DERCurveLink
from wattseal.protocols.ieee2030_5.engine.inputs import Setting
from wattseal.protocols.xml_wire import Wire

STRANGER: Final = "?"
"""What stands before the qualified name of a mode that this release does not know: a value without content, so that
the engine answers for it and no device is ever asked for it."""

_DEFAULT_ONLY: Final = (
    "set_es_delay",
    "set_es_high_freq",
    "set_es_high_volt",
    "set_es_low_freq",
    "set_es_low_volt",
    "set_es_ramp_tms",
    "set_es_random_delay",
    "set_grad_w",
    "set_soft_grad_w",
)
_ENCODER: Final = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode: its element's name, the field that holds it, and the type of its value (a curve for curve links)."""

    name: str
    field: str
    type: Any


@cache
def modes() -> Mapping[str, Mode]:
    """Every mode of DERControlBase, and the settings of DefaultDERControl, by name."""
    found = {mode.name: mode for mode in _fields(DERControlBase) if mode.field not in {"ramp_tms", "strangers"}}
    return found | {mode.name: mode for mode in _fields(DefaultDERControl) if mode.field in _DEFAULT_ONLY}


def settings_of(base: DERControlBase, curve_at: Callable[[str], DERCurve | None]) -> tuple[Setting, ...]:
    """The settings of a control, by name. `curve_at` gives the curve at an href as the message has it, None if absent.

    A mode whose curve is not at hand is carried as a stranger: nobody can do what nobody can read.
    """
    found = []
    for mode in modes().values():
        if mode.field in _DEFAULT_ONLY:
            continue
        value = getattr(base, mode.field)
        if value is None:
            continue
        if isinstance(value, DERCurveLink):
            curve = curve_at(value.href)
            if curve is None:
                found.append(Setting(f"{STRANGER}{mode.name}", b""))
                continue
            value = (curve, bool(value.disabled))
        found.append(Setting(mode.name, _ENCODER.encode(value)))
    found += [Setting(f"{STRANGER}{name}", b"") for name in dict.fromkeys(base.strangers)]
    return tuple(sorted(found, key=lambda setting: setting.mode))


def default_settings_of(default: DefaultDERControl, curve_at: Callable[[str], DERCurve | None]) -> tuple[Setting, ...]:
    """The same for a default, with its setES* and gradients."""
    own = [
        Setting(mode.name, _ENCODER.encode(getattr(default, mode.field)))
        for mode in modes().values()
        if mode.field in _DEFAULT_ONLY and getattr(default, mode.field) is not None
    ]
    return tuple(sorted([*own, *settings_of(default.der_control_base, curve_at)], key=lambda setting: setting.mode))


def value_of(mode: str, value: bytes) -> Any:
    """What `settings_of` put into a setting: the wire value; (curve, disabled) for a curve; None for a stranger."""
    if mode.startswith(STRANGER):
        return None
    return msgspec.msgpack.decode(value, type=modes()[mode].type)


def _fields(kind: type[msgspec.Struct]) -> list[Mode]:
    found = []
    for field, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        inner, *extras = get_args(hint)
        place = next((extra for extra in extras if isinstance(extra, Wire)), None)
        if place is None:
            continue
        name = place.path.rstrip("?!*+")
        value = _required(inner)
        found.append(Mode(name, field, tuple[DERCurve, bool] if value is DERCurveLink else value))
    return found


def _required(hint: Any) -> Any:
    """The type without `None`."""
    if get_origin(hint) in {Union, UnionType}:
        return next(part for part in get_args(hint) if part is not type(None))
    return hint
