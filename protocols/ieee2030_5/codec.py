"""Bytes to resource and back: strict in what is written, tolerant in what is read, as IEEE 2030.5 wants clients to be.

Written: fields in the order of the schema, required ones present, only what the profile speaks, upper-case hexadecimal.
Read besides, each with a note: another order, unknown elements and attributes, a missing field without which the
resource still says something, fields of another edition, the namespaces of drafts and of another CSIP-AUS version. A
list item or a link that breaks its type is left out and recorded in `Document.left_out`, because one bad control must
not cost the others; a client can answer for it. A message that breaks its own type is refused with the path.

Refused although a schema allows it: powers of ten beyond 9, randomisation beyond an hour, a single element that stands
there twice.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar

import msgspec

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.errors import UnexpectedResourceError, UnknownResourceError
from wattseal.protocols.ieee2030_5.lexicals import coded
from wattseal.protocols.ieee2030_5.profiles import (
    AUS_1_3_NAMESPACE,
    AUS_BETA_NAMESPACES,
    AUS_NAMESPACE,
    DRAFT_NAMESPACES,
    NAMESPACE,
    PROFILES,
    Profile,
)
from wattseal.protocols.ieee2030_5.resources import RESOURCE_TYPES
from wattseal.protocols.ieee2030_5.vocabulary import UINT16_CODES, Code
from wattseal.protocols.xml_binding import Binding, BindingError, LeftOut, Note, path_of
from wattseal.protocols.xml_document import DEFAULT_LIMITS, Element, Limits, XmlRefusedError, parse_document
from wattseal.protocols.xml_plan import Dialect

__all__ = [
    "DEFAULT_LIMITS",
    "BindingError",
    "Document",
    "LeftOutItem",
    "Limits",
    "Note",
    "UnexpectedResourceError",
    "UnknownResourceError",
    "XmlRefusedError",
    "decode",
    "decode_as",
    "encode",
]

R_co = TypeVar("R_co", bound=msgspec.Struct, covariant=True)
K = TypeVar("K", bound=msgspec.Struct)

_SCHEMA_VERSION: Final = "schemaVer"
_SCHEMA_LOCATION: Final = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_UINT8_MOST: Final = 255
_UINT16_MOST: Final = 65_535
_LONGEST_TEXT: Final = 256


@dataclass(frozen=True, slots=True)
class LeftOutItem:
    """An element that was left out of a resource: its name, where and how it broke, and what is needed to answer.

    `mrid` (upper case), `href`, `reply_to` and `response_required` (hexadecimal) are as far as they could be read.
    """

    name: str
    path: str
    sentence: str
    mrid: str | None = None
    href: str | None = None
    reply_to: str | None = None
    response_required: str | None = None


@dataclass(frozen=True, slots=True)
class Document(Generic[R_co]):
    """A resource as it came. `schema_version` is that of the root's attribute, None where there was none."""

    resource: R_co
    notes: tuple[Note, ...] = ()
    left_out: tuple[LeftOutItem, ...] = ()
    schema_version: str | None = None


def decode(data: bytes, profile: Profile, *, limits: Limits = DEFAULT_LIMITS) -> Document[msgspec.Struct]:
    """The resource in a document.

    Raises XmlRefusedError (malformed_xml, oversized, dtd_forbidden, too_deep, too_many_nodes, encoding),
    UnknownResourceError (unknown_resource) and BindingError (schema_violation); the last two with `path`.
    """
    root = parse_document(data, limits)
    speech = _speech_of(profile.name)
    reading = speech.binding.read_tolerantly(speech.types, root)
    if reading is None:
        raise UnknownResourceError(path_of(root), str(root.tag))
    notes = reading.notes
    of = getattr(reading.value, "OF", "")
    if of and of not in profile.speaks:
        notes = (Note(path_of(root), f"belongs to {of}, not to the profile in use"), *notes)
    version = root.get(_SCHEMA_VERSION)
    return Document(
        reading.value,
        notes,
        tuple(_left_out(one) for one in reading.left_out),
        None if version is None else version[:_LONGEST_TEXT],
    )


def decode_as(kind: type[K], data: bytes, profile: Profile, *, limits: Limits = DEFAULT_LIMITS) -> Document[K]:
    """As `decode`, for a resource of one kind. Raises besides UnexpectedResourceError (unexpected_resource)."""
    document = decode(data, profile, limits=limits)
    resource = document.resource
    if not isinstance(resource, kind):
        found = type(resource).__name__
        raise UnexpectedResourceError(f"/{found}", found, kind.__name__)
    return Document(resource, document.notes, document.left_out, document.schema_version)


def encode(resource: msgspec.Struct, profile: Profile) -> bytes:
    """The document of a resource in UTF-8, as the profile writes it.

    Raises MisuseError (unencodable_message) when a field holds what the wire cannot carry or the profile does not
    speak, or when a required one is missing.
    """
    kind = type(resource)
    if kind not in RESOURCE_TYPES:
        raise MisuseError("unencodable_message", f"A {kind.__name__} is no resource that may be a document.")
    of = getattr(kind, "OF", "")
    if of and of not in profile.speaks:
        raise MisuseError(
            "unencodable_message", f"A {kind.__name__} belongs to {of}, which {profile.name} does not speak."
        )
    speech = _speech_of(profile.name)
    out = ['<?xml version="1.0" encoding="UTF-8"?>\n']
    speech.binding.write_element(resource, _element_name(kind), speech.declared, out)
    return "".join(out).encode("utf-8")


@dataclass(frozen=True, slots=True)
class _Speech:
    """A profile, ready for use: tables, types by tag, and what every root declares."""

    binding: Binding
    types: dict[str, type[msgspec.Struct]]
    declared: str


@lru_cache(maxsize=len(PROFILES))
def _speech_of(name: str) -> _Speech:
    profile = PROFILES[name]
    aus = profile.aus_namespace or AUS_1_3_NAMESPACE
    others = {one: "csipaus" for one in (AUS_NAMESPACE, AUS_1_3_NAMESPACE, *AUS_BETA_NAMESPACES) if one != aus}
    dialect = Dialect(
        namespaces={"": NAMESPACE, "csipaus": aus},
        lexicals={code: coded(code, _UINT16_MOST if code in UINT16_CODES else _UINT8_MOST) for code in _codes()},
        extension=str,
        free_attributes=dict.fromkeys(RESOURCE_TYPES, frozenset({_SCHEMA_VERSION, _SCHEMA_LOCATION})),
        speaks=profile.speaks,
        owes=profile.requires,
        aliases=dict.fromkeys(("", *DRAFT_NAMESPACES), "") | others,
    )
    declared = f' xmlns="{NAMESPACE}"'
    if profile.aus_namespace is not None:
        declared += f' xmlns:csipaus="{profile.aus_namespace}"'
    if profile.schema_version is not None:
        declared += f' {_SCHEMA_VERSION}="{profile.schema_version}"'
    types = {dialect.qualified(_element_name(kind)): kind for kind in RESOURCE_TYPES}
    return _Speech(Binding(dialect), types, declared)


def _codes() -> list[type[Code]]:
    return Code.__subclasses__()


def _element_name(kind: type[msgspec.Struct]) -> str:
    name: str = getattr(kind, "ELEMENT", kind.__name__)
    return name


def _left_out(one: LeftOut) -> LeftOutItem:
    item = one.item
    return LeftOutItem(
        name=str(item.tag).rpartition("}")[2][:_LONGEST_TEXT],
        path=one.path,
        sentence=one.sentence,
        mrid=_mrid_of(item),
        href=_short(item.get("href")),
        reply_to=_short(item.get("replyTo")),
        response_required=_short(item.get("responseRequired")),
    )


def _mrid_of(item: Element) -> str | None:
    for child in item:
        if str(child.tag).rpartition("}")[2] == "mRID":
            text = _short(child.text)
            return None if text is None else text.strip().upper()
    return None


def _short(text: str | None) -> str | None:
    """A text of a stranger, if it is of sane length."""
    return text if text is not None and len(text) <= _LONGEST_TEXT else None
