"""The IEEE 2030.5 certificate profile: each rule by a chain that breaks it alone, and what else must be refused."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from wattseal.certs.device_certificate import (
    authority_objections,
    is_issued_by,
    is_self_signed,
    objections,
    require_device_chain,
)
from wattseal.certs.device_pki import Bad, DevicePki, make_device_pki
from wattseal.certs.device_profile import (
    DeviceCertificateError,
    Ground,
    hardware_name_of,
    is_authority,
    policies_of,
)
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.hardware_name import HardwareName, HardwareNameError
from wattseal.certs.identity import (
    CertificateError,
    completed_pin,
    has_check_digit,
    is_pin,
    pin_of,
    read_certificates,
    require_lfdi,
    sfdi_of,
)
from wattseal.certs.lab_pki import make_test_pki
from wattseal.certs.tls import TlsIdentity

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
Chain = tuple[x509.Certificate, ...]

GROUND_OF = {
    Bad.MICA_CRITICAL_PURPOSE: Ground.EXTENDED_KEY_USAGE,
    Bad.MICA_NAME_CONSTRAINTS: Ground.NAME_CONSTRAINTS,
    Bad.MICA_POLICY_MAPPINGS: Ground.POLICY_MAPPINGS,
    Bad.MICA_POLICY_CONSTRAINTS: Ground.POLICY_CONSTRAINTS,
    Bad.SELF_SIGNED: Ground.SELF_SIGNED,
    Bad.RSA: Ground.KEY,
    Bad.P384: Ground.KEY,
    Bad.EXPIRED: Ground.EXPIRED,
    Bad.ENDS: Ground.NOT_AFTER,
    Bad.SUBJECT: Ground.SUBJECT,
    Bad.NO_POLICIES: Ground.POLICIES_MISSING,
    Bad.NO_DEVICE_TYPE: Ground.DEVICE_TYPE,
    Bad.NO_NAME: Ground.ALTERNATIVE_NAME_MISSING,
    Bad.NO_KEY_AGREEMENT: Ground.KEY_USAGE,
    Bad.POLICIES_NOT_CRITICAL: Ground.POLICIES_NOT_CRITICAL,
    Bad.NAME_NOT_CRITICAL: Ground.ALTERNATIVE_NAME_NOT_CRITICAL,
    Bad.KEY_USAGE_NOT_CRITICAL: Ground.KEY_USAGE_NOT_CRITICAL,
    Bad.AUTHORITY_KEY_CRITICAL: Ground.AUTHORITY_KEY_CRITICAL,
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("devices"), now=NOW)


def chain_of(pki: DevicePki, identity: TlsIdentity) -> Chain:
    """What the identity shows, and the root unless it signed itself."""
    shown = read_certificates(identity.certificate.read_bytes())
    return shown if is_self_signed(shown[-1]) else (*shown, *read_certificates(pki.authority.read_bytes()))


def key_of(file: Path) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(file.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def grounds(chain: Chain, now: datetime = NOW) -> list[Ground]:
    return [one.reason for one in objections(chain, now)]


@pytest.mark.parametrize(
    ("name", "length"),
    [("device", 4), ("device_chain_3", 3), ("device_chain_2", 2), ("aggregator", 4), ("server", 4)],
)
def test_chains_of_two_three_and_four_are_accepted(pki: DevicePki, name: str, length: int):
    """COMM-004: SERCA -> device, SERCA -> MICA -> device, SERCA -> MCA -> MICA -> device."""
    chain = chain_of(pki, getattr(pki, name))
    assert len(chain) == length
    assert objections(chain, NOW) == ()
    assert objections([one.public_bytes(Encoding.DER) for one in chain], NOW) == ()
    require_device_chain(chain, NOW)


@pytest.mark.parametrize("kind", Bad)
def test_each_faulty_device_is_objected_to_for_its_fault_alone(pki: DevicePki, kind: Bad):
    """COMM-004: MICA with critical EKU, name or policy-mapping fault, self-signed; and each rule for device fields."""
    chain = chain_of(pki, pki.bad[kind])
    assert grounds(chain) == [GROUND_OF[kind]]
    with pytest.raises(DeviceCertificateError) as caught:
        require_device_chain(chain, NOW)
    assert isinstance(caught.value, PeerError)
    assert caught.value.reason == GROUND_OF[kind]
    assert caught.value.sentence == caught.value.objections[0].sentence
    assert caught.value.sentence.endswith(".")
    require_device_chain(chain, NOW, tolerated={GROUND_OF[kind]})


def test_every_kind_of_fault_is_expected(pki: DevicePki):
    assert set(GROUND_OF) == set(Bad) == set(pki.bad)


def test_host_names_are_one_objection_that_can_be_tolerated(pki: DevicePki):
    """The alternative name is *one* otherName; servers in the field have host names besides."""
    chain = chain_of(pki, pki.named_server)
    assert grounds(chain) == [Ground.ALTERNATIVE_NAME_MORE]
    require_device_chain(chain, NOW, tolerated={Ground.ALTERNATIVE_NAME_MORE})


def test_an_ordinary_certificate_is_objected_to_on_many_grounds(tmp_path):
    """One made for OpenADR: named subject, an end, other usages, no hardware name, no device type."""
    lab = make_test_pki(tmp_path, now=NOW)
    chain = (*read_certificates(lab.ven_ec.certificate.read_bytes()), *read_certificates(lab.authority.read_bytes()))
    assert grounds(chain) == [
        Ground.SUBJECT, Ground.NOT_AFTER, Ground.KEY_USAGE, Ground.ALTERNATIVE_NAME_MISSING, Ground.POLICIES_MISSING,
    ]  # fmt: skip


def test_times_of_every_certificate_count(pki: DevicePki):
    chain = chain_of(pki, pki.device)
    early = NOW - timedelta(days=1)
    assert grounds(chain, early) == [Ground.NOT_YET_VALID] * 4
    assert grounds(chain, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)) == []


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (lambda chain: chain[:3], [Ground.CHAIN_INCOMPLETE]),
        (lambda chain: chain[:1], [Ground.CHAIN_INCOMPLETE]),
        (lambda chain: (chain[0], chain[2], chain[3]), [Ground.CHAIN_BROKEN]),
        (lambda chain: (chain[0], chain[2], chain[1], chain[3]), [Ground.PATH_LENGTH] + [Ground.CHAIN_BROKEN] * 3),
    ],
)
def test_links_are_checked(pki: DevicePki, broken: Callable[[Chain], Chain], expected: list[Ground]):
    assert grounds(broken(chain_of(pki, pki.device))) == expected


def test_a_chain_without_its_root_is_judged_as_far_as_it_goes(pki: DevicePki):
    assert objections(chain_of(pki, pki.device)[:3], NOW, to_root=False) == ()


def test_an_authority_of_the_same_name_but_another_key_is_no_issuer(pki: DevicePki, tmp_path):
    """Names alone prove nothing: the other hierarchy has the same names throughout."""
    other = make_device_pki(tmp_path, now=NOW)
    ours, theirs = chain_of(pki, pki.device), chain_of(other, other.device)
    assert ours[1].subject == theirs[1].subject
    assert not is_issued_by(ours[0], theirs[1])
    assert grounds((ours[0], *theirs[1:])) == [Ground.CHAIN_BROKEN]


def test_an_authority_does_not_pass_for_a_device(pki: DevicePki):
    mica = chain_of(pki, pki.device)[1:]
    assert is_authority(mica[0])
    assert Ground.BASIC_CONSTRAINTS in grounds(mica)
    assert authority_objections(mica, NOW) == ()
    assert not is_authority(chain_of(pki, pki.device)[0])


def test_a_device_does_not_pass_for_an_authority(pki: DevicePki):
    """The classic: a device's key signs another device's certificate."""
    chain = chain_of(pki, pki.device_chain_2)
    victim = chain_of(pki, pki.server)[0]
    forged = _copy(victim, key_of(pki.device_chain_2.key), issuer=chain[0].subject)
    found = grounds((forged, *chain))
    assert is_issued_by(forged, chain[0])
    assert found == [Ground.BASIC_CONSTRAINTS, Ground.KEY_USAGE, Ground.SUBJECT_KEY_MISSING]
    long = grounds((forged, *chain_of(pki, pki.device)))
    assert Ground.CHAIN_LONG in long


def test_one_certificate_has_one_form(pki: DevicePki):
    """The count of unused bits before a signature is under no signature: changed, it would give another LFDI."""
    chain = chain_of(pki, pki.device)
    signer, told = key_of(pki.authority.with_name("mica.key")), False
    while not told:  # every other signature is even, which the other count needs
        again = _copy(chain[0], signer)
        der, tail = again.public_bytes(Encoding.DER), again.signature
        changed = der[: -len(tail) - 1] + b"\x01" + tail
        if tail[-1] & 1 == 0:
            assert grounds((again, *chain[1:])) == []
            assert [one.reason for one in objections((changed, *chain[1:]), NOW)] == [Ground.MALFORMED]
            told = True


def test_no_chain_is_a_misuse():
    with pytest.raises(MisuseError) as caught:
        objections((), NOW)
    assert caught.value.reason == "chain_empty"


def _copy(
    certificate: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    *,
    issuer: x509.Name | None = None,
    changed: dict[ObjectIdentifier, x509.ExtensionType] | None = None,
    marked: dict[ObjectIdentifier, bool] | None = None,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    """The same certificate once more with other extensions, signed by another key."""
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer if issuer is None else issuer)
        .public_key(key)
        .serial_number(1)
        .not_valid_before(certificate.not_valid_before_utc)
        .not_valid_after(certificate.not_valid_after_utc)
    )
    values = {one.oid: (one.value, one.critical) for one in certificate.extensions}
    values |= {oid: (value, True) for oid, value in (changed or {}).items()}
    for oid, (value, critical) in values.items():
        builder = builder.add_extension(value, (marked or {}).get(oid, critical))
    return builder.sign(signer, hash_algorithm or hashes.SHA256())


def _name_of(*names: x509.GeneralName) -> dict[ObjectIdentifier, x509.ExtensionType]:
    return {ExtensionOID.SUBJECT_ALTERNATIVE_NAME: x509.SubjectAlternativeName(names)}


def _hardware(value: bytes) -> x509.OtherName:
    return x509.OtherName(ObjectIdentifier("1.3.6.1.5.5.7.8.4"), value)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (_name_of(x509.DNSName("inverter.example")), Ground.ALTERNATIVE_NAME),
        (_name_of(_hardware(b"\x04\x01a")), Ground.ALTERNATIVE_NAME),
        (_name_of(_hardware(HardwareName("2.5.29.17", b"1").encode())), Ground.ALTERNATIVE_NAME),
        (_name_of(_hardware(HardwareName("1.3.6.1.4.1.32473.1", b"").encode())), Ground.ALTERNATIVE_NAME),
        ({ObjectIdentifier("1.3.6.1.4.1.32473.9"): x509.UnrecognizedExtension(
            ObjectIdentifier("1.3.6.1.4.1.32473.9"), b"\x05\x00")}, Ground.EXTENSION),
        ({ExtensionOID.BASIC_CONSTRAINTS: x509.BasicConstraints(ca=True, path_length=None)}, Ground.BASIC_CONSTRAINTS),
        ({ExtensionOID.EXTENDED_KEY_USAGE: x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH])},
         Ground.EXTENDED_KEY_USAGE),
    ],
)  # fmt: skip
def test_fields_of_a_device(pki: DevicePki, changed: dict[ObjectIdentifier, x509.ExtensionType], expected: Ground):
    chain = chain_of(pki, pki.device)
    assert grounds((_copy(chain[0], key_of(pki.authority.with_name("mica.key")), changed=changed), *chain[1:])) == [
        expected
    ]


def test_extra_key_usages_signature_hash_and_critical_key_identifiers(pki: DevicePki):
    chain = chain_of(pki, pki.device)
    usage = x509.KeyUsage(True, False, False, False, True, False, False, True, False)  # encipherOnly too
    changed = _copy(chain[0], key_of(pki.authority.with_name("mica.key")), changed={ExtensionOID.KEY_USAGE: usage})
    assert grounds((changed, *chain[1:])) == [Ground.KEY_USAGE]
    other_hash = _copy(chain[0], key_of(pki.authority.with_name("mica.key")), hash_algorithm=hashes.SHA384())
    assert grounds((other_hash, *chain[1:])) == [Ground.SIGNATURE_ALGORITHM]


@pytest.mark.parametrize(
    ("oid", "expected"),
    [
        (ExtensionOID.BASIC_CONSTRAINTS, Ground.BASIC_CONSTRAINTS_NOT_CRITICAL),
        (ExtensionOID.KEY_USAGE, Ground.KEY_USAGE_NOT_CRITICAL),
        (ExtensionOID.SUBJECT_KEY_IDENTIFIER, Ground.SUBJECT_KEY_CRITICAL),
    ],
)
def test_what_an_authority_must_mark(pki: DevicePki, oid: ObjectIdentifier, expected: Ground):
    """CAs: critical basicConstraints and key usage; key identifiers not."""
    key = key_of(pki.authority.with_name("mca.key"))
    chain = chain_of(pki, pki.device)
    wrong = _copy(chain[1], key, marked={oid: expected is Ground.SUBJECT_KEY_CRITICAL})
    assert grounds((chain[0], wrong, *chain[2:])) == [expected]


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")  # serial numbers below zero
@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_is_objected_to_or_unreadable(pki: DevicePki, bit: int):
    """No bit of a device's certificate can change unseen, and only the documented error escapes."""
    chain = chain_of(pki, pki.device)
    sound = chain[0].public_bytes(Encoding.DER)
    told = 0
    for place in range(len(sound)):
        der = sound[:place] + bytes([sound[place] ^ 1 << bit]) + sound[place + 1 :]
        try:
            found = objections((der, *chain[1:]), NOW)
        except CertificateError:
            continue
        assert found, place
        told += 1
    assert told > 100


def test_the_pin_on_a_peer(pki: DevicePki):
    """The LFDI is the first 160 bits of the hash over DER; `openssl` computes it here."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl tool is not installed")
    printed = subprocess.run(
        ["openssl", "x509", "-in", str(pki.server.certificate), "-noout", "-fingerprint", "-sha256"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    expected = printed.split("=")[1].strip().replace(":", "")[:40]
    der = chain_of(pki, pki.server)[0].public_bytes(Encoding.DER)
    require_lfdi(der, expected)
    require_lfdi(der, expected.lower())
    with pytest.raises(PeerError) as caught:
        require_lfdi(chain_of(pki, pki.device)[0].public_bytes(Encoding.DER), expected)
    assert caught.value.reason == "lfdi_mismatch"
    assert expected in caught.value.sentence
    with pytest.raises(MisuseError):
        require_lfdi(der, expected[:39])


def test_check_digits_of_the_published_examples():
    """IEEE 2030.5: SFDI 167261211391 of an LFDI that begins 3E4F45AB3; the laboratories' PIN 11111 is 111115."""
    assert sfdi_of("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5") == "167261211391"
    assert has_check_digit("167261211391")
    assert not has_check_digit("16726121139")
    assert pin_of("11111") == "111115"
    assert pin_of("00000") == "000000"
    assert pin_of("12345") == "123455"
    assert completed_pin("11111") == completed_pin("111115") == "111115"


@given(st.integers(0, 99_999))
def test_one_pin_in_ten_has_the_right_check_digit(number: int):
    """On the wire it is a number: zeros in front are lost, and it is a PIN all the same."""
    whole = int(pin_of(f"{number:05}"))
    assert whole // 10 == number
    assert [is_pin(number * 10 + digit) for digit in range(10)].count(True) == 1
    assert is_pin(whole)


@pytest.mark.parametrize("wrong", ["", "1111", "1111a", "11111\n", "\uff11" * 5])
def test_no_pin_of_what_is_no_pin(wrong: str):
    with pytest.raises(MisuseError):
        pin_of(wrong)
    with pytest.raises(MisuseError):
        completed_pin(wrong)


@pytest.mark.parametrize("wrong", ["111114", "1111150", "111115\n"])
def test_a_wrong_check_digit_is_told(wrong: str):
    with pytest.raises(MisuseError) as caught:
        completed_pin(wrong)
    assert caught.value.reason == "pin_check_digit"
    assert not is_pin(1_000_005)
    assert not is_pin(-5)


def test_a_hardware_name_as_rfc_4108_draws_it():
    """SEQUENCE { OBJECT IDENTIFIER 1.3.6.1.4.1.32473.1, OCTET STRING "A1" }, by hand: 32473 is 81 FD 59 in base 128."""
    der = bytes.fromhex("300f 0609 2b06010401 81fd59 01 0402 4131")
    assert HardwareName("1.3.6.1.4.1.32473.1", b"A1").encode() == der
    assert HardwareName.decode(der) == HardwareName("1.3.6.1.4.1.32473.1", b"A1")


@given(st.lists(st.integers(0, 2**40), max_size=6), st.integers(0, 2), st.integers(0, 39), st.binary(max_size=300))
def test_hardware_names_round_trip(arcs: list[int], top: int, second: int, serial: bytes):
    name = HardwareName(".".join(map(str, (top, second, *arcs))), serial)
    assert HardwareName.decode(name.encode()) == name
    with pytest.raises(HardwareNameError):
        HardwareName.decode(name.encode() + b"\x00")
    with pytest.raises(HardwareNameError):
        HardwareName.decode(name.encode()[:-1])


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda rest: b"\x30" + bytes([len(rest)]) + rest))
def test_one_form_only_of_a_hardware_name(data: bytes):
    """What is read is written back byte for byte; everything else is the documented error."""
    try:
        name = HardwareName.decode(data)
    except HardwareNameError:
        return
    assert name.encode() == data


def test_readers_of_a_certificate(pki: DevicePki):
    device = chain_of(pki, pki.aggregator)[0]
    assert hardware_name_of(device) == HardwareName("1.3.6.1.4.1.32473.1", b"aggregator")
    assert policies_of(device) == ("1.3.6.1.4.1.40732.1.1", "1.3.6.1.4.1.40732.2.1", "1.3.6.1.4.1.40732.2.3")
    bare = chain_of(pki, pki.bad[Bad.NO_POLICIES])[0]
    assert policies_of(bare) == ()
    assert hardware_name_of(chain_of(pki, pki.bad[Bad.NO_NAME])[0]) is None
    assert device.subject.get_attributes_for_oid(NameOID.COMMON_NAME) == []
