"""TLS 1.2 with ECDHE-ECDSA-AES128-CCM8: real handshakes with each sound and faulty chain, at either end."""

import ssl
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from wattseal.certs.device_certificate import require_device_chain
from wattseal.certs.device_pki import Bad, DevicePki, make_device_pki
from wattseal.certs.device_profile import DeviceCertificateError
from wattseal.certs.errors import MisuseError, PeerError
from wattseal.certs.identity import describe_file, read_certificates, require_lfdi
from wattseal.certs.tls import (
    CCM8_CIPHERS,
    CCM8_OR_GCM_CIPHERS,
    TlsIdentity,
    ccm8_client,
    ccm8_server,
    mutual_tls_client,
    mutual_tls_server,
    peer_chain,
)
from wattseal.certs.tls_selftest import CCM8_SUITE, Handshake, ccm8_works, handshake

GCM_SUITE = "ECDHE-ECDSA-AES128-GCM-SHA256"
NOW = datetime.now(UTC)  # OpenSSL judges by the wall clock, so these certificates live by it
# What OpenSSL itself refuses; all others reach our own check.
REFUSED_BY_OPENSSL = {Bad.SELF_SIGNED, Bad.EXPIRED, Bad.AUTHORITY_KEY_CRITICAL, Bad.P384}


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("devices"), now=NOW)


def meet(pki: DevicePki, client: TlsIdentity, server: TlsIdentity | None = None) -> Handshake:
    return handshake(ccm8_server(server or pki.server, pki.authority), ccm8_client(client, pki.authority))


@pytest.mark.parametrize(
    ("name", "length"), [("device", 4), ("device_chain_3", 3), ("device_chain_2", 2), ("aggregator", 4)]
)
def test_each_sound_chain_at_either_end(pki: DevicePki, name: str, length: int):
    """COMM-003 and COMM-004: TLS 1.2, the one suite, chains of 2, 3 and 4; each end sees the other's whole chain."""
    identity: TlsIdentity = getattr(pki, name)
    own = [one.public_bytes(Encoding.DER) for one in read_certificates(identity.certificate.read_bytes())]
    met = meet(pki, identity)
    assert (met.version, met.suite) == ("TLSv1.2", "ECDHE-ECDSA-AES128-CCM8")
    chain = peer_chain(met.server)
    assert len(chain) == length
    assert list(chain[:-1]) == own
    assert chain[-1] == read_certificates(pki.authority.read_bytes())[0].public_bytes(Encoding.DER)
    require_device_chain(chain, NOW)
    require_lfdi(chain[0], describe_file(identity.certificate).lfdi)

    met = meet(pki, pki.device, server=identity)
    require_device_chain(peer_chain(met.client), NOW)
    assert len(peer_chain(met.client)) == length


@pytest.mark.parametrize("kind", Bad)
def test_each_faulty_device_is_refused_as_a_client(pki: DevicePki, kind: Bad):
    """By OpenSSL in the handshake, or by our own check after it; never by nobody."""
    if kind in REFUSED_BY_OPENSSL:
        with pytest.raises(ssl.SSLError):
            meet(pki, pki.bad[kind])
        return
    met = meet(pki, pki.bad[kind])
    assert met.suite == CCM8_SUITE
    with pytest.raises(DeviceCertificateError) as caught:
        require_device_chain(peer_chain(met.server), NOW)
    assert len(caught.value.objections) == 1


@pytest.mark.parametrize("kind", Bad)
def test_each_faulty_device_is_refused_as_a_server(pki: DevicePki, kind: Bad):
    """COMM-004 has the client refuse; an RSA key cannot serve the suite at all."""
    if kind in {*REFUSED_BY_OPENSSL, Bad.RSA}:
        with pytest.raises(ssl.SSLError):
            meet(pki, pki.device, server=pki.bad[kind])
        return
    met = meet(pki, pki.device, server=pki.bad[kind])
    with pytest.raises(DeviceCertificateError):
        require_device_chain(peer_chain(met.client), NOW)


def test_the_default_lists_do_not_meet_the_suite(pki: DevicePki):
    """Why the list is explicit: Python's default has no CCM8, so a peer that insists on it finds no shared cipher."""
    default = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.authority))
    default.load_cert_chain(pki.server.certificate, pki.server.key)
    with pytest.raises(ssl.SSLError):
        handshake(default, ccm8_client(pki.device, pki.authority))


@pytest.mark.parametrize(
    ("server", "client", "expected"),
    [
        (CCM8_OR_GCM_CIPHERS, CCM8_OR_GCM_CIPHERS, CCM8_SUITE),
        (CCM8_OR_GCM_CIPHERS, CCM8_CIPHERS, CCM8_SUITE),
        (CCM8_CIPHERS, CCM8_OR_GCM_CIPHERS, CCM8_SUITE),
        (CCM8_OR_GCM_CIPHERS, GCM_SUITE, GCM_SUITE),
        (GCM_SUITE, CCM8_OR_GCM_CIPHERS, GCM_SUITE),
        (CCM8_CIPHERS, GCM_SUITE, None),
    ],
)
def test_gcm_beside_it_where_both_ends_allow(pki: DevicePki, server: str, client: str, expected: str | None):
    """Australian deployments usually take GCM too; CCM8 goes first, and alone it meets nobody without."""
    ends = (ccm8_server(pki.server, pki.authority, server), ccm8_client(pki.device, pki.authority, client))
    if expected is None:
        with pytest.raises(ssl.SSLError):
            handshake(*ends)
        return
    assert handshake(*ends).suite == expected


@pytest.mark.parametrize("which", ["server", "client"])
def test_the_curve_is_p256_alone(pki: DevicePki, which: str):
    """A peer that offers P-384 only is met by neither end."""
    server = ccm8_server(pki.server, pki.authority)
    client = ccm8_client(pki.device, pki.authority)
    if which == "server":
        client = mutual_tls_client(pki.device, pki.authority, CCM8_CIPHERS, check_hostname=False)
        client.set_ecdh_curve("secp384r1")
    else:
        server = mutual_tls_server((pki.server,), pki.authority, CCM8_CIPHERS)
        server.set_ecdh_curve("secp384r1")
    with pytest.raises(ssl.SSLError):
        handshake(server, client)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_3])
def test_no_other_version(pki: DevicePki, version: ssl.TLSVersion):
    """Level 0 must not open older versions, nor does a peer of 1.3 alone get in."""
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    other.check_hostname = False
    other.set_ciphers("ALL:@SECLEVEL=0")
    other.minimum_version = version
    other.maximum_version = version
    other.load_verify_locations(pki.authority)
    other.load_cert_chain(pki.device.certificate, pki.device.key)
    with pytest.raises(ssl.SSLError):
        handshake(ccm8_server(pki.server, pki.authority), other)


def test_a_client_without_a_certificate_is_refused(pki: DevicePki):
    bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    bare.check_hostname = False
    bare.maximum_version = ssl.TLSVersion.TLSv1_2
    bare.set_ciphers(CCM8_CIPHERS)
    bare.load_verify_locations(pki.authority)
    with pytest.raises(ssl.SSLError):
        handshake(ccm8_server(pki.server, pki.authority), bare)


def test_another_hierarchy_is_refused_at_either_end(pki: DevicePki, tmp_path):
    """Same names throughout, other keys."""
    other = make_device_pki(tmp_path, now=NOW)
    with pytest.raises(ssl.SSLError):
        meet(pki, other.device)
    with pytest.raises(ssl.SSLError):
        handshake(ccm8_server(other.server, pki.authority), ccm8_client(pki.device, pki.authority))


def test_strict_verification_takes_the_profile(pki: DevicePki):
    server, client = ccm8_server(pki.server, pki.authority), ccm8_client(pki.device, pki.authority)
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert handshake(server, client).suite == CCM8_SUITE


def test_host_names_are_checked_only_where_asked(pki: DevicePki):
    """Device certificates carry none; a server that has one is found under it."""
    strict = ccm8_client(pki.device, pki.authority, check_hostname=True)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(ccm8_server(pki.server, pki.authority), strict)
    named = ccm8_server(pki.named_server, pki.authority)
    assert handshake(named, strict, "localhost").suite == CCM8_SUITE
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(named, strict, "elsewhere.example")


def test_the_pin_tells_a_server_from_a_device_under_the_same_root(pki: DevicePki):
    """Without host names any certificate under the root can stand there; the pinned LFDI cannot be borrowed."""
    pinned = describe_file(pki.server.certificate).lfdi
    require_lfdi(peer_chain(meet(pki, pki.device).client)[0], pinned)
    impostor = meet(pki, pki.device, server=pki.device_chain_2)
    with pytest.raises(PeerError) as caught:
        require_lfdi(peer_chain(impostor.client)[0], pinned)
    assert caught.value.reason == "lfdi_mismatch"


def test_no_chain_of_a_peer_that_showed_none(pki: DevicePki):
    open_server = ccm8_server(pki.server, pki.authority)
    open_server.verify_mode = ssl.CERT_NONE
    assert peer_chain(handshake(open_server, ccm8_client(pki.device, pki.authority)).server) == ()


def test_an_unknown_list_is_a_misuse(pki: DevicePki):
    with pytest.raises(MisuseError) as caught:
        ccm8_server(pki.server, pki.authority, "NO-SUCH-SUITE")
    assert caught.value.reason == "tls_ciphers_unknown"


def test_the_self_test_says_what_this_openssl_can():
    tested = ccm8_works()
    assert (tested.works, tested.openssl) == (True, ssl.OPENSSL_VERSION)
    assert ssl.OPENSSL_VERSION in tested.sentence
    assert CCM8_SUITE in tested.sentence


@pytest.mark.parametrize("ciphers", ["NO-SUCH-SUITE", GCM_SUITE])
def test_the_self_test_says_plainly_when_it_cannot(ciphers: str):
    """A build without the suite: the list is unknown, or another suite is agreed on."""
    tested = ccm8_works(ciphers)
    assert not tested.works
    assert "cannot speak TLS 1.2 with ECDHE-ECDSA-AES128-CCM8" in tested.sentence
    assert ssl.OPENSSL_VERSION in tested.sentence


def test_the_self_test_never_raises(monkeypatch: pytest.MonkeyPatch, tmp_path):
    """Nowhere to write its certificates, or a handshake that fails: it is said, not raised."""
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert not ccm8_works().works
    monkeypatch.undo()
    monkeypatch.setattr(ssl.SSLContext, "set_ecdh_curve", lambda *_: None)
    monkeypatch.setattr(ssl.SSLObject, "do_handshake", _fail)
    tested = ccm8_works()
    assert not tested.works
    assert "broken build" in tested.sentence


def _fail(_: ssl.SSLObject) -> None:
    raise ssl.SSLError(1, "broken build")
