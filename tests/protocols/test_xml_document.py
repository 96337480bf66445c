"""The reader of hostile XML: whatever reaches out, blows up or hides is refused before anything looks at it."""

import pytest

from wattseal.protocols.xml_document import Limits, XmlRefusedError, parse_document

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    + b"]><a>&a9;</a>"
)


def reason_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(XmlRefusedError) as caught:
        parse_document(data, limits or Limits())
    assert caught.value.sentence.endswith(".")
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        LAUGHS,
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x.dtd"> %x;]><a/>',
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>',
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ATTLIST a b CDATA "default">]><a/>',
        b"\xef\xbb\xbf<!DOCTYPE a><a/>",
        b"<?xml version='1.0' standalone='yes'?><!-- first --><!DOCTYPE a><a/>",
    ],
    ids=["laughs", "external", "parameter", "subset", "bare", "default attribute", "after mark", "after comment"],
)
def test_a_document_type_is_refused(data: bytes) -> None:
    """DTDs are off in the profile's security section; XXE and the billion laughs both need one."""
    assert reason_of(data) == "dtd_forbidden"


def test_an_undeclared_entity_is_malformed() -> None:
    assert reason_of(b"<a>&x;</a>") == "malformed_xml"


def test_ten_megabytes_are_refused_unread() -> None:
    assert reason_of(b"<a>" + b" " * 10_000_000 + b"</a>") == "oversized"


def test_the_size_limit_is_exact() -> None:
    data = b"<a>" + b" " * 93 + b"</a>"
    assert len(data) == 100
    assert parse_document(data, Limits(max_bytes=100)).tag == "a"
    assert reason_of(data, Limits(max_bytes=99)) == "oversized"


def test_the_depth_limit_is_exact() -> None:
    def nested(depth: int) -> bytes:
        return b"<a>" * depth + b"</a>" * depth

    assert parse_document(nested(48)).tag == "a"
    assert reason_of(nested(49)) == "too_deep"
    assert reason_of(nested(20_000)) == "too_deep"


def test_the_node_limit_is_exact() -> None:
    data = b"<a>" + b"<b/>" * 9 + b"</a>"
    assert len(parse_document(data, Limits(max_nodes=10))) == 9
    assert reason_of(data, Limits(max_nodes=9)) == "too_many_nodes"
    assert reason_of(b"<a>" + b"<b/>" * 100_000 + b"</a>") == "too_many_nodes"


@pytest.mark.parametrize(
    "data",
    [
        "<a/>".encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        "<a/>".encode("utf-16-be"),
        "<a/>".encode("utf-32"),
        '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b'<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-',
        b"+/v8-<a/>",
        b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xe9</a>',
        b'<?xml version="1.0" encoding="cp037"?><a/>',
        b"<a>\xff</a>",
        b"<a>\xc0\xbc</a>",
        b"<a>\xed\xa0\x80</a>",
    ],
)
def test_only_utf8_is_read(data: bytes) -> None:
    """What is looked for in the bytes must be what the parser sees: no second encoding to hide in."""
    assert reason_of(data) == "encoding"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"hello",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b'<a x="1" x="2"/>',
        b'<a xmlns:p="urn:u" xmlns:q="urn:u" p:x="1" q:x="2"/>',
        b"<p:a/>",
        b"<a>\x00</a>",
        b"<a>&#0;</a>",
        b"<a>\x01</a>",
        b"<a>&#x1;</a>",
        b"<a b=<c>/>",
        b'<?xml version="1.1"?><a/>',
        b'<?xml encoding="utf-8"?><a/>',
        b'<?xml version="1.0" encoding="utf-8" extra="1"?><a/>',
        b'<a/><?xml version="1.0"?>',
        b"<a>]]></a>",
    ],
)
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    assert reason_of(data) == "malformed_xml"


def test_comments_and_instructions_vanish_without_splitting_text() -> None:
    """A comment inside an identifier must not hide half of it from one reader and not from another."""
    root = parse_document(b"<?pi x?><!-- c --><a>ven<!-- x -->-<?php echo 1?>1<![CDATA[&<]]></a>")
    assert root.text == "ven-1&<"
    assert len(root) == 0


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"\xef\xbb\xbf<a/>",
        b'<?xml version="1.0"?><a/>',
        b"<?xml version='1.0' encoding='utf-8' standalone='no'?>\n<a/>",
        b'<?xml version="1.0" encoding="US-ASCII" ?><a/>',
        b'<?xml version = "1.0" encoding = "UTF-8" ?><a/>',
    ],
)
def test_ordinary_documents_are_read(data: bytes) -> None:
    assert parse_document(data).tag == "a"
