"""Compiles plans into tolerant readers, for dialects whose base rule is to accept what can be understood.

Read with a remark: children out of order, unknown elements and attributes, fields of a vocabulary that the dialect does
not speak, an owed field that is missing, another namespace for a known name, an xsi:type that is not followed. Refused:
a text that is not of its type, a required field that is missing, a single field that stands there twice (which of the
two is meant cannot be known), text beside elements. What breaks a field that stands `apart` costs that field or item
only, and is recorded; from `MOST_REFUSED` of them on the whole is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from wattseal.protocols.lexical import XML_SPACE, Lexical, LexicalError
from wattseal.protocols.xml_document import Element, attribute_names
from wattseal.protocols.xml_plan import Dialect, FieldPlan, plan_of
from wattseal.protocols.xml_reading import ReadError

MOST_REFUSED: Final = 64
"""Items that a document may lose before it is refused as a whole; each record costs a path."""

_LONGEST_NAME: Final = 120
_MOST_STRANGERS: Final = 32
_XSI_TYPE: Final = "{http://www.w3.org/2001/XMLSchema-instance}type"
_LEFT_OUT: Final = object()


@dataclass(slots=True)
class Findings:
    """What a reading found: remarks, items left out (with the element at fault), namespaces taken for another."""

    remarks: list[tuple[Element, str]] = field(default_factory=list)
    refused: list[tuple[Element, ReadError]] = field(default_factory=list)
    aliased: set[str] = field(default_factory=set)


TolerantReader = Callable[[Element, Findings], Any]
_Entry = tuple[int, str, TolerantReader, bool, bool]


class TableOfTolerantReaders:
    """The tolerant readers of one dialect's types, compiled on first use."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._readers: dict[type[msgspec.Struct], TolerantReader] = {}

    def reader_of(self, struct: type[msgspec.Struct]) -> TolerantReader:
        """The reader of a type's content and of its attributes."""
        reader = self._readers.get(struct)
        if reader is None:
            reader = self._readers[struct] = self._compile(struct)
        return reader

    def canonical(self, tag: str, element: Element, findings: Findings) -> str | None:
        """The tag that is meant by one of an aliased namespace, remarked once per namespace; None if it has none."""
        namespace, _, local = tag[1:].partition("}") if tag.startswith("{") else ("", "", tag)
        prefix = self._dialect.aliases.get(namespace)
        if prefix is None:
            return None
        own = self._dialect.namespaces[prefix]
        if namespace not in findings.aliased:
            findings.aliased.add(namespace)
            findings.remarks.append((element, f"the namespace {namespace!r} is read as {own!r}"))
        return f"{{{own}}}{local}"

    def _compile(self, struct: type[msgspec.Struct]) -> TolerantReader:
        plan = plan_of(struct, self._dialect)
        attributes = _attributes(struct, plan, self._dialect)
        body = next((one for one in plan if one.text), None)
        if body is not None and body.lexical is not None:
            return _text_with_attributes(struct, body.name, body.lexical, attributes)
        return _sequence(struct, self._children(plan), attributes)

    def _children(self, plan: tuple[FieldPlan, ...]) -> "_Children":
        by_tag: dict[str, _Entry] = {}
        required: list[tuple[str, str]] = []
        owed: list[tuple[str, str]] = []
        repeated: dict[str, int] = {}
        strangers = None
        for place, one in enumerate(plan):
            if one.strangers:
                strangers = one.name
                continue
            if one.attribute:
                continue
            (step,) = one.steps
            if one.many:
                repeated[one.name] = one.most
            by_tag[self._dialect.qualified(step.name)] = (place, one.name, self._reader(one), one.many, one.apart)
            if step.least:
                required.append((one.name, step.name))
            elif one.owed:
                owed.append((one.name, step.name))
        return _Children(by_tag, tuple(required), tuple(owed), repeated, strangers, self.canonical)

    def _reader(self, one: FieldPlan) -> TolerantReader:
        if one.lexical is not None:
            reader = _leaf(one.lexical)
        elif one.struct is None:
            raise TypeError(f"{one.name} has no content that is read tolerantly")
        elif one.by_type:
            reader = self._by_type(one.struct, {kind.__name__: kind for kind in one.by_type})
        else:
            reader = self.reader_of(one.struct)
        return _foreign(reader, one.foreign) if one.foreign else reader

    def _by_type(self, plain: type[msgspec.Struct], kinds: Mapping[str, type[msgspec.Struct]]) -> TolerantReader:
        """The reader that xsi:type chooses; its prefix is not judged. Compiled when met."""

        def read(element: Element, findings: Findings) -> Any:
            named = element.get(_XSI_TYPE)
            kind = plain if named is None else kinds.get(_local(named), plain)
            return self.reader_of(kind)(element, findings)

        return read


@dataclass(frozen=True, slots=True)
class _Children:
    """The children of a type: tag to (place, field, reader, many, apart); what must or should be there; how often."""

    by_tag: dict[str, _Entry]
    required: tuple[tuple[str, str], ...]
    owed: tuple[tuple[str, str], ...]
    repeated: dict[str, int]
    strangers: str | None
    canonical: Callable[[str, Element, Findings], str | None]

    def stray(self, child: Element, values: dict[str, Any], findings: Findings) -> _Entry | None:
        """What a child with an unexpected tag is after all; None when it is not carried."""
        meant = self.canonical(child.tag, child, findings)
        entry = self.by_tag.get(meant) if meant is not None else None
        if entry is None:
            findings.remarks.append((child, "is not known here and not carried"))
            if self.strangers is not None:
                names = values.setdefault(self.strangers, [])
                if len(names) < _MOST_STRANGERS:
                    names.append(str(child.tag)[:_LONGEST_NAME])
        return entry


@dataclass(frozen=True, slots=True)
class _Attributes:
    """The attributes of a type; `expected`: one of them must or should be there."""

    read: Callable[[Element, Findings], dict[str, Any]]
    expected: bool


def _sequence(struct: type[msgspec.Struct], children: _Children, attributes: _Attributes) -> TolerantReader:
    entry_of, required, owed, strangers = children.by_tag.get, children.required, children.owed, children.strangers
    repeated = tuple(children.repeated.items())

    def read(element: Element, findings: Findings) -> Any:
        values = attributes.read(element, findings) if attributes.expected or element.keys() else {}
        text = element.text
        if text is not None:
            _no_text(text, element)
        reached = -1
        for child in element:
            entry = entry_of(child.tag) or children.stray(child, values, findings)
            if entry is None:
                continue
            place, name, reader, many, apart = entry
            if place < reached:
                findings.remarks.append((child, "is out of order"))
            else:
                reached = place
            if name in values and not many:
                raise ReadError(child, "stands there more than once")
            value = _read_apart(reader, child, findings) if apart else reader(child, findings)
            if value is _LEFT_OUT:
                continue
            if many:
                values.setdefault(name, []).append(value)
            else:
                values[name] = value
            tail = child.tail
            if tail is not None:
                _no_text(tail, child)
        for name, shown in required:
            if name not in values:
                raise ReadError(element, f"has no {shown}")
        for name, shown in owed:
            if name not in values:
                findings.remarks.append((element, f"has no {shown}, which must be there"))
        for name, most in repeated:
            if name in values:
                values[name] = tuple(values[name])
                if most and len(values[name]) > most:
                    raise ReadError(element, f"has {len(values[name])} {name} where at most {most} may stand")
        if strangers is not None and strangers in values:
            values[strangers] = tuple(values[strangers])
        return struct(**values)

    return read


def _read_apart(reader: TolerantReader, child: Element, findings: Findings) -> Any:
    try:
        return reader(child, findings)
    except ReadError as error:
        if len(findings.refused) >= MOST_REFUSED:
            raise
        findings.refused.append((child, error))
        return _LEFT_OUT


def _no_text(text: str | None, element: Element) -> None:
    if text is not None and text.strip(XML_SPACE):
        raise ReadError(element, "has text where only elements may stand")


def _leaf(lexical: Lexical[Any]) -> TolerantReader:
    parse, remark = lexical.read, lexical.remark

    def read(element: Element, findings: Findings) -> Any:
        if len(element):
            raise ReadError(element, "may hold nothing but text")
        if element.keys():
            for name in attribute_names(element):
                findings.remarks.append((element, f"the attribute {name[:_LONGEST_NAME]} is not known here"))
        text = element.text or ""
        try:
            value = parse(text)
        except LexicalError as error:
            raise ReadError(element, str(error)) from error
        if remark is not None and (said := remark(text, value)) is not None:
            findings.remarks.append((element, said))
        return value

    return read


def _text_with_attributes(
    struct: type[msgspec.Struct], name: str, lexical: Lexical[Any], attributes: _Attributes
) -> TolerantReader:
    def read(element: Element, findings: Findings) -> Any:
        values = attributes.read(element, findings)
        if len(element):
            raise ReadError(element, "may hold nothing but text")
        try:
            values[name] = lexical.read(element.text or "")
        except LexicalError as error:
            raise ReadError(element, str(error)) from error
        return struct(**values)

    return read


def _foreign(reader: TolerantReader, vocabulary: str) -> TolerantReader:
    def read(element: Element, findings: Findings) -> Any:
        findings.remarks.append((element, f"belongs to {vocabulary}, not to the profile in use"))
        return reader(element, findings)

    return read


def _attributes(struct: type[msgspec.Struct], plan: tuple[FieldPlan, ...], dialect: Dialect) -> _Attributes:
    known = {
        dialect.attribute_name(one.steps[0].name): (one.name, one.lexical, one.foreign)
        for one in plan
        if one.attribute and one.lexical is not None
    }
    missing = [(one.name, one.steps[0].name, not one.optional) for one in plan if one.attribute and _due(one)]
    free = dialect.free_attributes.get(struct, frozenset())
    own_type = struct.__name__

    def read(element: Element, findings: Findings) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, text in element.items():
            entry = known.get(str(name))
            if entry is None:
                if name not in free and not (name == _XSI_TYPE and _local(str(text)) == own_type):
                    findings.remarks.append((element, f"the attribute {str(name)[:_LONGEST_NAME]} is not known here"))
                continue
            values[entry[0]] = _attribute(element, str(name), str(text), entry[1])
            if entry[2]:
                findings.remarks.append((element, f"the attribute {name!s} belongs to {entry[2]}"))
        for name, shown, required in missing:
            if name not in values:
                if required:
                    raise ReadError(element, f"has no attribute {shown}")
                findings.remarks.append((element, f"has no attribute {shown}, which must be there"))
        return values

    return _Attributes(read, expected=bool(missing))


def _due(one: FieldPlan) -> bool:
    return one.owed or not one.optional


def _attribute(element: Element, name: str, text: str, lexical: Lexical[Any]) -> Any:
    try:
        return lexical.read(text)
    except LexicalError as error:
        raise ReadError(element, f"attribute {name[:_LONGEST_NAME]}: {error}") from error


def _local(name: str) -> str:
    """The local part of a qualified name as xsi:type holds it."""
    return name.strip(XML_SPACE).rpartition(":")[2]
