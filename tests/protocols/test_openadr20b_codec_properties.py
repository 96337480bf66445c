"""Messages of every type, built at random: valid by the foreign schema when written, equal when read again.

And damaged documents: only the documented errors escape, and what is read without a note the foreign schema accepts.
"""

import random
import typing
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from wattseal.protocols.openadr20b import codec
from wattseal.protocols.openadr20b.codec import SchemaError, XmlRefusedError
from wattseal.protocols.openadr20b.duration import Duration
from wattseal.protocols.openadr20b.messages import MESSAGE_TYPES, Message
from wattseal.protocols.openadr20b.vocabulary import ExtensionToken
from wattseal.protocols.xml_wire import OtherContent, Wire

TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")) | st.sampled_from("\t\n\r &<>'\"]"), max_size=12
)
FLOATS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**38), max_value=10**38).filter(
    lambda value: len(str(value)) <= 40 and (value == 0 or abs(value) > Decimal("1e-37"))
)
FEED = OtherContent(
    xml=b'<atom:feed xmlns:atom="http://www.w3.org/2005/Atom"><atom:id>urn:x</atom:id><atom:title>t</atom:title>'
    b"<atom:updated>2030-06-01T12:00:00Z</atom:updated></atom:feed>"
)
# What a field's own lexical form narrows, by the name that the form has.
NARROWED: dict[str, st.SearchStrategy[Any]] = {
    "response code of three digits": st.from_regex("[0-9]{3}", fullmatch=True),
    "currency code of ISO 4217": st.sampled_from(("EUR", "USD", "JPY")),
    "confidence": st.integers(0, 100),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=3),
    "anyURI": st.sampled_from(("http://utility.example/programme", "MarketContext1", "urn:x:y", "")),
    "identifier of XML": st.uuids().map(lambda one: f"id{one.hex}"),
    "list of float": st.lists(FLOATS, max_size=4).map(tuple),
}
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bool: st.booleans(),
    int: st.integers(0, 4_294_967_295),
    Decimal: FLOATS,
    datetime: st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    Duration: st.builds(
        Duration,
        years=st.integers(0, 20),
        months=st.integers(0, 30),
        days=st.integers(0, 400),
        hours=st.integers(0, 50),
        minutes=st.integers(0, 500),
        seconds=st.integers(0, 5000),
        negative=st.booleans(),
    ),
    ExtensionToken: st.from_regex("x-[A-Za-z0-9_.]{1,8}", fullmatch=True).map(ExtensionToken),
    OtherContent: st.just(FEED),
}
KNOWN: dict[type, st.SearchStrategy[Any]] = {}


def values_of(hint: Any, *, at_least: int = 0) -> st.SearchStrategy[Any]:
    """Values of an annotated type, from the annotations alone."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return st.lists(values_of(arguments[0]), min_size=at_least, max_size=at_least + 2).map(tuple)
    if arguments:
        return st.one_of(*(values_of(one) for one in arguments))
    if hint is type(None):
        return st.none()
    if hint in PLAIN:
        return PLAIN[hint]
    if issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    return structs(hint)


def structs(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    if struct not in KNOWN:
        hints = typing.get_type_hints(struct, include_extras=True)
        fields = {name: field_values(hints[name], struct, name) for name in struct.__struct_fields__}
        KNOWN[struct] = st.builds(struct, **fields)
    return KNOWN[struct]


def field_values(hint: Any, struct: type[msgspec.Struct], name: str) -> st.SearchStrategy[Any]:
    (wire,) = (extra for extra in hint.__metadata__ if isinstance(extra, Wire))
    held = hint.__origin__
    if wire.lexical is not None and wire.lexical.name in NARROWED:
        narrowed = NARROWED[wire.lexical.name]
        return st.none() | narrowed if type(None) in typing.get_args(held) else narrowed
    if wire.lexical is not None and held is str:
        return st.just(getattr(msgspec.structs.fields(struct)[struct.__struct_fields__.index(name)], "default"))  # noqa: B009
    return values_of(held, at_least=1 if "+" in wire.path else 0)


@pytest.mark.parametrize("kind", MESSAGE_TYPES, ids=lambda kind: kind.__name__)
def test_any_message_survives_the_wire(kind: type[Message], openadr20b_schema: etree.XMLSchema) -> None:
    """Oracle: the XSD as lxml reads it. What we write is valid, and is the same value when read, without a note."""

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(structs(kind))
    def survives(message: Message) -> None:
        written = codec.encode(message)
        openadr20b_schema.assertValid(etree.fromstring(written))
        payload = codec.decode(written)
        assert payload.message == message
        assert [note for note in payload.notes if "months" not in note.text and not note.path.endswith("/feed")] == []

    survives()


ODD_TEXTS = ("", " ", "x", "-1", "1e3", "NaN", "P", "2030-06-01T14:00:00", "x-y", "true", "\u0663")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The document with a few small damages: bytes, tags, texts and whole elements moved, doubled or dropped."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        kind = chance.randrange(6)
        at, to = sorted(chance.choices(range(len(text)), k=2))
        if kind == 0:
            text[at] = chance.randrange(256)
        elif kind == 1:
            del text[at : min(to, at + 8)]
        elif kind == 2:
            text[at:at] = chance.choice((b"<!--", b"-->", b"<x/>", b"&#0;", b"&lt;", b"<![CDATA[", b'"', b">", b"NaN"))
        elif kind == 3:
            text[at:at] = bytes(text[at : min(to, at + 60)])
        else:
            text = bytearray(rearranged(bytes(text), chance))
    return bytes(text)


def rearranged(data: bytes, chance: random.Random) -> bytes:
    """Well-formed damage: an element dropped, doubled, moved, emptied, or given another's name or text."""
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:
        return data
    elements = [one for one in root.iter() if isinstance(one.tag, str) and one.getparent() is not None]
    if not elements:
        return data
    one, other = chance.choice(elements), chance.choice(elements)
    parent = one.getparent()
    kind = chance.randrange(6)
    if kind == 0:
        parent.remove(one)
    elif kind == 1:
        parent.append(etree.fromstring(etree.tostring(one, with_tail=False)))
    elif kind == 2:
        parent.insert(0, one)
    elif kind == 3:
        one.tag = other.tag
    elif kind == 4:
        one.text = other.text
    else:
        one.text = chance.choice(
            ("", " ", "x", "-1", "1e3", "NaN", "P", "2030-06-01T14:00:00", "x-y", "true", "\u0663")
        )
    return etree.tostring(root)


def test_damage_never_escapes_and_never_passes_the_schema_unseen(
    openadr20b_schema: etree.XMLSchema, openadr20b_vectors: dict[str, bytes]
) -> None:
    """Whatever is read without a note, the foreign schema accepts too: two readers that share no code."""
    chance = random.Random(20_300_601)  # noqa: S311  a fixed seed, for the same damage in every run
    vectors = list(openadr20b_vectors.values())
    accepted = refused = 0
    for _ in range(4000):
        data = damaged(chance.choice(vectors), chance)
        try:
            payload = codec.decode(data)
        except (SchemaError, XmlRefusedError):
            refused += 1
            continue
        accepted += 1
        assert codec.decode(codec.encode(payload.message)).message == payload.message
        if not payload.notes:
            assert openadr20b_schema.validate(etree.fromstring(data)), (data, openadr20b_schema.error_log)
    assert accepted > 100
    assert refused > 1000


def refusal_of(data: bytes) -> str | None:
    try:
        codec.decode(data)
    except SchemaError as error:
        return error.sentence
    return None


REFUSED_ON_PURPOSE = ("signalPayload[2]: ", "is no number of up to")


def test_what_the_schema_accepts_is_read(
    openadr20b_schema: etree.XMLSchema, openadr20b_vectors: dict[str, bytes]
) -> None:
    """Rearranged documents that the foreign schema still accepts are read, but for the listed exceptions."""
    chance = random.Random(7)  # noqa: S311  a fixed seed, for the same damage in every run
    vectors = list(openadr20b_vectors.values())
    valid = 0
    for _ in range(3000):
        data = rearranged(chance.choice(vectors), chance)
        if not openadr20b_schema.validate(etree.fromstring(data)):
            continue
        valid += 1
        refusal = refusal_of(data)
        assert refusal is None or any(word in refusal for word in REFUSED_ON_PURPOSE), (refusal, data)
    assert valid > 300
