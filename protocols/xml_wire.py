"""How a field of a message type says where it stands on the wire; the binding compiles these once.

A path has one step per element, from the outside in, with its prefix and how often it may occur (`?` at most once,
`*` any number, `+` at least once, nothing exactly once): ``strm:intervals?/ei:interval+``. A step ``@gml:id`` is an
attribute. A name without a prefix stands in the default namespace, an attribute without one in none. The order of a
type's fields is the order of the schema's sequence. Knows no dialect and no parser.

For dialects that are read tolerantly there are besides: `!`, once, must be written, may be missing when read (the field
is then None); the path ``.``, the text of the element itself; the path ``*``, the qualified names of the child elements
that no field takes, which is read only.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from wattseal.protocols.lexical import Lexical


class OtherContent(msgspec.Struct, frozen=True, kw_only=True):
    """An element that is carried but not understood: its exclusive canonical form, as UTF-8 XML."""

    xml: bytes


@dataclass(frozen=True, slots=True)
class Wire:
    """The place of a field: `path`, its lexical form where the type of the field does not say it already, and `then`.

    `then` names an element of any content that must follow the field inside its outermost step and is not carried.
    Read tolerantly only: `apart`, an occurrence that breaks its type is left out and recorded, and costs no more;
    `of`, the vocabulary that a dialect must speak to write the field (others read it with a note);
    `by_type`, what xsi:type may make of the element, beside the type of the field; `most`, how often a repeated one
    may stand there (0: any number).
    """

    path: str
    lexical: Lexical[Any] | None = None
    then: str = ""
    apart: bool = False
    of: str = ""
    by_type: tuple[type[msgspec.Struct], ...] = ()
    most: int = 0


def wire(
    path: str,
    lexical: Lexical[Any] | None = None,
    *,
    then: str = "",
    apart: bool = False,
    of: str = "",
    by_type: tuple[type[msgspec.Struct], ...] = (),
    most: int = 0,
) -> Wire:
    """Says where a field stands; used inside `Annotated`."""
    return Wire(path, lexical, then, apart, of, by_type, most)
