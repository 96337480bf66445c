"""A resource cut to what a profile speaks, because devices may put more than the server's own profile can say.

The codec refuses to write a field of another vocabulary; here it is left out first. Types of another vocabulary are
not touched: they have no route under a profile that does not speak them.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.xml_wire import Wire

S = TypeVar("S", bound=msgspec.Struct)


def tailored(resource: S, profile: Profile) -> S:
    """The same resource, without the fields that the profile does not speak, at any depth."""
    plan = _plan_of(type(resource), profile.speaks)
    changes: dict[str, object] = {}
    for field in plan.unspoken:
        if getattr(resource, field) is not None:
            changes[field] = None
    for field in plan.nested:
        value = getattr(resource, field)
        cut = _cut(value, profile)
        if cut is not value:
            changes[field] = cut
    return msgspec.structs.replace(resource, **changes) if changes else resource


def spoken_fields(kind: type[msgspec.Struct], profile: Profile) -> frozenset[str]:
    """The fields of a type that the profile can write."""
    return _plan_of(kind, profile.speaks).spoken


@dataclass(frozen=True, slots=True)
class _Plan:
    spoken: frozenset[str]
    unspoken: tuple[str, ...]
    nested: tuple[str, ...]


@lru_cache(maxsize=1024)
def _plan_of(kind: type[msgspec.Struct], speaks: frozenset[str]) -> _Plan:
    spoken, unspoken, nested = set(), [], []
    for field, hint in get_type_hints(kind, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        inner, *extras = get_args(hint)
        place = next(extra for extra in extras if isinstance(extra, Wire))
        if place.of and place.of not in speaks:
            unspoken.append(field)
            continue
        spoken.add(field)
        if _holds_structs(inner):
            nested.append(field)
    return _Plan(frozenset(spoken), tuple(unspoken), tuple(nested))


def _holds_structs(hint: object) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return True
    return any(_holds_structs(part) for part in get_args(hint))


def _cut(value: object, profile: Profile) -> object:
    if isinstance(value, msgspec.Struct):
        return tailored(value, profile)
    if isinstance(value, tuple):
        items = tuple(_cut(one, profile) for one in value)
        return value if all(one is other for one, other in zip(items, value, strict=True)) else items
    return value
