"""Between an element tree and typed values, both ways, by tables compiled once per message type.

Reading is strict: order, cardinality, namespaces, unknown elements and attributes, mixed content and every text are
checked, so no schema is needed at run time. A violation becomes `BindingError` with the path of the element. Legal but
suspicious forms become `Note`s. Writing gives text in the order of the fields. Knows no dialect.

Reading tolerantly, for dialects whose rule that is, makes notes of order and unknown elements too, and leaves out and
records what breaks where it stands apart; see `xml_tolerant_reading`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
from lxml import etree

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.protocols.lexical import LexicalError
from wattseal.protocols.xml_document import Element
from wattseal.protocols.xml_plan import Dialect
from wattseal.protocols.xml_reading import Notes, Reader, ReadError, TableOfReaders
from wattseal.protocols.xml_tolerant_reading import Findings, TableOfTolerantReaders
from wattseal.protocols.xml_writing import TableOfWriters, Writer

S = TypeVar("S", bound=msgspec.Struct)


MOST_NOTES: Final = 32
"""Paths cost time: a hostile document must not buy thousands of them."""

_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Note:
    """Something legal but suspicious in a document: where, and what."""

    path: str
    text: str


class BindingError(PeerError):
    """A document that breaks its schema: `path` names the element, as ``/list/item[2]/value``."""

    def __init__(self, path: str, sentence: str) -> None:
        super().__init__("schema_violation", f"{path}: {sentence}")
        self.path = path


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An item that was not read: the element that it is, and where (`path`) and how it breaks its type."""

    item: Element
    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class TolerantReading(Generic[S]):
    """A value, the notes on how it was read, and what had to be left out of it."""

    value: S
    notes: tuple[Note, ...]
    left_out: tuple[LeftOut, ...]


class Binding:
    """Readers and writers of one dialect's types, compiled when first used."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect: Final = dialect
        self._readers: Final = TableOfReaders(dialect)
        self._writers: Final = TableOfWriters(dialect)
        self._tolerant: Final = TableOfTolerantReaders(dialect)
        self._element_writers: Final[dict[tuple[type[msgspec.Struct], str, str], Writer]] = {}

    def read(self, struct: type[S], element: Element) -> tuple[S, tuple[Note, ...]]:
        """The value that an element holds, with notes. Raises BindingError.

        The attributes of the element itself are the caller's to check; those of everything below are checked here.
        """
        reader: Reader = self._readers.reader_of(struct)
        remarks: Notes = []
        try:
            value: S = reader(element, remarks)
        except ReadError as error:
            raise BindingError(path_of(error.element), error.sentence) from error
        return value, _notes_of(remarks, element)

    def read_tolerantly(self, kinds: Mapping[str, type[S]], element: Element) -> TolerantReading[S] | None:
        """The value that an element holds, read as widely as it can be understood; its name chooses one of the kinds.

        None if it has none of the names. Raises BindingError.
        """
        findings = Findings()
        tag = str(element.tag)
        struct = kinds.get(tag) or kinds.get(self._tolerant.canonical(tag, element, findings) or tag)
        if struct is None:
            return None
        try:
            value: S = self._tolerant.reader_of(struct)(element, findings)
        except ReadError as error:
            raise BindingError(path_of(error.element), error.sentence) from error
        left_out = tuple(LeftOut(item, path_of(error.element), error.sentence) for item, error in findings.refused)
        return TolerantReading(value, _notes_of(findings.remarks, element), left_out)

    def write(self, value: msgspec.Struct, out: list[str]) -> None:
        """Appends the content of the value's element (not its tags) to `out`. Raises MisuseError for a wrong value."""
        try:
            self._writers.writer_of(type(value))(value, out)
        except _UNWRITABLE as error:
            raise _unwritable(value, error) from error

    def write_element(self, value: msgspec.Struct, name: str, declared: str, out: list[str]) -> None:
        """Appends the value's whole element; `declared` goes into its start tag. Raises MisuseError."""
        key = (type(value), name, declared)
        try:
            writer = self._element_writers.get(key)
            if writer is None:
                writer = self._element_writers[key] = self._writers.element_writer_of(*key)
            writer(value, out)
        except _UNWRITABLE as error:
            raise _unwritable(value, error) from error


_UNWRITABLE: Final = (LexicalError, TypeError, AttributeError, ValueError, ArithmeticError, KeyError)


def _unwritable(value: msgspec.Struct, error: Exception) -> MisuseError:
    return MisuseError("unencodable_message", f"A {type(value).__name__} cannot be written: {error}.")


def _notes_of(remarks: Notes, element: Element) -> tuple[Note, ...]:
    notes = tuple(Note(path_of(where), text) for where, text in remarks[:MOST_NOTES])
    rest = len(remarks) - MOST_NOTES
    return notes if rest <= 0 else (*notes, Note(path_of(element), f"{rest} more notes are left out"))


def path_of(element: Element) -> str:
    """Where an element stands: local names from the root, with a number (from 1) where siblings share the name."""
    steps: list[str] = []
    current: Any = element
    while current is not None:
        name = etree.QName(current).localname[:_LONGEST_NAME]
        parent = current.getparent()
        alike = [] if parent is None else parent.findall(current.tag)
        steps.append(f"{name}[{alike.index(current) + 1}]" if len(alike) > 1 else name)
        current = parent
    return "/" + "/".join(reversed(steps))
