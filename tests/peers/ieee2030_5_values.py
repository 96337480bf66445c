"""Values of any resource type, from its annotations alone: at random for hypothesis, or with every field filled.

Knows the lexical forms by their names, never the codec; so a field that the codec forgets is missed in a comparison.
"""

import typing
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from wattseal.protocols.ieee2030_5.profiles import Profile
from wattseal.protocols.ieee2030_5.vocabulary import Code
from wattseal.protocols.xml_wire import Wire

_TEXT = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")) | st.sampled_from("\t\n\r &<>'\"]")


def _string(most: int) -> st.SearchStrategy[str]:
    return st.text(_TEXT, max_size=most).filter(lambda one: len(one.encode()) <= most)


def _hex(octets: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=1, max_size=octets).map(lambda one: one.hex().upper())


LEXICAL: dict[str, st.SearchStrategy[Any]] = {
    **{f"UInt{bits}": st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 40, 48)},
    **{f"Int{bits}": st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 48)},
    **{f"HexBinary{bits}": st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64)},
    **{f"String{most}": _string(most) for most in (2, 3, 6, 16, 20, 32, 42, 192)},
    "TimeType": st.integers(-(2**63), 2**63 - 1),
    "power of ten multiplier": st.integers(-9, 9),
    "OneHourRangeType": st.integers(-3600, 3600),
    "mRID": _hex(16),
    "LFDI": _hex(20),
    "anyURI": st.sampled_from(("/edev/1?s=0&l=1", "https://utility.example/dcap", "https://[2001:db8::1]:443/x", "")),
}
FIXED: dict[str, Any] = {
    **{f"UInt{bits}": 2**bits - 1 for bits in (8, 16, 32, 40, 48)},
    **{f"Int{bits}": -(2 ** (bits - 1)) for bits in (8, 16, 32, 48)},
    **{f"HexBinary{bits}": 10 for bits in (8, 16, 32, 64)},
    **{f"String{most}": "ab"[:most] for most in (2, 3, 6, 16, 20, 32, 42, 192)},
    "TimeType": 1_795_399_556,
    "power of ten multiplier": -3,
    "OneHourRangeType": -3600,
    "mRID": "0A1B" * 8,
    "LFDI": "3E4F45AB31EDFE5B67E343E5E4562E31984E23E5",
    "anyURI": "/a/b?c=d&e",
}
_CODE_MOST = {"ErrorReason": 65_535}


def _wire_of(hint: Any) -> Wire:
    (one,) = (extra for extra in hint.__metadata__ if isinstance(extra, Wire))
    return one


def _writable(place: Wire, profile: Profile) -> bool:
    return place.path != "*" and (not place.of or place.of in profile.speaks)


def _must(struct: type[msgspec.Struct], name: str, place: Wire, profile: Profile) -> bool:
    required = any(name in fields for kind, fields in profile.requires.items() if kind is struct)
    return required or place.path[-1] not in "?*"


def written_fields(struct: type[msgspec.Struct], profile: Profile) -> dict[str, tuple[Any, Wire]]:
    """The fields that a profile writes: name to what is held and where."""
    hints = typing.get_type_hints(struct, include_extras=True)
    places = {name: (hints[name].__origin__, _wire_of(hints[name])) for name in struct.__struct_fields__}
    return {name: (held, place) for name, (held, place) in places.items() if _writable(place, profile)}


@cache
def values(struct: type[msgspec.Struct], profile: Profile) -> st.SearchStrategy[Any]:
    """Any value of a type that the profile can write."""
    fields = {}
    for name, (held, place) in written_fields(struct, profile).items():
        present = _field(held, place, profile)
        optional = not _must(struct, name, place, profile) and "*" not in place.path
        fields[name] = st.none() | present if optional else present
    return st.builds(struct, **fields)


def _members(held: Any) -> list[Any]:
    return [one for one in (typing.get_args(held) or (held,)) if one is not type(None)]


def _field(held: Any, place: Wire, profile: Profile) -> st.SearchStrategy[Any]:
    if place.lexical is not None:
        return LEXICAL[place.lexical.name]
    if typing.get_origin(held) is tuple:
        (item, _) = typing.get_args(held)
        return st.lists(
            st.deferred(lambda: _one(item, place, profile)), min_size=int("+" in place.path), max_size=2
        ).map(tuple)
    (member,) = _members(held)
    return st.deferred(lambda: _one(member, place, profile))


def _one(member: Any, place: Wire, profile: Profile) -> st.SearchStrategy[Any]:
    if member is bool:
        return st.booleans()
    if member is str:
        return _string(40)
    if issubclass(member, Code):
        return st.sampled_from(member) | st.integers(0, _CODE_MOST.get(member.__name__, 255)).map(member)
    kinds = [one for one in place.by_type if not getattr(one, "OF", "") or one.OF in profile.speaks]
    return st.sampled_from([member, *kinds]).flatmap(lambda kind: values(kind, profile))


def full(struct: type[msgspec.Struct], profile: Profile) -> Any:
    """A value with every field filled that the profile writes, with the extremes of the numbers."""
    return struct(
        **{name: _filled(held, place, profile) for name, (held, place) in written_fields(struct, profile).items()}
    )


def _filled(held: Any, place: Wire, profile: Profile) -> Any:
    if place.lexical is not None:
        return FIXED[place.lexical.name]
    if typing.get_origin(held) is tuple:
        (item, _) = typing.get_args(held)
        return tuple(_filled_one(item, place, profile) for _ in range(2))
    (member,) = _members(held)
    return _filled_one(member, place, profile)


def _filled_one(member: Any, place: Wire, profile: Profile) -> Any:
    if member is bool:
        return True
    if member is str:
        return "A <text> & more\r\n"
    if issubclass(member, Code):
        return max(member)
    kinds = [one for one in place.by_type if not getattr(one, "OF", "") or one.OF in profile.speaks]
    return full(kinds[0] if kinds else member, profile)
