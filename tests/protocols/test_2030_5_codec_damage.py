"""Damaged documents: only the documented errors escape, and what passes without a word the foreign schema accepts."""

import random
from pathlib import Path

import pytest
from ieee2030_5_schemas import schema_of
from lxml import etree

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5 import codec
from wattseal.protocols.ieee2030_5.codec import BindingError, UnknownResourceError, XmlRefusedError, decode, encode
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3

FOLDER = Path(__file__).parent / "vectors" / "ieee2030_5"
VECTORS = [path.read_bytes() for path in sorted(FOLDER.glob("*.xml"))]
ODD_TEXTS = ("", " ", "x", "-1", "1e3", "NaN", "0x0A", "65536", "-32769", "9" * 400, "true", "\u0663", "null")
REFUSALS = (BindingError, UnknownResourceError, XmlRefusedError)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The document with a few small damages: bytes, tags, texts and whole elements moved, doubled or dropped."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        kind = chance.randrange(7)
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
    """Well-formed damage: an element dropped, doubled, moved, renamed or emptied, an attribute or a text changed."""
    try:
        root = etree.fromstring(data)
    except etree.XMLSyntaxError:
        return data
    elements = [one for one in root.iter() if isinstance(one.tag, str) and one.getparent() is not None]
    if not elements:
        return data
    one, other = chance.choice(elements), chance.choice(elements)
    parent = one.getparent()
    kind = chance.randrange(7)
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
    elif kind == 5:
        one.set(chance.choice(("href", "all", "results", "subscribable", "disabled")), chance.choice(ODD_TEXTS))
    else:
        one.text = chance.choice(ODD_TEXTS)
    return etree.tostring(root)


def test_nothing_but_the_documented_errors_escapes() -> None:
    """What is read is the same when read again from what we write, unless it cannot be written at all."""
    chance = random.Random(20_300_601)  # noqa: S311  a fixed seed, for the same damage in every run
    read = refused = unwritable = 0
    for _ in range(4000):
        try:
            document = decode(damaged(chance.choice(VECTORS), chance), CSIPAUS_1_3)
        except REFUSALS as error:
            assert error.reason  # noqa: PT017  the refusal itself is what is counted
            refused += 1
            continue
        read += 1
        try:
            again = encode(document.resource, CSIPAUS_1_3)
        except MisuseError:
            unwritable += 1
            continue
        assert decode(again, CSIPAUS_1_3).resource == document.resource
    assert read > 400
    assert refused > 1000
    assert 0 < unwritable < read


def test_what_passes_without_a_word_is_valid() -> None:
    """Oracle: the XSD of CSIP-AUS 1.3. Two readers that share no code; no fault passes in silence."""
    schema = schema_of("csipaus-1.3")
    chance = random.Random(7)  # noqa: S311  a fixed seed, for the same damage in every run
    silent = 0
    for _ in range(4000):
        data = rearranged(chance.choice(VECTORS), chance)
        try:
            document = decode(data, CSIPAUS_1_3)
        except REFUSALS:
            continue
        if document.notes or document.left_out or document.schema_version is not None:
            continue
        silent += 1
        if not schema.validate(etree.fromstring(data)):
            # Blanks inside an element that must be empty (a link) say nothing, and nothing is said about them.
            assert all("because the content type is empty" in one.message for one in schema.error_log), data
    assert silent > 300


def test_what_is_valid_is_read() -> None:
    """Oracle as above, the other way round: a valid document is neither refused nor cut, but where we say so."""
    schema = schema_of("csipaus-1.3")
    chance = random.Random(11)  # noqa: S311  a fixed seed, for the same damage in every run
    valid = 0
    for _ in range(4000):
        data = rearranged(chance.choice(VECTORS), chance)
        if not schema.validate(etree.fromstring(data)):
            continue
        valid += 1
        try:
            document = decode(data, CSIPAUS_1_3)
        except BindingError as error:
            assert "power of ten" in error.sentence or "OneHour" in error.sentence, (error.sentence, data)  # noqa: PT017
            continue
        assert all("power of ten" in lost.sentence or "OneHour" in lost.sentence for lost in document.left_out), data
    assert valid > 300


@pytest.mark.parametrize("size", [0, 1, 10, 1000])
def test_noise_is_no_document(size: int) -> None:
    noise = random.Random(size).randbytes(size)  # noqa: S311  noise, not a secret
    with pytest.raises(codec.XmlRefusedError):
        decode(noise, CSIPAUS_1_3)
