"""Deterministic CBOR, against RFC 8949."""

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs import cbor

# RFC 8949 appendix A: value and its encoding; only those of the permitted kinds.
APPENDIX_A = (
    (0, "00"), (1, "01"), (10, "0a"), (23, "17"), (24, "1818"), (25, "1819"), (100, "1864"), (1000, "1903e8"),
    (1000000, "1a000f4240"), (1000000000000, "1b000000e8d4a51000"), (18446744073709551615, "1bffffffffffffffff"),
    (-18446744073709551616, "3bffffffffffffffff"), (-1, "20"), (-10, "29"), (-100, "3863"), (-1000, "3903e7"),
    (False, "f4"), (True, "f5"), (None, "f6"), (b"", "40"), (b"\x01\x02\x03\x04", "4401020304"), ("", "60"),
    ("a", "6161"), ("IETF", "6449455446"), ('"\\', "62225c"), ("\u00fc", "62c3bc"), ("\u6c34", "63e6b0b4"), ((), "80"),
    ((1, 2, 3), "83010203"), ((1, (2, 3), (4, 5)), "8301820203820405"), ({}, "a0"), ({1: 2, 3: 4}, "a201020304"),
    (tuple(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
)  # fmt: skip


@pytest.mark.parametrize(("value", "encoded"), APPENDIX_A)
def test_the_examples_of_the_standard(value: object, encoded: str) -> None:
    """Appendix A."""
    assert cbor.encode(value).hex() == encoded
    assert cbor.encode(cbor.decode(bytes.fromhex(encoded))).hex() == encoded


@pytest.mark.parametrize(
    "encoded",
    [
        "1800",  # 0 in two bytes
        "190017",  # 23 in three
        "1b0000000000000001",  # 1 in nine
        "5801ff",  # a length in two bytes
        "5f4101ff",  # a byte string of indefinite length
        "7f6161ff",  # a text of indefinite length
        "9f01ff",  # a list of indefinite length
        "bf0102ff",  # a map of indefinite length
        "a203040102",  # keys not sorted
        "a201020103",  # a key twice
        "0000",  # bytes behind the value
        "a1190001f6",  # a key in three bytes
    ],
)
def test_other_encodings_of_the_same_value_are_refused(encoded: str) -> None:
    """Section 4.2.1: shortest form, definite lengths, sorted keys; and nothing behind."""
    with pytest.raises(cbor.CborError) as caught:
        cbor.decode(bytes.fromhex(encoded))
    assert caught.value.reason == "cbor_not_canonical"


@pytest.mark.parametrize(
    "encoded",
    [
        "",  # nothing
        "18",  # cut short
        "44010203",  # cut short
        "ff",  # a lone break
        "1c",  # a reserved length
        "62c328",  # no UTF-8
        "c249010000000000000000",  # bignum: a tag
        "c11a514b67b0",  # a date: a tag
        "d81c8100",  # a shared value
        "d81d00",  # a reference to a shared value
        "81" * 40 + "00",  # lists forty deep
    ],
)
def test_what_is_no_cbor_of_ours_at_all(encoded: str) -> None:
    with pytest.raises(cbor.CborError):
        cbor.decode(bytes.fromhex(encoded))


@pytest.mark.parametrize(
    "encoded",
    [
        "f93c00",  # a float
        "fb3ff199999999999a",  # a float
        "f7",  # undefined
        "f0",  # a simple value
        "a1616101",  # a text key
        "a1f501",  # a boolean key
        "a14101f6",  # a byte string key
        "d903e800",  # a tag that nobody knows
        "a201023903e701",  # a small negative key beside others: the two key orders differ
        "a23a00010000f61b0000000100000000f6",  # a huge key beside a private one: they differ again
    ],
)
def test_values_that_may_not_be_sealed(encoded: str) -> None:
    with pytest.raises(cbor.CborError):
        cbor.decode(bytes.fromhex(encoded))


def test_sharing_that_multiplies_is_refused_before_it_is_unfolded() -> None:
    """A few bytes of shared references stand for 2**30 members."""
    bomb = b"\xd8\x1c\x80"
    for level in range(30):
        bomb = b"\xd8\x1c\x82" + bomb + b"\xd8\x1d" + bytes([0x18, level])
    with pytest.raises(cbor.CborError):
        cbor.decode(bomb)


@pytest.mark.parametrize(
    "value",
    [1.0, {"a": 1}, {True: 1}, {b"k": 1}, {-100: 1, 1: 2}, {1 << 32: 1, -65537: 2}, {1}, 1 << 64, -(1 << 64) - 1],
)
def test_values_that_cannot_be_written(value: object) -> None:
    with pytest.raises(cbor.CborError) as caught:
        cbor.encode(value)
    assert caught.value.reason == "cbor_not_permitted"


def test_size_is_looked_at_first() -> None:
    with pytest.raises(cbor.CborError) as caught:
        cbor.decode(bytes(100), max_bytes=99)
    assert caught.value.reason == "cbor_oversized"


keys = st.one_of(
    st.sets(st.integers(-24, 23), max_size=5),
    st.sets(st.one_of(st.integers(0, (1 << 32) - 1), st.integers(-(1 << 64), -65537)), max_size=5),
)
values = st.recursive(
    st.one_of(
        st.integers(-(1 << 64), (1 << 64) - 1), st.booleans(), st.none(), st.binary(max_size=30), st.text(max_size=30)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        keys.flatmap(lambda names: st.fixed_dictionaries(dict.fromkeys(names, inner))),
    ),
    max_leaves=12,
)


def bytewise(value: object) -> bytes:
    """RFC 8949 section 4.2.1, written plainly: map keys sorted by the bytes of their encodings."""
    if isinstance(value, dict):
        pairs = sorted((bytewise(key), bytewise(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, tuple):
        return head(4, len(value)) + b"".join(map(bytewise, value))
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if value is None or isinstance(value, bool):
        return {False: b"\xf4", True: b"\xf5", None: b"\xf6"}[value]
    assert isinstance(value, int)
    return head(0, value) if value >= 0 else head(1, -1 - value)


def head(major: int, number: int) -> bytes:
    """Section 3: the shortest head."""
    if number < 24:
        return bytes([major << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << (8 * size))
    return bytes([major << 5 | 24 + (1, 2, 4, 8).index(size)]) + number.to_bytes(size)


@given(values)
def test_encoding_is_the_standards_and_reads_back(value: object) -> None:
    encoded = cbor.encode(value)
    assert encoded == bytewise(value)
    assert cbor.encode(cbor.decode(encoded)) == encoded


@given(st.binary(max_size=60))
def test_any_bytes_are_read_in_their_one_form_or_refused(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except cbor.CborError:
        return
    assert cbor2.dumps(value, canonical=True) == data


@given(st.dictionaries(st.integers(-24, 23), st.integers(0, 5), min_size=2, max_size=8), st.randoms())
def test_a_map_in_any_other_order_is_refused(value: dict[int, int], random: object) -> None:
    """Section 4.2.1: keys stand in the bytewise order of their encodings, at whatever depth the map lies."""
    shuffled = list(value.items())
    random.shuffle(shuffled)
    in_order = [key for key, _ in shuffled] == sorted(value, key=lambda key: (key < 0, abs(key)))
    for data in (cbor2.dumps(dict(shuffled)), cbor2.dumps([{5: dict(shuffled)}])):
        if in_order:
            assert cbor2.dumps(cbor.decode(data), canonical=True) == data
            continue
        with pytest.raises(cbor.CborError) as caught:
            cbor.decode(data)
        assert caught.value.reason == "cbor_not_canonical"
