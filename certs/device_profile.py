"""The words of the IEEE 2030.5 certificate profile: identifiers, grounds of objection, and what a certificate says.

Judges nothing: `device_certificate` does. Knows no message of any protocol.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from wattseal.certs.errors import PeerError
from wattseal.certs.hardware_name import HARDWARE_MODULE_NAME, HardwareName, HardwareNameError

NEVER_ENDS: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
ENTERPRISES: Final = "1.3.6.1.4.1."
DEVICE_TYPES: Final[Mapping[str, str]] = {
    "1.3.6.1.4.1.40732.1.1": "generic device",
    "1.3.6.1.4.1.40732.1.2": "mobile device",
    "1.3.6.1.4.1.40732.1.3": "post-manufacture device",
}
POLICIES: Final[Mapping[str, str]] = {
    "1.3.6.1.4.1.40732.2.1": "test certificate",
    "1.3.6.1.4.1.40732.2.2": "self-signed",
    "1.3.6.1.4.1.40732.2.3": "service provider",
    "1.3.6.1.4.1.40732.2.4": "bulk-issued",
}
UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


class Ground(StrEnum):
    """Why a chain is objected to; stable codes."""

    MALFORMED = "certificate_malformed"
    VERSION = "version_not_3"
    KEY = "key_not_p256"
    SIGNATURE_ALGORITHM = "signature_not_ecdsa_sha256"
    SUBJECT = "subject_not_empty"
    NOT_AFTER = "end_not_99991231"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    KEY_USAGE = "key_usage_wrong"
    KEY_USAGE_NOT_CRITICAL = "key_usage_not_critical"
    ALTERNATIVE_NAME_MISSING = "alternative_name_missing"
    ALTERNATIVE_NAME_NOT_CRITICAL = "alternative_name_not_critical"
    ALTERNATIVE_NAME = "alternative_name_wrong"
    ALTERNATIVE_NAME_MORE = "alternative_name_more"
    POLICIES_MISSING = "policies_missing"
    POLICIES_NOT_CRITICAL = "policies_not_critical"
    DEVICE_TYPE = "device_type_missing"
    BASIC_CONSTRAINTS = "basic_constraints_wrong"
    BASIC_CONSTRAINTS_NOT_CRITICAL = "basic_constraints_not_critical"
    AUTHORITY_KEY_MISSING = "authority_key_missing"
    AUTHORITY_KEY_CRITICAL = "authority_key_critical"
    SUBJECT_KEY_MISSING = "subject_key_missing"
    SUBJECT_KEY_CRITICAL = "subject_key_critical"
    EXTENDED_KEY_USAGE = "extended_key_usage_critical"
    NAME_CONSTRAINTS = "name_constraints_present"
    POLICY_MAPPINGS = "policy_mappings_present"
    POLICY_CONSTRAINTS = "policy_constraints_present"
    EXTENSION = "extension_unknown_critical"
    SELF_SIGNED = "self_signed"
    CHAIN_BROKEN = "chain_broken"
    CHAIN_INCOMPLETE = "chain_incomplete"
    CHAIN_LONG = "chain_too_long"
    PATH_LENGTH = "path_length_exceeded"


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing that a peer would object to: the code, and a sentence that names the certificate."""

    reason: Ground
    sentence: str


class DeviceCertificateError(PeerError):
    """A peer's chain that the standard forbids. `reason` is the first objection's, `objections` has them all."""

    def __init__(self, objections: tuple[Objection, ...]) -> None:
        super().__init__(str(objections[0].reason), " ".join(one.sentence for one in objections))
        self.objections = objections


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it says of itself that it may issue others; False where that cannot be read."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (*UNREADABLE, x509.ExtensionNotFound):
        return False
    return found.ca


def hardware_name_of(certificate: x509.Certificate) -> HardwareName | None:
    """The hardwareModuleName, None where there is no readable one."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        others = names.get_values_for_type(x509.OtherName)
        wanted = (one for one in others if one.type_id.dotted_string == HARDWARE_MODULE_NAME)
        return next((HardwareName.decode(one.value) for one in wanted), None)
    except (*UNREADABLE, x509.ExtensionNotFound, HardwareNameError):
        return None


def policies_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The policies by dotted identifier, in the certificate's order; none where they cannot be read."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except (*UNREADABLE, x509.ExtensionNotFound):
        return ()
    return tuple(one.policy_identifier.dotted_string for one in found)
