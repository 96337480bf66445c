"""Compiles plans into readers: closures that walk the children of an element once, in the order of the fields.

Each reader takes an element and the list of remarks, and returns the value or raises `ReadError` with the offending
element. Paths are not kept while reading; they are worked out only for what went wrong or was remarked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from lxml import etree

from wattseal.protocols.lexical import XML_SPACE, Lexical, LexicalError
from wattseal.protocols.xml_document import Element, attribute_names
from wattseal.protocols.xml_plan import Dialect, FieldPlan, Step, element_of, plan_of
from wattseal.protocols.xml_wire import OtherContent

Notes = list[tuple[Element, str]]
Reader = Callable[[Element, Notes], Any]

_LONGEST_NAME = 120
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
            self._dialect.attribute_name(field.steps[0].name): field
            for field in plan
            if field.attribute and field.lexical
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
            raise ReadError(element, f"has the attribute {name[:_LONGEST_NAME]}, which is not allowed here")
    text = element.text
    if text is not None and text.strip(XML_SPACE):
        raise ReadError(element, "has text where only elements may stand")


def _no_tails(children: list[Element]) -> None:
    for child in children:
        tail = child.tail
        if tail is not None and tail.strip(XML_SPACE):
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


def _opaque(element: Element, notes: Notes) -> OtherContent:
    notes.append((element, "this element is carried but not understood"))
    return OtherContent(xml=etree.tostring(element, method="c14n", exclusive=True, with_tail=False))


def _only_child(
    tag: str, shown: str, reader: Reader, free: frozenset[str] = frozenset(), *, optional: bool = False
) -> Reader:
    def read(element: Element, notes: Notes) -> Any:
        if element.keys():
            _plain(element, free)
        text = element.text
        if text is not None and text.strip(XML_SPACE):
            raise ReadError(element, "has text where only elements may stand")
        count = len(element)
        if optional and not count:
            return None
        if count != 1 or (child := element[0]).tag != tag:
            raise _misfit(element, list(element), tag, shown)
        tail = child.tail
        if tail is not None and tail.strip(XML_SPACE):
            raise ReadError(child, "is followed by text where only elements may stand")
        return reader(child, notes)

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


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The slots of a type as tables: tag to (place, field, reader, many), and from each place the next required one."""

    by_tag: dict[str, tuple[int, str, Reader, bool]]
    next_required: tuple[int, ...]
    slots: tuple[_Slot, ...]
    repeated: tuple[str, ...]

    @classmethod
    def of(cls, slots: tuple[_Slot, ...]) -> "_Sequence":
        by_tag = {
            tag: (place, slot.field, reader, slot.many)
            for place, slot in enumerate(slots)
            for tag, reader in slot.readers.items()
        }
        following = [len(slots)]
        for place in range(len(slots) - 1, -1, -1):
            following.append(place if slots[place].least else following[-1])
        return cls(by_tag, tuple(reversed(following)), slots, tuple(slot.field for slot in slots if slot.many))

    def refusal(self, element: Element, child: Element | None, place: int) -> ReadError:
        """Why a child, or the end of the children, may not follow the slot at `place`."""
        required = self.next_required[place + 1]
        if child is None:
            return ReadError(element, f"ends without {self.slots[required].shown}")
        entry = self.by_tag.get(child.tag)
        if entry is None:
            return ReadError(child, _unexpected(child, self.slots))
        if entry[0] <= place:
            return ReadError(child, "is out of order, or stands there too often")
        return ReadError(child, f"stands where {self.slots[required].shown} must")


def _sequence(
    struct: type[msgspec.Struct], slots: tuple[_Slot, ...], attributes: dict[str, FieldPlan], free: frozenset[str]
) -> Reader:
    sequence = _Sequence.of(slots)
    entry_of, next_required, repeated = sequence.by_tag.get, sequence.next_required, sequence.repeated
    end = len(slots)

    def read(element: Element, notes: Notes) -> Any:
        values = _attributes(element, attributes, free) if element.keys() else {}
        text = element.text
        if text is not None and text.strip(XML_SPACE):
            raise ReadError(element, "has text where only elements may stand")
        place = -1
        for child in element:
            entry = entry_of(child.tag)
            if entry is None:
                raise sequence.refusal(element, child, place)
            slot, field, reader, many = entry
            if slot > place:
                if next_required[place + 1] < slot:
                    raise sequence.refusal(element, child, place)
                place = slot
                value = reader(child, notes)
                values[field] = [value] if many else value
            elif many and slot == place:
                values[field].append(reader(child, notes))
            else:
                raise sequence.refusal(element, child, place)
            tail = child.tail
            if tail is not None and tail.strip(XML_SPACE):
                raise ReadError(child, "is followed by text where only elements may stand")
        if next_required[place + 1] < end:
            raise sequence.refusal(element, None, place)
        for field in repeated:
            if field in values:
                values[field] = tuple(values[field])
        return struct(**values)

    return read


def _attributes(element: Element, known: dict[str, FieldPlan], free: frozenset[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in attribute_names(element):
        if name in free:
            continue
        field = known.get(name)
        if field is None or field.lexical is None:
            raise ReadError(element, f"has the attribute {name[:_LONGEST_NAME]}, which is not allowed here")
        try:
            values[field.name] = field.lexical.read(element.get(name, ""))
        except LexicalError as error:
            raise ReadError(element, f"attribute {name[:_LONGEST_NAME]}: {error}") from error
    return values


def _unexpected(child: Element, slots: tuple[_Slot, ...]) -> str:
    tag = child.tag
    local = etree.QName(tag).localname
    if any(etree.QName(known).localname == local for slot in slots for known in slot.readers):
        return f"is in the wrong namespace: {str(etree.QName(tag).namespace)[:_LONGEST_NAME]}"
    return "is not known here"
