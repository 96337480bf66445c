"""The test hierarchy as somebody else's tool reads it: `openssl x509` and `openssl verify`; files and modes."""

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from wattseal.certs.device_pki import Bad, DevicePki, make_device_pair, make_device_pki
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import describe_file, read_certificates
from wattseal.certs.tls import TlsIdentity

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl tool is not installed")
HARDWARE = "1.3.6.1.5.5.7.8.4"


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("devices"))


def identities(pki: DevicePki) -> dict[str, TlsIdentity]:
    sound = (pki.device, pki.device_chain_3, pki.device_chain_2, pki.aggregator, pki.server, pki.named_server)
    return {one.certificate.stem: one for one in (*sound, *pki.bad.values())}


def openssl(*words: str) -> str:
    return subprocess.run(["openssl", *words], check=True, capture_output=True, text=True).stdout


def text_of(file: Path) -> str:
    return openssl("x509", "-in", str(file), "-noout", "-text", "-certopt", "ext_parse")


def extension(text: str, name: str) -> str | None:
    """The words after an extension's name and its content line: "critical: Digital Signature, Key Agreement"."""
    found = re.search(rf"{name}: ?(critical)?\s*\n\s+(.*)\n", text)
    return f"{found[1] or 'plain'}: {found[2].strip()}" if found else None


@needs_openssl
@pytest.mark.parametrize("name", ["device", "device-chain-3", "device-chain-2", "server", "aggregator"])
def test_openssl_reads_the_fields_of_a_device(pki: DevicePki, name: str):
    """§2 of the profile: each field in the words of a tool that is not ours."""
    text = text_of(identities(pki)[name].certificate)
    assert "Version: 3 (0x2)" in text
    assert re.search(r"Subject: *\n", text)
    assert "Not After : Dec 31 23:59:59 9999 GMT" in text
    assert "ASN1 OID: prime256v1" in text
    assert text.count("Signature Algorithm: ecdsa-with-SHA256") == 2
    assert extension(text, "X509v3 Key Usage") == "critical: Digital Signature, Key Agreement"
    assert (extension(text, "X509v3 Subject Alternative Name") or "").startswith("critical: othername: ")
    policies = extension(text, "X509v3 Certificate Policies") or ""
    assert policies == "critical: Policy: 1.3.6.1.4.1.40732.1.1"
    assert "Policy: 1.3.6.1.4.1.40732.2.1" in text
    assert ("Policy: 1.3.6.1.4.1.40732.2.3" in text) == (name == "aggregator")
    assert (extension(text, "X509v3 Authority Key Identifier") or "").startswith("plain: ")
    assert "Extended Key Usage" not in text
    assert "Basic Constraints" not in text


@needs_openssl
def test_openssl_reads_the_hardware_name(pki: DevicePki):
    """OtherName {hardwareModuleName, SEQUENCE {hwType, hwSerialNum}}, in the tool's dump of the structure."""
    dump = openssl("asn1parse", "-in", str(pki.device.certificate), "-i")
    offset = re.search(r"X509v3 Subject Alternative Name\n.*BOOLEAN.*\n *(\d+):", dump)
    assert offset
    inner = openssl("asn1parse", "-in", str(pki.device.certificate), "-i", "-strparse", offset[1])
    found = [line.split("prim:")[1].split(":", 1) for line in inner.splitlines() if "prim:" in line]
    kinds = [(kind.strip(), value) for kind, value in found]
    assert [kind for kind, _ in kinds] == ["OBJECT", "OBJECT", "OCTET STRING"]
    assert kinds[0][1] in {HARDWARE, "1.3.6.1.5.5.7.8.4", "id-on-hardwareModuleName", "Hardware Module Name"}
    assert kinds[1][1] == "1.3.6.1.4.1.32473.1"
    assert kinds[2][1] == "device"


@needs_openssl
@pytest.mark.parametrize(
    ("name", "constraint"), [("serca", "CA:TRUE"), ("mca", "CA:TRUE, pathlen:1"), ("mica", "CA:TRUE, pathlen:0")]
)
def test_openssl_reads_the_fields_of_an_authority(pki: DevicePki, name: str, constraint: str):
    text = text_of(pki.authority.with_name(f"{name}.pem"))
    assert extension(text, "X509v3 Basic Constraints") == f"critical: {constraint}"
    assert extension(text, "X509v3 Key Usage") == "critical: Certificate Sign, CRL Sign"
    assert (extension(text, "X509v3 Subject Key Identifier") or "").startswith("plain: ")
    assert "ASN1 OID: prime256v1" in text


@needs_openssl
@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (Bad.MICA_CRITICAL_PURPOSE, r"X509v3 Extended Key Usage: critical"),
        (Bad.MICA_NAME_CONSTRAINTS, r"X509v3 Name Constraints: critical"),
        (Bad.MICA_POLICY_CONSTRAINTS, r"X509v3 Policy Constraints: critical"),
        (Bad.MICA_POLICY_MAPPINGS, r"X509v3 Policy Mappings: critical\n\s+1\.3\.6\.1\.4\.1\.40732\.1\.1:1\.3\.6\.1\.4"),
    ],
)
def test_openssl_sees_the_fault_of_each_authority(pki: DevicePki, kind: Bad, shown: str):
    """It is in the authority (the second certificate that the device shows), not in the device."""
    device, issuer, _ = read_certificates(pki.bad[kind].certificate.read_bytes())
    issuer_text = text_of(pki.authority.with_name(f"{kind}-issuer.pem"))
    assert re.search(shown, issuer_text)
    assert f"serial={issuer.serial_number:x}" in openssl(
        "x509", "-in", str(pki.authority.with_name(f"{kind}-issuer.pem")), "-noout", "-serial"
    ).lower().replace("serial=0", "serial=")  # fmt: skip
    assert device.issuer == issuer.subject
    assert not re.search(shown, text_of(pki.bad[kind].certificate))


@needs_openssl
@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (Bad.RSA, r"Public-Key: \(2048 bit\)[\s\S]*Exponent: 65537"),
        (Bad.P384, r"ASN1 OID: secp384r1"),
        (Bad.SUBJECT, r"Subject: CN ?= ?a device with a name"),
        (Bad.NO_KEY_AGREEMENT, r"X509v3 Key Usage: critical\n\s+Digital Signature\n"),
        (Bad.KEY_USAGE_NOT_CRITICAL, r"X509v3 Key Usage: \n\s+Digital Signature, Key Agreement\n"),
        (Bad.NAME_NOT_CRITICAL, r"X509v3 Subject Alternative Name: \n"),
        (Bad.POLICIES_NOT_CRITICAL, r"X509v3 Certificate Policies: \n"),
        (Bad.AUTHORITY_KEY_CRITICAL, r"X509v3 Authority Key Identifier: critical\n"),
    ],
)
def test_openssl_sees_the_fault_of_each_device(pki: DevicePki, kind: Bad, shown: str):
    assert re.search(shown, text_of(pki.bad[kind].certificate))
    assert not re.search(shown, text_of(pki.device.certificate))


@needs_openssl
def test_openssl_misses_what_is_left_out(pki: DevicePki):
    assert "Certificate Policies" not in text_of(pki.bad[Bad.NO_POLICIES].certificate)
    assert "Subject Alternative Name" not in text_of(pki.bad[Bad.NO_NAME].certificate)
    assert "40732.1." not in text_of(pki.bad[Bad.NO_DEVICE_TYPE].certificate)


@needs_openssl
def test_openssl_verifies_the_sound_chains_strictly(pki: DevicePki):
    """`-x509_strict` passes the profile; expired and self-signed it refuses by itself."""
    for name, identity in identities(pki).items():
        words = ("verify", "-x509_strict", "-CAfile", str(pki.authority), "-untrusted", str(identity.certificate))
        done = subprocess.run(["openssl", *words, str(identity.certificate)], check=False, capture_output=True)
        if not name.startswith("bad-"):
            assert done.returncode == 0, (name, done.stderr)
        if name in {Bad.EXPIRED, Bad.SELF_SIGNED}:
            assert done.returncode != 0, name


def test_files_keys_and_modes(pki: DevicePki):
    """Every key is its owner's alone and belongs to the certificate beside it; chains lead to the root, without it."""
    root = read_certificates(pki.authority.read_bytes())[0]
    for identity in identities(pki).values():
        assert identity.key.stat().st_mode & 0o777 == 0o600
        chain = read_certificates(identity.certificate.read_bytes())
        key = load_pem_private_key(identity.key.read_bytes(), None)
        assert key.public_key() == chain[0].public_key()
        assert root not in chain
    assert {path.stat().st_mode & 0o777 for path in pki.authority.parent.glob("*.key")} == {0o600}
    assert len({describe_file(one.certificate).lfdi for one in identities(pki).values()}) == 6 + len(Bad)


def test_nothing_is_overwritten(tmp_path: Path):
    make_device_pair(tmp_path, since=datetime(2026, 1, 1, tzinfo=UTC))
    before = (tmp_path / "serca.key").read_bytes()
    with pytest.raises(MisuseError) as caught:
        make_device_pki(tmp_path)
    assert caught.value.reason == "pki_exists"
    assert (tmp_path / "serca.key").read_bytes() == before


def test_a_place_that_cannot_be_written_is_the_worlds_doing(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WorldError) as caught:
            make_device_pki(place)
        assert caught.value.reason == "pki_unwritable"
        with pytest.raises(WorldError):
            make_device_pair(place, since=datetime(2026, 1, 1, tzinfo=UTC))
