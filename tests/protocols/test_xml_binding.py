"""The binding apart from any dialect: plans that contradict themselves, paths, attributes, choices, wrapped lists."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from lxml import etree

from wattseal.certs.errors import MisuseError
from wattseal.protocols.lexical import NAME, fixed
from wattseal.protocols.xml_binding import Binding, BindingError, path_of
from wattseal.protocols.xml_document import parse_document
from wattseal.protocols.xml_plan import Dialect, plan_of
from wattseal.protocols.xml_wire import OtherContent, wire


class Word(str):
    __slots__ = ()


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Circle(msgspec.Struct, frozen=True, kw_only=True):
    ELEMENT: ClassVar[str] = "a:circle"

    radius: Annotated[Decimal, wire("a:radius")]


class Square(msgspec.Struct, frozen=True, kw_only=True):
    ELEMENT: ClassVar[str] = "b:square"

    side: Annotated[Decimal, wire("a:side")]


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[str | None, wire("@a:name?", NAME)] = None
    title: Annotated[str, wire("a:head/a:title", then="a:rest")]
    colour: Annotated[Colour | Word | None, wire("a:colour?")] = None
    unit: Annotated[str, wire("a:unit", fixed("mm"))] = "mm"
    shapes: Annotated[tuple[Circle | Square, ...], wire("a:shape+")]
    notes: Annotated[tuple[str, ...], wire("a:notes?/a:note*")] = ()
    marks: Annotated[tuple[int, ...], wire("a:mark*/b:number")] = ()
    depth: Annotated[int | None, wire("a:sea?/a:bed/a:depth?")] = None
    own: Annotated[OtherContent | None, wire("b:own?")] = None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    INSIDE: ClassVar[str] = "a:frame"

    drawing: Annotated[Drawing, wire("a:drawing")]


DIALECT = Dialect(namespaces={"a": "urn:a", "b": "urn:b"}, lexicals={}, extension=Word, free_attributes={})
BINDING = Binding(DIALECT)
FULL = (
    '<a:picture xmlns:a="urn:a" xmlns:b="urn:b"><a:frame><a:drawing a:name="n1">'
    "<a:head><a:title>A &lt;title&gt;&#13;</a:title><a:rest/></a:head><a:colour>x-green</a:colour><a:unit>mm</a:unit>"
    "<a:circle><a:radius>1.5</a:radius></a:circle><b:square><a:side>2</a:side></b:square>"
    "<a:notes><a:note></a:note><a:note>two</a:note></a:notes><a:mark><b:number>1</b:number></a:mark>"
    "<a:mark><b:number>2</b:number></a:mark><a:sea><a:bed><a:depth>7</a:depth></a:bed></a:sea>"
    '<b:own xmlns:b="urn:b"><b:x z="1">y</b:x></b:own></a:drawing></a:frame></a:picture>'
)
VALUE = Picture(
    drawing=Drawing(
        name="n1",
        title="A <title>\r",
        colour=Word("x-green"),
        shapes=(Circle(radius=Decimal("1.5")), Square(side=Decimal(2))),
        notes=("", "two"),
        marks=(1, 2),
        depth=7,
        own=OtherContent(xml=b'<b:own xmlns:b="urn:b"><b:x z="1">y</b:x></b:own>'),
    )
)


def read(text: str) -> Picture:
    return BINDING.read(Picture, parse_document(text.encode()))[0]


def test_every_kind_of_field_is_read_and_written() -> None:
    assert read(FULL) == VALUE
    out: list[str] = []
    BINDING.write(VALUE, out)
    assert f'<a:picture xmlns:a="urn:a" xmlns:b="urn:b">{"".join(out)}</a:picture>' == FULL


def test_absent_wrappers_are_not_empty_ones() -> None:
    """An absent step gives None; what was absent is not written."""
    text = FULL.replace("<a:sea><a:bed><a:depth>7</a:depth></a:bed></a:sea>", "<a:sea><a:bed/></a:sea>")
    assert read(text).drawing.depth is None
    bare = Picture(drawing=Drawing(title="", shapes=(Circle(radius=Decimal(1)),)))
    out: list[str] = []
    BINDING.write(bare, out)
    assert "".join(out) == (
        "<a:frame><a:drawing><a:head><a:title></a:title><a:rest/></a:head><a:unit>mm</a:unit>"
        "<a:circle><a:radius>1</a:radius></a:circle></a:drawing></a:frame>"
    )


@pytest.mark.parametrize(
    ("old", "new", "path", "said"),
    [
        ("<a:circle>", "<a:circle a:x='1'>", "/picture/frame/drawing/circle", "attribute"),
        (' a:name="n1"', ' a:name="1n"', "/picture/frame/drawing", "attribute"),
        (' a:name="n1"', ' name="n1"', "/picture/frame/drawing", "attribute"),
        ("<a:rest/>", "", "/picture/frame/drawing/head", "a:rest"),
        ("<a:unit>mm</a:unit>", "", "/picture/frame/drawing/circle", "a:unit must"),
        ("<a:note></a:note>", "<a:mark/>", "/picture/frame/drawing/notes/mark", "only a:note may"),
        ("<a:bed>", "<a:bed/><a:bed>", "/picture/frame/drawing/sea", "has 2 a:bed"),
        ("<b:number>2", "<b:number>two", "/picture/frame/drawing/mark[2]/number", "unsignedInt"),
        ("<b:square><a:side>2</a:side></b:square>", "<a:square/>", "/picture/frame/drawing/square", "wrong namespace"),
        ("<a:colour>x-green", "<a:colour>green", "/picture/frame/drawing/colour", "x- token"),
        ("<a:frame>", "<a:frame>words", "/picture/frame", "text"),
        ("</a:mark><a:mark>", "</a:mark>words<a:mark>", "/picture/frame/drawing/mark[1]", "text"),
        ("<a:note></a:note>", "<a:note/>words", "/picture/frame/drawing/notes/note[1]", "text"),
        ("</a:drawing>", "</a:drawing><a:drawing/>", "/picture/frame/drawing[2]", "too often"),
    ],
)
def test_violations_have_a_path_and_a_sentence(old: str, new: str, path: str, said: str) -> None:
    with pytest.raises(BindingError) as caught:
        read(FULL.replace(old, new))
    assert caught.value.path == path
    assert said in caught.value.sentence


def test_paths_number_only_what_is_alike() -> None:
    root = etree.fromstring("<a><b/><c/><b><d/></b></a>")
    assert path_of(root[2][0]) == "/a/b[2]/d"
    assert path_of(root[1]) == "/a/c"


def broken(hint: Any) -> type[msgspec.Struct]:
    return msgspec.defstruct("Broken", [("field", hint)])


@pytest.mark.parametrize(
    "hint",
    [
        str,
        Annotated[str, wire("a:x?")],
        Annotated[str, wire("a:x*")],
        Annotated[str | None, wire("a:x")],
        Annotated[tuple[str, ...], wire("a:x")],
        Annotated[complex, wire("a:x")],
    ],
)
def test_a_field_that_contradicts_its_path_is_found_when_compiled(hint: Any) -> None:
    with pytest.raises(TypeError):
        plan_of(broken(hint), DIALECT)


CIRCLE = Circle(radius=Decimal(1))


@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(title="", shapes=()),
        Drawing(title="", shapes=(CIRCLE,), own=OtherContent(xml=b"<b:own")),
        Drawing(title="", shapes=(CIRCLE,), own=OtherContent(xml=b'<own xmlns="urn:a"/>')),
        Drawing(title="", shapes=(CIRCLE,), own=OtherContent(xml=b'<!DOCTYPE x><b:own xmlns:b="urn:b"/>')),
        Drawing(title="", shapes=(CIRCLE,), unit="cm"),
        Drawing(title="", shapes=(CIRCLE,), name="1n"),
        Drawing(title="", shapes=(Colour.RED,)),  # type: ignore[arg-type]  the wrong type is the case
        Drawing(title="", shapes=(CIRCLE,), colour="green"),  # type: ignore[arg-type]  the wrong type is the case
    ],
)
def test_a_wrong_value_is_our_mistake(drawing: Drawing) -> None:
    with pytest.raises(MisuseError) as caught:
        BINDING.write(Picture(drawing=drawing), [])
    assert caught.value.reason == "unencodable_message"
