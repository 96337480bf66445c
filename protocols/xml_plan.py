"""From an annotated message type to a plan of its fields: which elements, how often, of what kind.

Done once per type; the binding turns plans into readers and writers. Knows no dialect: prefixes, the lexical forms of a
dialect's own types and its extension token come in a `Dialect`.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from wattseal.protocols.lexical import (
    BOOLEAN,
    DATE_TIME,
    FLOAT,
    TEXT,
    UNSIGNED_INT,
    Lexical,
    token_of,
    token_or_extension,
)
from wattseal.protocols.xml_wire import OtherContent, Wire

_BUILT_IN: Final[dict[type, Lexical[Any]]] = {
    str: TEXT,
    bool: BOOLEAN,
    int: UNSIGNED_INT,
    Decimal: FLOAT,
    datetime: DATE_TIME,
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a dialect adds: prefixes, lexical forms by Python type, the type of its extension tokens.

    `free_attributes` are the qualified names of attributes that the elements of a type may bear beside the fields.
    `speaks` are the vocabularies whose fields are written; `owes` the optional fields that must be written all the
    same, by type. `aliases` are namespaces that a tolerant reader takes for that of the prefix beside them.
    """

    namespaces: Mapping[str, str]
    lexicals: Mapping[type, Lexical[Any]]
    extension: type[str]
    free_attributes: Mapping[type[msgspec.Struct], frozenset[str]]
    speaks: frozenset[str] = frozenset()
    owes: Mapping[type[msgspec.Struct], frozenset[str]] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    def qualified(self, name: str) -> str:
        """``ei:venID`` as ``{namespace}venID``; without a prefix the namespace is that of the empty prefix."""
        prefix, _, local = name.rpartition(":")
        return f"{{{self.namespaces[prefix]}}}{local}"

    def attribute_name(self, name: str) -> str:
        """The qualified name of an attribute; without a prefix it stands in no namespace."""
        return self.qualified(name) if ":" in name else name


@dataclass(frozen=True, slots=True)
class Step:
    """One element of a path: its prefixed name, and the least and the greatest number of times it may occur."""

    name: str
    least: int
    many: bool


@dataclass(frozen=True, slots=True)
class FieldPlan:
    """One field. Exactly one of `lexical`, `struct`, `choice` and `opaque` says what the innermost element holds.

    `by_type` are further structs that xsi:type may name in place of `struct`. `text`: the field is the text of the
    element itself; `strangers`: it holds the names of unknown children. `foreign` names the vocabulary of the field
    where the dialect does not speak it; `owed`: absent only when read.
    """

    name: str
    steps: tuple[Step, ...]
    optional: bool
    many: bool
    attribute: bool = False
    lexical: Lexical[Any] | None = None
    struct: type[msgspec.Struct] | None = None
    choice: tuple[type[msgspec.Struct], ...] = ()
    opaque: bool = False
    then: str = ""
    by_type: tuple[type[msgspec.Struct], ...] = ()
    most: int = 0
    text: bool = False
    strangers: bool = False
    apart: bool = False
    owed: bool = False
    foreign: str = ""


def element_of(struct: type[msgspec.Struct]) -> str:
    """The prefixed name of the element that a member of a choice stands in."""
    name: object = getattr(struct, "ELEMENT", None)
    if not isinstance(name, str):
        raise TypeError(f"{struct.__name__} stands in a choice and names no ELEMENT")
    return name


def plan_of(struct: type[msgspec.Struct], dialect: Dialect) -> tuple[FieldPlan, ...]:
    """The fields of a message type in wire order. Raises TypeError when annotation and path contradict each other."""
    hints = typing.get_type_hints(struct, include_extras=True)
    return tuple(_field(struct, name, hints[name], dialect) for name in struct.__struct_fields__)


def _field(struct: type[msgspec.Struct], name: str, hint: Any, dialect: Dialect) -> FieldPlan:
    place = f"{struct.__name__}.{name}"
    wires = [extra for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Wire)]
    if len(wires) != 1:
        raise TypeError(f"{place} has no wire path")
    wire, held = wires[0], hint.__origin__
    if wire.path == "*":
        return FieldPlan(name, (), optional=False, many=False, strangers=True)
    attribute = wire.path.startswith("@")
    steps = tuple(_step(text) for text in wire.path.removeprefix("@").split("/"))
    members = _members(held)
    optional = type(None) in members
    members = tuple(member for member in members if member is not type(None))
    many = len(members) == 1 and typing.get_origin(members[0]) is tuple and wire.lexical is None
    if many:
        members = _members(typing.get_args(members[0])[0])
    if many != any(step.many for step in steps) or (not many and optional != any(step.least == 0 for step in steps)):
        raise TypeError(f"{place} is typed otherwise than its path {wire.path} says")
    held_as = _held(place, members, wire, dialect)
    return FieldPlan(
        name,
        steps,
        optional,
        many,
        attribute,
        then=wire.then,
        by_type=wire.by_type,
        most=wire.most,
        text=wire.path == ".",
        apart=wire.apart,
        owed=wire.path.endswith("!") or name in dialect.owes.get(struct, ()),
        foreign="" if wire.of in dialect.speaks else wire.of,
        **held_as,
    )


def _step(text: str) -> Step:
    mark = text[-1]
    return Step(text.rstrip("?*+!"), 0 if mark in "?*!" else 1, mark in "*+")


def _members(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        return typing.get_args(hint)
    return (hint,)


def _held(place: str, members: tuple[Any, ...], wire: Wire, dialect: Dialect) -> dict[str, Any]:
    if wire.lexical is not None:
        return {"lexical": wire.lexical}
    words = [member for member in members if issubclass(member, StrEnum)]
    if words:
        extensible = dialect.extension in members
        return {"lexical": token_or_extension(words[0], dialect.extension) if extensible else token_of(words[0])}
    if len(members) > 1:
        return {"choice": members}
    (member,) = members
    if member is OtherContent:
        return {"opaque": True}
    lexical = dialect.lexicals.get(member) or _BUILT_IN.get(member)
    if lexical is not None:
        return {"lexical": lexical}
    if issubclass(member, msgspec.Struct):
        return {"struct": member}
    raise TypeError(f"{place} holds {member!r}, for which there is no lexical form")
