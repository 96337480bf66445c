"""Names of a certificate: OpenADR fingerprint, LFDI and SFDI against known vectors, openssl and openleadr."""

import hashlib
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st
from openleadr.utils import certificate_fingerprint

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import (
    CertificateError,
    describe,
    describe_file,
    lfdi_of,
    openadr_fingerprint_of,
    read_certificate,
    sfdi_of,
)
from wattseal.certs.lab_pki import LabPki, make_test_pki

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> LabPki:
    return make_test_pki(tmp_path_factory.mktemp("pki"), now=NOW)


def test_sfdi_of_the_published_example():
    """IEEE 2030.5: LFDI 3E4F45AB3... gives SFDI 167261211391 (36 bits and a check digit)."""
    assert sfdi_of("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5") == "167261211391"
    assert sfdi_of("3e4f45ab31edfe5b67e343e5e4562e31984e23e5") == "167261211391"


@pytest.mark.parametrize(
    ("lfdi", "sfdi"),
    [
        ("0" * 40, "00"),
        ("F" * 40, "687194767357"),  # 2**36 - 1 has the digit sum 63
        ("000000001" + "0" * 31, "19"),
        ("00000000A" + "F" * 31, "109"),
    ],
)
def test_sfdi_at_its_borders(lfdi: str, sfdi: str):
    assert sfdi_of(lfdi) == sfdi


@given(st.binary(min_size=20, max_size=20))
def test_digits_of_an_sfdi_sum_to_a_multiple_of_ten(start: bytes):
    sfdi = sfdi_of(start.hex())
    assert sum(int(digit) for digit in sfdi) % 10 == 0
    assert int(sfdi) // 10 == int.from_bytes(start) >> (160 - 36)


@pytest.mark.parametrize("wrong", ["", "3E4F", "G" * 40, "0" * 41, "0" * 39 + "\n"])
def test_no_sfdi_of_what_is_no_lfdi(wrong: str):
    with pytest.raises(MisuseError) as caught:
        sfdi_of(wrong)
    assert caught.value.reason == "lfdi_malformed"


def test_names_are_hashes_of_the_der_form(pki: LabPki):
    """Not of the PEM text, which is a known mistake of others."""
    pem = pki.ven_ec.certificate.read_bytes()
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest().upper()
    facts = describe(pem)
    assert facts.sha256.upper() == digest
    assert facts.lfdi == digest[:40]
    assert facts.openadr_fingerprint.replace(":", "") == digest[-20:]
    assert facts.openadr_fingerprint.count(":") == 9


def test_fingerprint_is_the_one_that_openleadr_computes(pki: LabPki):
    for identity in (pki.ven_ec, pki.ven_rsa, pki.vtn_ec):
        text = identity.certificate.read_text()
        assert describe_file(identity.certificate).openadr_fingerprint == certificate_fingerprint(text)


def test_facts_are_those_that_openssl_prints(pki: LabPki):
    for identity, key_type in ((pki.vtn_ec, "EC secp256r1"), (pki.vtn_rsa, "RSA 2048")):
        facts = describe_file(identity.certificate)
        command = ["openssl", "x509", "-in", str(identity.certificate), "-noout", "-fingerprint", "-sha256", "-serial"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert facts.sha256.upper() in printed.replace(":", "")
        assert f"serial={facts.serial_number:X}" in printed.replace("serial=0", "serial=")
        assert facts.key_type == key_type


def test_der_pem_and_object_say_the_same(pki: LabPki):
    pem = pki.ven_ec.certificate.read_bytes()
    der = ssl.PEM_cert_to_DER_cert(pem.decode())
    certificate = x509.load_pem_x509_certificate(pem)
    assert describe(pem) == describe(der) == describe(certificate) == describe(b"a note before\n" + pem)
    assert read_certificate(der).public_bytes(Encoding.DER) == der
    assert lfdi_of(der) == describe(pem).lfdi
    assert openadr_fingerprint_of(der) == describe(pem).openadr_fingerprint


def test_subject_issuer_and_validity(pki: LabPki):
    facts = describe_file(pki.ven_ec.certificate)
    assert (facts.subject, facts.common_name, facts.issuer) == ("CN=ven-ec", "ven-ec", "CN=lab authority")
    assert facts.valid_at(NOW)
    assert not facts.valid_at(NOW - timedelta(hours=1))
    assert not facts.valid_at(NOW + timedelta(days=31))
    assert facts.peer.fingerprint == facts.openadr_fingerprint
    assert facts.peer.sha256 == facts.sha256


@pytest.mark.parametrize(
    "wrong", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\x30\x82"]
)
def test_what_is_no_certificate_is_refused(wrong: bytes):
    with pytest.raises(CertificateError) as caught:
        describe(wrong)
    assert caught.value.reason == "certificate_malformed"


@given(st.binary(max_size=200))
def test_only_the_documented_error_escapes(data: bytes):
    with pytest.raises(CertificateError):
        describe(data)


def test_a_missing_file_is_the_worlds_doing(tmp_path: Path):
    with pytest.raises(WorldError) as caught:
        describe_file(tmp_path / "none.pem")
    assert caught.value.reason == "certificate_unreadable"


def test_keys_of_the_lab_are_readable_by_their_owner_only(pki: LabPki):
    directory = pki.authority.parent
    assert {path.stat().st_mode & 0o777 for path in directory.glob("*.key")} == {0o600}
    assert len(list(directory.glob("*.key"))) == 7
