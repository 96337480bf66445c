"""The name that a device's maker gave it, as a certificate carries it: hardwareModuleName (RFC 4108, clause 5).

    HardwareModuleName ::= SEQUENCE { hwType OBJECT IDENTIFIER, hwSerialNum OCTET STRING }

It stands in the subject alternative name as an otherName. Reads and writes just that much DER, strictly. Knows no
certificate.
"""

from dataclasses import dataclass
from typing import Final

from wattseal.certs.errors import PeerError

HARDWARE_MODULE_NAME: Final = "1.3.6.1.5.5.7.8.4"
SEQUENCE: Final = 0x30
_OBJECT_IDENTIFIER: Final = 0x06
_OCTET_STRING: Final = 0x04
_SHORT_LENGTH: Final = 0x80  # lengths below stand in one byte
_LENGTH_BYTES_MOST: Final = 2
_ARC_BITS: Final = 7
_SECOND_ARCS: Final = 40  # under the arcs 0 and 1


class HardwareNameError(PeerError):
    """Bytes that are no hardwareModuleName (`hardware_name_malformed`)."""


@dataclass(frozen=True, slots=True)
class HardwareName:
    """`hw_type` is a dotted object identifier under the maker's enterprise number, `serial` any bytes."""

    hw_type: str
    serial: bytes

    def encode(self) -> bytes:
        """The DER form."""
        return encode_element(SEQUENCE, encode_oid(self.hw_type) + encode_element(_OCTET_STRING, self.serial))

    @classmethod
    def decode(cls, der: bytes) -> "HardwareName":
        """From DER, with nothing left over. Raises `HardwareNameError`."""
        body, after = _take(der, SEQUENCE)
        oid, rest = _take(body, _OBJECT_IDENTIFIER)
        serial, more = _take(rest, _OCTET_STRING)
        if after or more:
            raise _malformed("bytes are left over")
        return cls(_decode_arcs(oid), serial)


def encode_element(tag: int, content: bytes) -> bytes:
    """One DER element with a definite length."""
    size = len(content)
    if size < _SHORT_LENGTH:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, _SHORT_LENGTH | len(length))) + length + content


def encode_oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted text."""
    first, second, *arcs = map(int, dotted.split("."))
    return encode_element(_OBJECT_IDENTIFIER, b"".join(map(_encode_arc, (first * _SECOND_ARCS + second, *arcs))))


def _encode_arc(arc: int) -> bytes:
    groups = [arc & 0x7F]
    while arc := arc >> _ARC_BITS:
        groups.append(arc & 0x7F | 0x80)
    return bytes(reversed(groups))


def _decode_arcs(content: bytes) -> str:
    if not content or content[-1] & 0x80:
        raise _malformed("its object identifier is cut off")
    arcs: list[int] = []
    arc, fresh = 0, True
    for byte in content:
        if fresh and byte == 0x80:  # noqa: PLR2004 - a group of zeros in front is not the shortest form
            raise _malformed("its object identifier is not in the shortest form")
        arc, fresh = arc << _ARC_BITS | byte & 0x7F, False
        if not byte & 0x80:
            arcs.append(arc)
            arc, fresh = 0, True
    top = min(arcs[0] // _SECOND_ARCS, 2)
    return ".".join(map(str, (top, arcs[0] - top * _SECOND_ARCS, *arcs[1:])))


def _take(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, which must have that tag, and what follows it."""
    if len(data) < 2 or data[0] != tag:  # noqa: PLR2004 - tag and length
        raise _malformed(f"an element of tag {tag:#04x} is missing")
    size, start = data[1], 2
    if size >= _SHORT_LENGTH:
        count = size - _SHORT_LENGTH
        start = 2 + count
        size = int.from_bytes(data[2:start])
        shortest = (size.bit_length() + 7) // 8
        if not 1 <= count <= _LENGTH_BYTES_MOST or count != shortest or size < _SHORT_LENGTH:
            raise _malformed("a length is not in the shortest form")
    if len(data) < start + size:
        raise _malformed("it is cut off")
    return data[start : start + size], data[start + size :]


def _malformed(what: str) -> HardwareNameError:
    return HardwareNameError("hardware_name_malformed", f"The certificate's hardware name cannot be read: {what}.")
