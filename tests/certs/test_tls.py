"""Mutual TLS over real sockets, each suite that OpenADR 2.0b mandates, and every way it must fail."""

import contextlib
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import describe, describe_file
from wattseal.certs.lab_pki import LabPki, make_test_pki
from wattseal.certs.tls import TlsIdentity, mutual_tls_client, mutual_tls_server

ECDSA_SUITE = "ECDHE-ECDSA-AES128-SHA256"  # TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256
RSA_SUITE = "AES128-SHA256"  # TLS_RSA_WITH_AES_128_CBC_SHA256
BOTH = f"{ECDSA_SUITE}:{RSA_SUITE}"


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> LabPki:
    return make_test_pki(tmp_path_factory.mktemp("pki"))


@dataclass
class Met:
    """What each end saw."""

    version: str | None = None
    suite: str = ""
    client_der: bytes | None = None
    echoed: bytes = b""


def meet(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> Met:
    """One TLS connection over a socket pair, one message there and back. Raises what the client's end raises."""
    met = Met()
    near, far = socket.socketpair()
    near.settimeout(5)
    far.settimeout(5)

    def serve() -> None:
        with contextlib.suppress(ssl.SSLError, OSError), server.wrap_socket(far, server_side=True) as end:
            met.client_der = end.getpeercert(binary_form=True)
            end.sendall(end.recv(100))
        far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(near, server_hostname=name) as end:
            end.sendall(b"hello")
            met.echoed = end.recv(100)
            met.version, met.suite = end.version(), end.cipher()[0]
    finally:
        near.close()
        thread.join()
    return met


@pytest.mark.parametrize(
    ("suite", "client"),
    [(ECDSA_SUITE, "ven_ec"), (ECDSA_SUITE, "ven_rsa"), (RSA_SUITE, "ven_ec"), (RSA_SUITE, "ven_rsa")],
)
def test_each_mandated_suite_round_trip(pki: LabPki, suite: str, client: str):
    """One server with an EC and an RSA certificate serves both suites to clients with either."""
    identity: TlsIdentity = getattr(pki, client)
    server = mutual_tls_server((pki.vtn_ec, pki.vtn_rsa), pki.authority, BOTH)
    met = meet(server, mutual_tls_client(identity, pki.authority, suite))
    assert (met.version, met.suite, met.echoed) == ("TLSv1.2", suite, b"hello")
    assert met.client_der is not None
    assert describe(met.client_der) == describe_file(identity.certificate)


def test_pythons_own_context_refuses_the_rsa_suite(pki: LabPki):
    """Why the list is explicit: the default one of Python 3.10 and later lacks TLS_RSA_WITH_AES_128_CBC_SHA256."""
    default = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki.authority))
    default.load_cert_chain(pki.vtn_rsa.certificate, pki.vtn_rsa.key)
    assert RSA_SUITE not in {suite["name"] for suite in default.get_ciphers()}
    client = mutual_tls_client(pki.ven_rsa, pki.authority, RSA_SUITE)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        meet(default, client)
    assert meet(mutual_tls_server((pki.vtn_rsa,), pki.authority, BOTH), client).echoed == b"hello"


def test_a_client_without_a_certificate_is_refused(pki: LabPki):
    client = ssl.create_default_context(cafile=str(pki.authority))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, OSError)):
        meet(mutual_tls_server((pki.vtn_ec,), pki.authority, BOTH), client)


def test_a_client_under_another_authority_is_refused(pki: LabPki):
    client = mutual_tls_client(pki.stranger, pki.authority, BOTH)
    with pytest.raises((ssl.SSLError, OSError)):
        meet(mutual_tls_server((pki.vtn_ec,), pki.authority, BOTH), client)


def test_a_server_under_another_authority_is_refused(pki: LabPki):
    client = mutual_tls_client(pki.ven_ec, pki.authority.with_name("other-authority.pem"), BOTH)
    with pytest.raises(ssl.SSLCertVerificationError):
        meet(mutual_tls_server((pki.vtn_ec,), pki.authority, BOTH), client)


def test_the_servers_name_is_checked_unless_told_not_to(pki: LabPki):
    server = mutual_tls_server((pki.vtn_ec,), pki.authority, BOTH)
    with pytest.raises(ssl.SSLCertVerificationError):
        meet(server, mutual_tls_client(pki.ven_ec, pki.authority, BOTH), name="utility.example")
    lenient = mutual_tls_client(pki.ven_ec, pki.authority, BOTH, check_hostname=False)
    assert meet(server, lenient, name="utility.example").echoed == b"hello"


def test_no_other_version_than_1_2_is_spoken(pki: LabPki):
    client = ssl.create_default_context(cafile=str(pki.authority))
    client.load_cert_chain(pki.ven_ec.certificate, pki.ven_ec.key)
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises((ssl.SSLError, OSError)):
        meet(mutual_tls_server((pki.vtn_ec,), pki.authority, BOTH), client)


def test_mistakes_in_the_files_are_told_apart(pki: LabPki, tmp_path: Path):
    crossed = TlsIdentity(pki.ven_ec.certificate, pki.ven_rsa.key)
    swapped = TlsIdentity(pki.ven_ec.certificate, pki.vtn_ec.key)
    missing = TlsIdentity(pki.ven_ec.certificate, tmp_path / "none.key")
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("nothing")
    garbage.chmod(0o600)
    for identity, error, reason in (
        (crossed, MisuseError, "tls_key_mismatch"),
        (swapped, MisuseError, "tls_key_mismatch"),
        (missing, WorldError, "tls_file_unreadable"),
        (TlsIdentity(garbage, garbage), WorldError, "tls_file_unreadable"),
    ):
        with pytest.raises(error) as caught:
            mutual_tls_client(identity, pki.authority, BOTH)
        assert caught.value.reason == reason
    for authorities in (tmp_path / "none.pem", garbage):
        with pytest.raises(WorldError) as world:
            mutual_tls_client(pki.ven_ec, authorities, BOTH)
        assert world.value.reason == "tls_file_unreadable"


def test_a_key_that_others_may_read_is_refused(pki: LabPki, tmp_path: Path):
    open_key = tmp_path / "open.key"
    open_key.write_bytes(pki.ven_ec.key.read_bytes())
    open_key.chmod(0o640)
    with pytest.raises(WorldError) as caught:
        mutual_tls_client(TlsIdentity(pki.ven_ec.certificate, open_key), pki.authority, BOTH)
    assert caught.value.reason == "key_too_open"


def test_an_unknown_suite_and_a_server_without_identity_are_our_mistakes(pki: LabPki):
    with pytest.raises(MisuseError) as caught:
        mutual_tls_client(pki.ven_ec, pki.authority, "NO-SUCH-SUITE")
    assert caught.value.reason == "tls_ciphers_unknown"
    with pytest.raises(MisuseError) as missing:
        mutual_tls_server((), pki.authority, BOTH)
    assert missing.value.reason == "tls_identity_missing"
