"""Compiles plans into writers: closures that append the text of a value, element by element, in field order.

Tags are laid out as text once. A writer raises LexicalError, or what Python raises for a value of a wrong type; the
binding wraps both. Prefixes are those of the dialect and must be declared by whoever writes the root.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from wattseal.protocols.lexical import Lexical, LexicalError
from wattseal.protocols.xml_document import XmlRefusedError, parse_document
from wattseal.protocols.xml_plan import Dialect, FieldPlan, element_of, plan_of

Writer = Callable[[Any, list[str]], None]

_XSI = "http://www.w3.org/2001/XMLSchema-instance"


class TableOfWriters:
    """The writers of one dialect's types, compiled on first use."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._writers: dict[type[msgspec.Struct], Writer] = {}

    def writer_of(self, struct: type[msgspec.Struct]) -> Writer:
        """The writer of a type's content (its element's own tags are the caller's)."""
        writer = self._writers.get(struct)
        if writer is None:
            writer = self._writers[struct] = self._compile(struct)
        return writer

    def _compile(self, struct: type[msgspec.Struct]) -> Writer:
        fields = [(field.name, self._field(field)) for field in plan_of(struct, self._dialect) if not field.attribute]
        inside: str | None = getattr(struct, "INSIDE", None)
        opening, closing = (f"<{inside}>", f"</{inside}>") if inside else ("", "")

        def write(value: Any, out: list[str]) -> None:
            out.append(opening)
            for name, writer in fields:
                writer(getattr(value, name), out)
            out.append(closing)

        return write

    def element_writer_of(self, struct: type[msgspec.Struct], name: str, declared: str = "") -> Writer:
        """The writer of a whole element, attributes included; `declared` is put into its start tag as it stands."""
        return self._struct(struct, [name], "", declared)

    def _field(self, field: FieldPlan) -> Writer:
        if field.foreign:
            return _forbidden(f"{field.name} belongs to {field.foreign}, not to the profile in use")
        if field.strangers:
            return _forbidden(f"{field.name} holds what was read and not understood")
        if field.text and field.lexical is not None:
            return _text(field.lexical)
        item = self._item(field)
        if not field.many:
            return _single(field, item)
        turn = next(index for index, step in enumerate(field.steps) if step.many)
        outer = field.steps[:turn]
        opening = "".join(f"<{step.name}>" for step in outer)
        closing = "".join(f"</{step.name}>" for step in reversed(outer))
        least, droppable = field.steps[turn].least, any(step.least == 0 for step in outer)

        def write(values: Any, out: list[str]) -> None:
            if not isinstance(values, tuple):
                raise LexicalError(f"{field.name} must be a tuple, not {type(values).__name__}")
            if not values and droppable:
                return
            if len(values) < least:
                raise LexicalError(f"{field.name} must not be empty")
            if field.most and len(values) > field.most:
                raise LexicalError(f"{field.name} has {len(values)} entries; at most {field.most} may stand there")
            out.append(opening)
            for value in values:
                item(value, out)
            out.append(closing)

        return write

    def _item(self, field: FieldPlan) -> Writer:
        """One occurrence: from the repeated step (or the outermost) inwards."""
        start = next((index for index, step in enumerate(field.steps) if step.many), 0)
        names = [step.name for step in field.steps[start:]]
        if field.choice:
            return self._choice(field)
        if field.opaque:
            return _opaque(self._dialect.qualified(names[-1]))
        if field.by_type and field.struct is not None:
            return self._by_type(field.struct, field.by_type, names[-1])
        if field.struct is not None:
            return self._struct(field.struct, names, field.then)
        if field.lexical is None:
            raise TypeError(f"{field.name} has no content")
        return _leaf(field.lexical, names, field.then)

    def _struct(self, struct: type[msgspec.Struct], names: list[str], then: str, declared: str = "") -> Writer:
        content = self.writer_of(struct)
        attributes = [field for field in plan_of(struct, self._dialect) if field.attribute]
        opening = "".join(f"<{name}>" for name in names[:-1]) + f"<{names[-1]}{declared}"
        closing = _closing(names, then)

        def write(value: Any, out: list[str]) -> None:
            if type(value) is not struct:
                raise LexicalError(f"a {type(value).__name__} stands where a {struct.__name__} must")
            out.append(opening)
            for field in attributes:
                _attribute(field, getattr(value, field.name), out)
            out.append(">")
            content(value, out)
            out.append(closing)

        return write

    def _by_type(self, plain: type[msgspec.Struct], kinds: tuple[type[msgspec.Struct], ...], name: str) -> Writer:
        """An element whose type is told by xsi:type, unless it is the plain one. Compiled when met."""
        writers: dict[type[msgspec.Struct], Writer] = {}

        def write(value: Any, out: list[str]) -> None:
            kind = type(value)
            if kind not in writers:
                if kind is not plain and kind not in kinds:
                    raise LexicalError(f"a {kind.__name__} cannot stand in {name}")
                declared = "" if kind is plain else f' xmlns:xsi="{_XSI}" xsi:type="{kind.__name__}"'
                writers[kind] = self._struct(kind, [name], "", declared)
            writers[kind](value, out)

        return write

    def _choice(self, field: FieldPlan) -> Writer:
        writers = {one: self._struct(one, [element_of(one)], "") for one in field.choice}

        def write(value: Any, out: list[str]) -> None:
            writer = writers.get(type(value))
            if writer is None:
                raise LexicalError(f"a {type(value).__name__} is no choice for {field.name}")
            writer(value, out)

        return write


def _single(field: FieldPlan, item: Writer) -> Writer:
    optional, name = field.optional and not field.owed, field.name

    def write(value: Any, out: list[str]) -> None:
        if value is not None:
            item(value, out)
        elif not optional:
            raise LexicalError(f"{name} must not be absent")

    return write


def _forbidden(sentence: str) -> Writer:
    """For fields that are read only: they must be empty."""

    def write(value: Any, out: list[str]) -> None:  # noqa: ARG001  the shape of all writers
        if value is not None and value != ():
            raise LexicalError(sentence)

    return write


def _text(lexical: Lexical[Any]) -> Writer:
    """The text of the element itself."""

    def write(value: Any, out: list[str]) -> None:
        out.append(escaped(lexical.write(value)))

    return write


def _closing(names: list[str], then: str) -> str:
    """The end tags of a path, with the element that must follow the innermost one, empty."""
    inner, *outer = reversed(names)
    return f"</{inner}>" + (f"<{then}/>" if then else "") + "".join(f"</{name}>" for name in outer)


def _leaf(lexical: Lexical[Any], names: list[str], then: str) -> Writer:
    opening = "".join(f"<{name}>" for name in names)
    closing = _closing(names, then)
    text_of = lexical.write

    def write(value: Any, out: list[str]) -> None:
        out.append(opening)
        out.append(escaped(text_of(value)))
        out.append(closing)

    return write


def _opaque(tag: str) -> Writer:
    """Content that goes out as it came in; it must still be one well-formed element of that name."""

    def write(value: Any, out: list[str]) -> None:
        try:
            found = parse_document(value.xml).tag
        except XmlRefusedError as error:
            raise LexicalError(error.sentence) from error
        if found != tag:
            raise LexicalError(f"{found} stands where {tag} must")
        out.append(value.xml.decode("utf-8"))

    return write


def _attribute(field: FieldPlan, value: Any, out: list[str]) -> None:
    if value is None and (field.owed or not field.optional):
        raise LexicalError(f"{field.name} must not be absent")
    if value is not None and field.foreign:
        raise LexicalError(f"{field.name} belongs to {field.foreign}, not to the profile in use")
    if value is not None and field.lexical is not None:
        text = escaped(field.lexical.write(value)).replace('"', "&quot;").replace("\t", "&#9;").replace("\n", "&#10;")
        out.append(f' {field.steps[0].name}="{text}"')


def escaped(text: str) -> str:
    """Text as element content that comes back unchanged; a bare carriage return would come back as a line feed."""
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if "\r" in text:
        text = text.replace("\r", "&#13;")
    return text
