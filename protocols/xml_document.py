"""Bytes from a stranger to an element tree, without letting the document do anything.

The order of the checks is the defence: size first, then encoding and forbidden constructs on the raw bytes, then the
parser with everything that reaches outside switched off, then depth. Only UTF-8 (or its subset US-ASCII) is read, so
that what was looked for in the bytes is what the parser sees. Knows no dialect and no message.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from lxml import etree

from wattseal.certs.errors import PeerError

Element = etree._Element  # noqa: SLF001  the type has no public name: etree.Element is its factory

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_DECLARATION: Final = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:\"1\.0\"|'1\.0')"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:\"([A-Za-z0-9._-]+)\"|'([A-Za-z0-9._-]+)'))?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:\"(?:yes|no)\"|'(?:yes|no)'))?[ \t\r\n]*\?>"
)
_ENCODINGS: Final = frozenset({b"utf-8", b"utf8", b"us-ascii", b"ascii"})
_LONGEST_DETAIL: Final = 200
_WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"+/v")


def attribute_names(element: Element) -> list[str]:
    """The qualified names of an element's attributes; namespace declarations are none."""
    return [str(name) for name in element.keys()]  # noqa: SIM118  iterating over an element gives its children


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may cost: bytes before parsing, elements, and levels of nesting."""

    max_bytes: int = 1_048_576
    max_nodes: int = 60_000
    max_depth: int = 48


DEFAULT_LIMITS: Final = Limits()


class XmlRefusedError(PeerError):
    """The bytes are no document that we read.

    `reason` is one of malformed_xml, oversized, dtd_forbidden, too_deep, too_many_nodes, encoding.
    """


def parse_document(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Element:
    """The root element of an XML document. Comments and processing instructions are dropped, CDATA becomes text.

    Raises XmlRefusedError for whatever is too big, nested too deep, wrongly encoded, malformed or has a DOCTYPE.
    """
    if len(data) > limits.max_bytes:
        raise XmlRefusedError("oversized", f"The message has {len(data)} bytes; at most {limits.max_bytes} are read.")
    body = _checked_encoding(data)
    if b"<!DOCTYPE" in body:
        raise XmlRefusedError("dtd_forbidden", "The message has a document type declaration; send it without one.")
    nodes = body.count(b"<")
    if nodes > limits.max_nodes and (nodes := nodes - body.count(b"</")) > limits.max_nodes:
        raise XmlRefusedError("too_many_nodes", f"The message has {nodes} elements; {limits.max_nodes} are read.")
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as error:
        raise _syntax_refusal(error) from error
    except ValueError as error:
        raise XmlRefusedError(
            "malformed_xml", f"The message is not well-formed XML: {str(error)[:_LONGEST_DETAIL]}."
        ) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise XmlRefusedError("dtd_forbidden", "The message has a document type declaration; send it without one.")
    if _deeper_than(limits.max_depth)(root):
        raise XmlRefusedError("too_deep", f"The message is nested deeper than {limits.max_depth} levels.")
    return root


def _checked_encoding(data: bytes) -> bytes:
    """The document without its byte order mark, known to be UTF-8. Raises XmlRefusedError."""
    body = data.removeprefix(_UTF8_MARK)
    if body.startswith(_WIDE_MARKS) or b"\x00" in body[:2]:
        raise XmlRefusedError("encoding", "The message is not in UTF-8: it begins as UTF-16, UTF-32 or UTF-7 does.")
    if body.startswith(b"<?xml"):
        declaration = _DECLARATION.match(body)
        if declaration is None:
            raise XmlRefusedError("malformed_xml", "The XML declaration is not one of XML 1.0.")
        name = declaration[1] or declaration[2]
        if name is not None and name.lower() not in _ENCODINGS:
            raise XmlRefusedError(
                "encoding", f"The message declares the encoding {name.decode()[:_LONGEST_DETAIL]}; only UTF-8 is read."
            )
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlRefusedError("encoding", f"The message is not valid UTF-8 at byte {error.start}.") from error
    if b"\x00" in body:
        raise XmlRefusedError("malformed_xml", "The message contains a NUL byte, which XML cannot carry.")
    return body


def _parser() -> etree.XMLParser:
    """A fresh parser per document: nothing of one message may linger for the next."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=False,
    )


def _syntax_refusal(error: Exception) -> XmlRefusedError:
    if "depth" in str(error).lower():
        return XmlRefusedError("too_deep", "The message is nested deeper than the parser goes.")
    return XmlRefusedError("malformed_xml", f"The message is not well-formed XML: {str(error)[:_LONGEST_DETAIL]}.")


@lru_cache(maxsize=8)
def _deeper_than(depth: int) -> etree.XPath:
    """Whether any element lies below the given level; one walk inside the library instead of one in Python."""
    return etree.XPath("boolean(/" + "/".join("*" * (depth + 1)) + ")")
