"""Decoding is linear in its input, whatever the input says; nothing but `CborError` escapes."""

import time

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor, cose
from wattseal.certs.cbor import CborError

CYCLE = bytes.fromhex("d81c81d81d00")  # 28([29(0)]): a list that holds itself


def bomb(levels):
    """A list of two, each time the list before, by shared reference: two to the `levels` members."""
    data = b"\xd8\x1c\x82\x01\x01"
    for level in range(levels - 2, -1, -1):
        data = b"\xd8\x1c\x82" + data + b"\xd8\x1d" + cbor2.dumps(level + 1)
    return data


@pytest.mark.parametrize("data", [CYCLE, bomb(16), bomb(40), bomb(200)], ids=["cycle", "16", "40", "200"])
def test_shared_references_are_refused_at_once(data):
    started = time.process_time()
    with pytest.raises(CborError):
        cbor.decode(data)
    assert time.process_time() - started < 0.05


@pytest.mark.parametrize("tag", [0, 1, 2, 3, 4, 5, 18, 25, 28, 30, 35, 36, 37, 52, 100, 256, 258, 1004, 55799, 99999])
def test_no_tag_stands_in_a_sealed_value(tag):
    for value in (1, b"\x01", "x", [1, 2]):
        with pytest.raises(CborError):
            cbor.decode(cbor2.dumps(cbor2.CBORTag(tag, value)))


def test_depth_is_bounded():
    assert cbor.decode(b"\x81" * 10 + b"\x01")
    with pytest.raises(CborError, match="cbor_malformed"):
        cbor.decode(b"\x81" * 17 + b"\x01")


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda data: b"\xd2\x84" + data)))
def test_only_documented_errors_escape(data):
    assert cose.glimpse(data) is None or isinstance(cose.glimpse(data), dict)
    for read in (cbor.decode, cose.take_apart):
        try:
            read(data)
        except (CborError, cose.CoseError) as error:
            assert error.reason  # noqa: PT017 - either outcome is right; anything else escapes


@pytest.mark.parametrize("header", [{1: -9, 4: b"k"}, {99: 1}, {}])
def test_glimpse_reads_what_stands_there_and_believes_nothing(header):
    for protected in (cbor.encode(header), b"\xb8" + bytes([len(header)]) + cbor.encode(header)[1:]):
        assert cose.glimpse(cbor2.dumps(cbor2.CBORTag(18, [protected, {1: 2}, b"", b""]))) == header


@pytest.mark.parametrize(
    "data", [b"", b"\x01", cbor2.dumps(cbor2.CBORTag(18, [1, {}, b"", b""])), cbor2.dumps(cbor2.CBORTag(18, [b"\x01"]))]
)
def test_glimpse_of_what_has_no_header(data):
    assert cose.glimpse(data) is None
