"""Compiles plans into readers: closures that walk the children of an element once, in the order of the fields.

Each reader takes an element and the list of remarks, and returns the value or raises `ReadError` with the offending
element. Paths are not kept while reading; they are worked out only for what went wrong or was remarked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from lxml import etree

from wattseal.protocols.lexical import Lexical, LexicalError
from wattseal.protocols.xml_document import Element, attribute_names
from wattseal.protocols.xml_plan import Dialect, FieldPlan, Step, element_of, plan_of
from wattseal.protocols.xml_wire import OtherContent

Notes = list[tuple[Element, str]]
Reader = Callable[[Element, Notes], Any]

_XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class ReadError(Exception):
    """Internal to the binding: an element that breaks its type, and a sentence about it."""

    def __init__(self, element: Element, sentence: str) -> None:
        super().__init__(sentence)
        self.element = element
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class _Slot:
    """A field, ready to be read: the tags that may stand there, each with its reader."""

    field: str
    shown: str
    readers: dict[str, Reader]
    least: int
    many: bool


class TableOfReaders:
    """The readers of one dialect's types, compiled on first use."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._readers: dict[type[msgspec.Struct], Reader] = {}

    def reader_of(self, struct: type[msgspec.Struct]) -> Reader:
        """The reader of a type's content and of its attributes."""
        reader = self._readers.get(struct)
        if reader is None:
            reader = self._readers[struct] = self._compile(struct)
        return reader

    def _compile(self, struct: type[msgspec.Struct]) -> Reader:
        plan = plan_of(struct, self._dialect)
        slots = tuple(self._slot(field) for field in plan if not field.attribute)
        attributes = {
            self._dialect.qualified(field.steps[0].name): field for field in plan if field.attribute and field.lexical
        }
        inside: str | None = getattr(struct, "INSIDE", None)
        free = self._dialect.free_attributes.get(struct, frozenset())
        if inside is None:
            return _sequence(struct, slots, attributes, free)
        read = _sequence(struct, slots, attributes, frozenset())
        return _only_child(self._dialect.qualified(inside), inside, read, free)

    def _slot(self, field: FieldPlan) -> _Slot:
        outer, *inner = field.steps
        if field.choice:
            readers = {self._dialect.qualified(element_of(one)): self.reader_of(one) for one in field.choice}
        else:
            reader = self._innermost(field)
            if field.then:
                reader = self._followed(inner[0], reader, field.then)
            else:
                for step in reversed(inner):
                    reader = self._wrapped(step, reader)
            readers = {self._dialect.qualified(outer.name): reader}
        return _Slot(field.name, outer.name, readers, outer.least, outer.many)

    def _innermost(self, field: FieldPlan) -> Reader:
        if field.lexical is not None:
            return _leaf(field.lexical)
        if field.opaque:
            return _opaque
        if field.struct is None:
            raise TypeError(f"{field.name} has no content")
        return self.reader_of(field.struct)

    def _wrapped(self, step: Step, reader: Reader) -> Reader:
        tag = self._dialect.qualified(step.name)
        if step.many:
            return _children(tag, step, reader)
        return _only_child(tag, step.name, reader, optional=step.least == 0)

    def _followed(self, step: Step, reader: Reader, then: str) -> Reader:
        first, second = self._dialect.qualified(step.name), self._dialect.qualified(then)

        def read(element: Element, notes: Notes) -> Any:
            _plain(element)
            children = list(element)
            if len(children) != 2 or children[0].tag != first or children[1].tag != second:  # noqa: PLR2004  a pair
                raise ReadError(element, f"wants {step.name} and then {then}")
            _no_tails(children)
            nil = children[1].get(_XSI_NIL)
            if len(children[1]) or (children[1].text or "").strip() or (nil is None and children[1].keys()):
                notes.append((children[1], "the content of this element is not carried"))
            return reader(children[0], notes)

        return read


def _plain(element: Element, free: frozenset[str] = frozenset()) -> None:
    """Refuses attributes, and text beside child elements."""
    for name in attribute_names(element) if element.keys() else ():
        if name not in free:
            raise ReadError(element, f"has the attribute {name}, which is not allowed here")
    text = element.text
    if text is not None and text.strip(" \t\r\n"):
        raise ReadError(element, "has text where only elements may stand")


def _no_tails(children: list[Element]) -> None:
    for child in children:
        tail = child.tail
        if tail is not None and tail.strip(" \t\r\n"):
            raise ReadError(child, "is followed by text where only elements may stand")


def _leaf(lexical: Lexical[Any]) -> Reader:
    parse, remark = lexical.read, lexical.remark

    def read(element: Element, notes: Notes) -> Any:
        if len(element) or element.keys():
            raise ReadError(element, "may hold nothing but text, without attributes")
        text = element.text or ""
        try:
            value = parse(text)
        except LexicalError as error:
            raise ReadError(element, str(error)) from error
        if remark is not None and (said := remark(text, value)) is not None:
            notes.append((element, said))
        return value

    return read


def _opaque(element: Element, _notes: Notes) -> OtherContent:
    return OtherContent(xml=etree.tostring(element, method="c14n", exclusive=True, with_tail=False))


def _only_child(
    tag: str, shown: str, reader: Reader, free: frozenset[str] = frozenset(), *, optional: bool = False
) -> Reader:
    def read(element: Element, notes: Notes) -> Any:
        _plain(element, free)
        children = list(element)
        if len(children) != 1 or children[0].tag != tag:
            if optional and not children:
                return None
            raise _misfit(element, children, tag, shown)
        _no_tails(children)
        return reader(children[0], notes)

    return read


def _children(tag: str, step: Step, reader: Reader) -> Reader:
    def read(element: Element, notes: Notes) -> tuple[Any, ...]:
        _plain(element)
        children = list(element)
        for child in children:
            if child.tag != tag:
                raise ReadError(child, f"stands where only {step.name} may")
        if len(children) < step.least:
            raise ReadError(element, f"has no {step.name}")
        _no_tails(children)
        return tuple([reader(child, notes) for child in children])

    return read


def _misfit(element: Element, children: list[Element], tag: str, shown: str) -> ReadError:
    for child in children:
        if child.tag != tag:
            return ReadError(child, f"stands where only {shown} may")
    return ReadError(element, f"has {len(children)} {shown} where one must stand")


def _sequence(
    struct: type[msgspec.Struct], slots: tuple[_Slot, ...], attributes: dict[str, FieldPlan], free: frozenset[str]
) -> Reader:
    def read(element: Element, notes: Notes) -> Any:
        values = _attributes(element, attributes, free) if element.keys() else {}
        children = list(element)
        count = len(children)
        index = 0
        for slot in slots:
            reader = slot.readers.get(children[index].tag) if index < count else None
            if reader is None:
                if slot.least:
                    raise _missing(element, children[index:], slot)
                continue
            if not slot.many:
                value = reader(children[index], notes)
                index += 1
            else:
                found = []
                while reader is not None:
                    found.append(reader(children[index], notes))
                    index += 1
                    reader = slot.readers.get(children[index].tag) if index < count else None
                value = tuple(found)
            if value is not None:
                values[slot.field] = value
        if index < count:
            raise ReadError(children[index], _unexpected(children[index], slots))
        _check_content(element, children)
        return struct(**values)

    return read


def _check_content(element: Element, children: list[Element]) -> None:
    text = element.text
    if text is not None and text.strip(" \t\r\n"):
        raise ReadError(element, "has text where only elements may stand")
    _no_tails(children)


def _attributes(element: Element, known: dict[str, FieldPlan], free: frozenset[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in attribute_names(element):
        if name in free:
            continue
        field = known.get(name)
        if field is None or field.lexical is None:
            raise ReadError(element, f"has the attribute {name}, which is not allowed here")
        try:
            values[field.name] = field.lexical.read(element.get(name, ""))
        except LexicalError as error:
            raise ReadError(element, f"attribute {name}: {error}") from error
    return values


def _missing(element: Element, rest: list[Element], slot: _Slot) -> ReadError:
    """The element that should have been there: refused at the one in its place, or at its parent if there is none."""
    if rest:
        return ReadError(rest[0], f"stands where {slot.shown} must")
    return ReadError(element, f"ends without {slot.shown}")


def _unexpected(child: Element, slots: tuple[_Slot, ...]) -> str:
    tag = child.tag
    if any(tag in slot.readers for slot in slots):
        return "is out of order, or stands there too often"
    local = etree.QName(tag).localname
    if any(etree.QName(known).localname == local for slot in slots for known in slot.readers):
        return f"is in the wrong namespace: {etree.QName(tag).namespace}"
    return "is not known here"
