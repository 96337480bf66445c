"""Bytes to message and back: the envelope of OpenADR 2.0b around the tables of the binding.

Lenient in exactly these points, because peers in the field differ, and each is noted in the payload: a bare message
without oadrPayload; a signature after the signed object; schemaVersion 2.0a or none; xsi:schemaLocation on the root
(rule 45); times without ``Z``; odd durations; content of xcal:components. Everything else that the schema refuses is
refused, with the path.

Refused although the schema allows it: NaN, INF and numbers beyond a 32-bit float or 64 characters; durations beyond a
hundred years and years before 1; strings beyond 16,384 characters; xsi:type; in events, a second signalPayload in an
interval or a payload that is no payloadFloat; signalPayload in a report. Carried without being understood: Green Button
feeds. Not checked: that a currency code is on the ISO list, that gml:id is unique.

A signature is only seen here, never checked: `Payload.signed` says that one stood there, nothing more. What hangs in
its ds:Object elements is not looked at, except that no message may hide in it.
"""

from dataclasses import dataclass
from typing import Final

from lxml import etree

from wattseal.certs.errors import MisuseError
from wattseal.protocols import xml_document
from wattseal.protocols.lexical import NAME, LexicalError
from wattseal.protocols.openadr20b.duration import DURATION, Duration
from wattseal.protocols.openadr20b.errors import SchemaError, XmlRefusedError
from wattseal.protocols.openadr20b.messages import MESSAGE_TYPES, Message
from wattseal.protocols.openadr20b.namespaces import DS, NAMESPACES, XSI
from wattseal.protocols.openadr20b.vocabulary import ExtensionToken, ResponseCode
from wattseal.protocols.xml_binding import Binding, BindingError, Note, path_of
from wattseal.protocols.xml_document import DEFAULT_LIMITS, Element, Limits, attribute_names
from wattseal.protocols.xml_plan import Dialect

__all__ = ["DEFAULT_LIMITS", "Limits", "Note", "Payload", "SchemaError", "XmlRefusedError", "decode", "encode"]

SIGNED_OBJECT_ID: Final = "oadrSignedObject"
"""The oadr:Id that `encode` gives the signed object, for a signature to refer to."""

_VERSION: Final = "2.0b"
_SCHEMA_VERSION: Final = f"{{{NAMESPACES['ei']}}}schemaVersion"
_SCHEMA_LOCATION: Final = f"{{{XSI}}}schemaLocation"
_PAYLOAD: Final = f"{{{NAMESPACES['oadr']}}}oadrPayload"
_SIGNED_OBJECT: Final = f"{{{NAMESPACES['oadr']}}}oadrSignedObject"
_OBJECT_ID: Final = f"{{{NAMESPACES['oadr']}}}Id"
_SIGNATURE: Final = f"{{{DS}}}Signature"

_DIALECT: Final = Dialect(
    namespaces=NAMESPACES,
    lexicals={Duration: DURATION},
    extension=ExtensionToken,
    free_attributes={message: frozenset({_SCHEMA_VERSION, _SCHEMA_LOCATION}) for message in MESSAGE_TYPES},
)
_BINDING: Final = Binding(_DIALECT)
_TYPE_OF_TAG: Final[dict[str, type[Message]]] = {_DIALECT.qualified(one.ELEMENT): one for one in MESSAGE_TYPES}

_HEAD: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<oadr:oadrPayload'
    + "".join(f' xmlns:{prefix}="{namespace}"' for prefix, namespace in NAMESPACES.items())
    + f'><oadr:oadrSignedObject oadr:Id="{SIGNED_OBJECT_ID}">'
)
_TAIL: Final = "</oadr:oadrSignedObject></oadr:oadrPayload>"
_LONGEST_ID: Final = 256
_MESSAGE_LEVEL: Final = ("oadr", "eiCreatedEvent", "eiRequestEvent")


@dataclass(frozen=True, slots=True)
class Payload:
    """A message as it came. `wrapped`: oadrPayload was around it. `signed`: a signature stood beside it, *unchecked*.

    `notes` are the points in which the document was read leniently.
    """

    message: Message
    wrapped: bool
    signed: bool
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class _Envelope:
    message: Element
    wrapped: bool
    signed: bool
    notes: tuple[Note, ...]


class _EnvelopeError(Exception):
    """Internal: an envelope that breaks the schema, or a message type that is not known."""

    def __init__(self, element: Element, sentence: str, code: ResponseCode) -> None:
        super().__init__(sentence)
        self.element = element
        self.sentence = sentence
        self.code = code


def decode(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Payload:
    """The message in a document, wrapped or bare, signed or not.

    Raises XmlRefusedError (malformed_xml, oversized, dtd_forbidden, too_deep, too_many_nodes, encoding) and
    SchemaError (schema_violation, with `path`); both carry the response code to send back.
    """
    try:
        root = xml_document.parse_document(data, limits)
    except xml_document.XmlRefusedError as error:
        raise XmlRefusedError(error.reason, error.sentence) from error
    try:
        envelope = _opened(root)
        kind = _kind_of(envelope.message)
        version_notes = _version_notes(envelope.message)
        message, notes = _BINDING.read(kind, envelope.message)
    except _EnvelopeError as error:
        path = path_of(error.element)
        raise SchemaError(path, error.sentence, error.code, *_identifiers(root)) from error
    except BindingError as error:
        sentence = error.sentence.removeprefix(f"{error.path}: ")
        raise SchemaError(error.path, sentence, ResponseCode.INVALID_DATA, *_identifiers(root)) from error
    return Payload(message, envelope.wrapped, envelope.signed, envelope.notes + version_notes + notes)


def encode(message: Message) -> bytes:
    """The document of a message: wrapped, unsigned, UTF-8, all namespaces on the root, schemaVersion 2.0b.

    Raises MisuseError (unencodable_message) when a field holds what the wire cannot carry.
    """
    if type(message) not in MESSAGE_TYPES:
        raise MisuseError("unencodable_message", f"A {type(message).__name__} is no message of OpenADR 2.0b.")
    out = [_HEAD, f'<{message.ELEMENT} ei:schemaVersion="{_VERSION}">']
    _BINDING.write(message, out)
    out.append(f"</{message.ELEMENT}>")
    out.append(_TAIL)
    return "".join(out).encode("utf-8")


def _opened(root: Element) -> _Envelope:
    """The message element, out of its envelope if it has one."""
    notes: list[Note] = []
    if root.get(_SCHEMA_LOCATION) is not None:
        notes.append(Note(path_of(root), "xsi:schemaLocation is forbidden on the wire (rule 45)"))
    if root.tag != _PAYLOAD:
        return _Envelope(root, wrapped=False, signed=False, notes=tuple(notes))
    _check_bare(root, frozenset({_SCHEMA_LOCATION}))
    children = list(root)
    signatures = [child for child in children if child.tag == _SIGNATURE]
    objects = [child for child in children if child.tag == _SIGNED_OBJECT]
    for child in children:
        if child.tag not in {_SIGNATURE, _SIGNED_OBJECT}:
            raise _EnvelopeError(child, "is not known here", ResponseCode.COMPLIANCE_ERROR)
    if len(objects) != 1 or len(signatures) > 1:
        sentence = f"holds {len(objects)} oadrSignedObject and {len(signatures)} Signature; wants one and at most one"
        raise _EnvelopeError(root, sentence, ResponseCode.COMPLIANCE_ERROR)
    for signature in signatures:
        for hidden in signature.iter(_SIGNED_OBJECT, _PAYLOAD, *_TYPE_OF_TAG):
            raise _EnvelopeError(hidden, "hides in the signature", ResponseCode.COMPLIANCE_ERROR)
        if children.index(signature) > children.index(objects[0]):
            notes.append(Note(path_of(signature), "the signature stands after the signed object"))
    _check_bare(objects[0], frozenset({_OBJECT_ID}))
    _check_object_id(objects[0])
    if len(objects[0]) != 1:
        sentence = f"holds {len(objects[0])} messages where one must stand"
        raise _EnvelopeError(objects[0], sentence, ResponseCode.COMPLIANCE_ERROR)
    return _Envelope(objects[0][0], wrapped=True, signed=bool(signatures), notes=tuple(notes))


def _check_bare(element: Element, allowed: frozenset[str]) -> None:
    """No attribute but the allowed ones, no text beside the children."""
    for name in attribute_names(element):
        if name not in allowed:
            raise _EnvelopeError(element, f"has the attribute {name[:_LONGEST_ID]}", ResponseCode.COMPLIANCE_ERROR)
    for text in (element.text, *(child.tail for child in element)):
        if text is not None and text.strip(" \t\r\n"):
            raise _EnvelopeError(element, "has text where only elements may stand", ResponseCode.COMPLIANCE_ERROR)


def _check_object_id(element: Element) -> None:
    """A signature refers to the signed object by this name: it must be one."""
    try:
        NAME.read(element.get(_OBJECT_ID, SIGNED_OBJECT_ID))
    except LexicalError as error:
        raise _EnvelopeError(element, f"attribute oadr:Id: {error}", ResponseCode.COMPLIANCE_ERROR) from error


def _kind_of(element: Element) -> type[Message]:
    kind = _TYPE_OF_TAG.get(element.tag)
    if kind is None:
        raise _EnvelopeError(element, "is no message of OpenADR 2.0b", ResponseCode.INVALID_DATA)
    return kind


def _version_notes(element: Element) -> tuple[Note, ...]:
    version = element.get(_SCHEMA_VERSION)
    if version == _VERSION:
        return ()
    if version not in {None, "2.0a"}:
        raise _EnvelopeError(element, f"has schemaVersion {version[:40]!r}, not 2.0b", ResponseCode.COMPLIANCE_ERROR)
    return (Note(path_of(element), "no schemaVersion" if version is None else f"schemaVersion {version}"),)


def _identifiers(root: Element) -> tuple[str | None, str | None]:
    """The requestID and venID of a message that was refused, as far as they can be read and are of sane length.

    Those of the message itself come first; a requestID that answers another may stand in for one that is missing.
    """
    requests = list(root.iter(f"{{{NAMESPACES['pyld']}}}requestID"))
    own = [one for one in requests if _belongs_to_message(one)]
    vens = [one for one in root.iter(f"{{{NAMESPACES['ei']}}}venID") if _belongs_to_message(one)]
    return _first_text(own + requests), _first_text(vens)


def _belongs_to_message(element: Element) -> bool:
    """Whether an identifier stands in the message itself, not in a target, an answer or a response."""
    parent = element.getparent()
    return parent is not None and etree.QName(parent).localname.startswith(_MESSAGE_LEVEL)


def _first_text(elements: list[Element]) -> str | None:
    for element in elements:
        if not len(element) and element.text and len(element.text) <= _LONGEST_ID:
            return element.text
    return None
