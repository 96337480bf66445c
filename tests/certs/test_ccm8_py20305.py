"""Certificates and contexts against an IEEE 2030.5 client that is not ours (py20305)."""

import ssl

import pytest

from wattseal.certs.device_pki import Bad, DevicePki, make_device_pki
from wattseal.certs.identity import describe_file
from wattseal.certs.tls import TlsIdentity, ccm8_client, ccm8_server, peer_chain
from wattseal.certs.tls_selftest import CCM8_SUITE, Handshake, handshake

identity = pytest.importorskip("py20305.security.identity", reason="py20305 is not installed")
theirs = pytest.importorskip("py20305.client.tls", reason="py20305 is not installed")


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("devices"))


def meet(pki: DevicePki, device: TlsIdentity, server: TlsIdentity) -> Handshake:
    """Their client with one of our identities at our server."""
    config = theirs.TlsConfig(device.certificate, device.key, pki.authority, check_hostname=False)
    return handshake(ccm8_server(server, pki.authority), theirs.create_ssl_context(config))


def test_the_names_are_theirs(pki: DevicePki):
    """LFDI and SFDI by another implementation; it writes the LFDI in lower case."""
    for one in (pki.device, pki.aggregator, pki.server, *pki.bad.values()):
        facts = describe_file(one.certificate)
        assert identity.compute_lfdi(one.certificate.read_text()).upper() == facts.lfdi
        assert str(identity.compute_sfdi(facts.lfdi)) == facts.sfdi


def test_their_client_meets_our_server_and_accepts_every_sound_chain(pki: DevicePki):
    for server in (pki.device, pki.device_chain_3, pki.device_chain_2, pki.server):
        met = meet(pki, pki.device, server)
        assert (met.version, met.suite) == ("TLSv1.2", CCM8_SUITE)
        theirs.verify_ieee2030_5_chain(list(peer_chain(met.client)))
    client = ccm8_client(pki.device, pki.authority)
    assert handshake(ccm8_server(pki.server, pki.authority), client).suite == CCM8_SUITE


@pytest.mark.parametrize("kind", [Bad.MICA_CRITICAL_PURPOSE, Bad.MICA_POLICY_CONSTRAINTS])
def test_what_they_refuse_of_an_authority_is_made_here(pki: DevicePki, kind: Bad):
    """Both faults pass OpenSSL; their check after the handshake finds them in our test hierarchy."""
    met = meet(pki, pki.device, pki.bad[kind])
    with pytest.raises(ssl.SSLCertVerificationError):
        theirs.verify_ieee2030_5_chain(list(peer_chain(met.client)))
