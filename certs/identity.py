"""Who a certificate says somebody is: reading X.509, and the short names that two grid protocols derive from it.

    OpenADR fingerprint   the last 10 bytes of SHA-256 over the DER certificate, upper hex with colons
    LFDI                  the first 160 bits of the same hash, 40 upper hex digits (IEEE 2030.5)
    SFDI                  its first 36 bits as a decimal number and a digit that makes the digit sum a multiple of 10
    PIN                   no name but a number told apart from the certificate: five digits and the same check digit

All are hashes over the *whole* certificate: a renewed one has new names, and hashing the PEM text gives wrong ones. The
OpenADR fingerprint has 80 bits only, so `sha256` is kept beside it. Nothing here says that a certificate is trusted:
that is the chain's and the caller's matter. Knows no message of any protocol.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from wattseal.certs.errors import MisuseError, PeerError, WorldError

LFDI_DIGITS: Final = 40
_SFDI_DIGITS: Final = 9  # 36 bits
_FINGERPRINT_BYTES: Final = 10
_LFDI: Final = re.compile(r"[0-9A-Fa-f]{40}\Z")
_PIN_DIGITS: Final = re.compile(r"[0-9]{5}\Z")
_PIN_MOST: Final = 999_999


class CertificateError(PeerError):
    """Bytes that are no X.509 certificate, or one that cannot be read."""


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """The other end of a mutually authenticated connection, by its certificate.

    `fingerprint` is OpenADR's, `sha256` the whole hash (lower hex), `subject` the name in RFC 4514 form.
    """

    fingerprint: str
    sha256: str
    subject: str


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What one certificate says. Times are aware UTC; `key_type` reads like "EC secp256r1" or "RSA 2048"."""

    subject: str
    common_name: str | None
    issuer: str
    serial_number: int
    not_before: datetime
    not_after: datetime
    key_type: str
    sha256: str
    openadr_fingerprint: str
    lfdi: str
    sfdi: str

    @property
    def peer(self) -> PeerIdentity:
        """The same certificate as the peer of a connection."""
        return PeerIdentity(self.openadr_fingerprint, self.sha256, self.subject)

    def valid_at(self, now: datetime) -> bool:
        """Whether `now` (aware) lies within the validity, both ends included."""
        return self.not_before <= now <= self.not_after


def describe(certificate: x509.Certificate | bytes) -> CertificateFacts:
    """The facts of a certificate, given as such, as DER or as PEM (the first of the text).

    Raises `CertificateError` (`certificate_malformed`).
    """
    read = certificate if isinstance(certificate, x509.Certificate) else read_certificate(certificate)
    try:
        der = read.public_bytes(Encoding.DER)
        names = read.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        lfdi = lfdi_of(der)
        return CertificateFacts(
            subject=read.subject.rfc4514_string(),
            common_name=str(names[0].value) if names else None,
            issuer=read.issuer.rfc4514_string(),
            serial_number=read.serial_number,
            not_before=read.not_valid_before_utc,
            not_after=read.not_valid_after_utc,
            key_type=_key_type(read),
            sha256=hashlib.sha256(der).hexdigest(),
            openadr_fingerprint=openadr_fingerprint_of(der),
            lfdi=lfdi,
            sfdi=sfdi_of(lfdi),
        )
    except ValueError as error:
        raise CertificateError("certificate_malformed", f"The certificate cannot be read: {error}.") from error


def describe_file(path: Path) -> CertificateFacts:
    """The facts of the first certificate in a file. Raises WorldError (`certificate_unreadable`) besides."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WorldError("certificate_unreadable", f"Cannot read {path}: {error.strerror}.") from error
    return describe(content)


def read_certificate(data: bytes) -> x509.Certificate:
    """A certificate from DER or PEM. Raises `CertificateError` (`certificate_malformed`)."""
    try:
        if data.lstrip().startswith(b"-----BEGIN") or b"-----BEGIN CERTIFICATE-----" in data:
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        raise CertificateError("certificate_malformed", "These bytes are no X.509 certificate.") from error


def read_certificates(data: bytes) -> tuple[x509.Certificate, ...]:
    """All certificates of a PEM text in its order, or the one of DER bytes. Raises as `read_certificate`."""
    first = read_certificate(data)
    if b"-----BEGIN CERTIFICATE-----" not in data:
        return (first,)
    try:
        return tuple(x509.load_pem_x509_certificates(data))
    except (ValueError, x509.InvalidVersion) as error:
        raise CertificateError("certificate_malformed", "A later certificate of the file is broken.") from error


def openadr_fingerprint_of(der: bytes) -> str:
    """OpenADR's name of a DER certificate: ten bytes in upper hex with colons."""
    return hashlib.sha256(der).digest()[-_FINGERPRINT_BYTES:].hex(":").upper()


def lfdi_of(der: bytes) -> str:
    """IEEE 2030.5's long name of a DER certificate: 40 upper hex digits."""
    return hashlib.sha256(der).hexdigest()[:LFDI_DIGITS].upper()


def sfdi_of(lfdi: str) -> str:
    """IEEE 2030.5's short name that belongs to a long one: decimal digits, the last one a check digit.

    Raises MisuseError (`lfdi_malformed`) for anything but 40 hex digits.
    """
    if not _LFDI.match(lfdi):
        raise MisuseError("lfdi_malformed", f"{lfdi[:60]!r} is no LFDI: it has 40 hexadecimal digits.")
    digits = str(int(lfdi[:_SFDI_DIGITS], 16))
    return f"{digits}{check_digit_of(digits)}"


def check_digit_of(digits: str) -> str:
    """The decimal digit that makes the sum of all digits a multiple of 10 (IEEE 2030.5, for SFDI and PIN)."""
    return str(-sum(map(int, digits)) % 10)


def has_check_digit(number: str) -> bool:
    """Whether decimal text of two digits or more ends with its check digit."""
    return len(number) > 1 and number.isascii() and number.isdigit() and check_digit_of(number[:-1]) == number[-1]


def pin_of(digits: str) -> str:
    """A registration PIN from its five digits: six digits, the last one the check digit (11111 gives 111115).

    Raises MisuseError (`pin_malformed`).
    """
    if not _PIN_DIGITS.match(digits):
        raise MisuseError("pin_malformed", f"{digits[:20]!r} is no PIN: it has five digits before its check digit.")
    return f"{digits}{check_digit_of(digits)}"


def completed_pin(digits: str) -> str:
    """A PIN as a person types it: five digits get their check digit, six must have the right one.

    Raises MisuseError (`pin_malformed`, `pin_check_digit`).
    """
    whole = pin_of(digits[:5])
    if digits not in {whole[:5], whole}:
        sentence = f"{digits[:20]!r} is no PIN: after {whole[:5]} the check digit is {whole[-1]}, and nothing follows."
        raise MisuseError("pin_check_digit", sentence)
    return whole


def is_pin(number: int) -> bool:
    """Whether a number, as the wire carries it (zeros in front are lost), is a PIN with the right check digit."""
    return 0 <= number <= _PIN_MOST and has_check_digit(f"{number:06}")


def require_lfdi(der: bytes, expected: str) -> None:
    """The pin on a peer's certificate (DER): it must have the LFDI `expected` (40 hex digits of either case).

    Raises MisuseError (`lfdi_malformed`) and PeerError (`lfdi_mismatch`).
    """
    if not _LFDI.match(expected):
        raise MisuseError("lfdi_malformed", f"{expected[:60]!r} is no LFDI: it has 40 hexadecimal digits.")
    shown = lfdi_of(der)
    if shown != expected.upper():
        sentence = (
            f"The other end shows the LFDI {shown}, pinned is {expected.upper()}: somebody else answers there, or its "
            "certificate was renewed; ask its operator, and pin the new LFDI only on that word."
        )
        raise PeerError("lfdi_mismatch", sentence)


def _key_type(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        return "unknown"
    match key:
        case ec.EllipticCurvePublicKey():
            return f"EC {key.curve.name}"
        case rsa.RSAPublicKey() | dsa.DSAPublicKey():
            return f"{'RSA' if isinstance(key, rsa.RSAPublicKey) else 'DSA'} {key.key_size}"
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
    return type(key).__name__
