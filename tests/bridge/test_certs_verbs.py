"""`wattseal certs create` and `certs inspect`: what a person is told, what a script reads, and what the doctor adds."""

import json
import re
import shutil
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from wattseal.bridge import doctor
from wattseal.bridge.certificate_text import explain, explanation_document, explanation_lines
from wattseal.certs.device_pki import Bad, DevicePki, make_device_pki
from wattseal.certs.errors import WorldError
from wattseal.certs.identity import read_certificates
from wattseal.certs.lab_pki import make_test_pki
from wattseal.certs.tls_selftest import SelfTest

WATTSEAL = Path(sys.executable).parent / "wattseal"
NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


def run(*words: str) -> tuple[int, str, str]:
    done = subprocess.run([WATTSEAL, *words], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("devices"), now=NOW)


def told(file: Path, authority: Path | None = None, now: datetime = NOW) -> str:
    return "\n".join(explanation_lines(explain(file, now, authority)))


def test_create_makes_and_lists_the_hierarchy(tmp_path: Path):
    """Every file named is there; keys are 0600; the reasons are those that each was made for; twice is refused."""
    place = tmp_path / "pki"
    code, out, _ = run("certs", "create", str(place), "--json")
    assert code == 0
    made = json.loads(out)
    rows = {row["name"]: row for row in made["certificates"]}
    assert Path(made["authority"]).exists()
    assert {name: row["objections"] for name, row in rows.items() if not row["objections"]}.keys() == {
        "device", "device-chain-3", "device-chain-2", "aggregator", "server",
    }  # fmt: skip
    assert {name for name in rows if name.startswith("bad-")} == {str(kind) for kind in Bad}
    assert rows["bad-rsa"]["objections"] == ["key_not_p256"]
    assert (rows["device"]["chain"], rows["device-chain-3"]["chain"], rows["device-chain-2"]["chain"]) == (4, 3, 2)
    for row in rows.values():
        assert Path(row["certificate"]).exists()
        assert Path(row["key"]).stat().st_mode & 0o777 == 0o600
    before = (place / "device.key").read_bytes()
    code, out, errors = run("certs", "create", str(place))
    assert (code, out) == (2, "")
    assert "another directory" in errors
    assert (place / "device.key").read_bytes() == before


def test_create_tells_people_one_line_each(tmp_path: Path):
    code, out, errors = run("certs", "create", str(tmp_path))
    assert code == 0
    assert len(out.splitlines()) == 1 + 6 + len(Bad)
    assert re.search(r"^device\.pem +[0-9A-F]{40}  SFDI +\d+  chain of 4  sound$", out, re.MULTILINE)
    assert re.search(r"^bad-expired\.pem .* expired$", out, re.MULTILINE)
    assert "tests only" in errors


@pytest.mark.parametrize("place", ["/proc/pki", "/dev/null"])
def test_create_where_nothing_can_be_written(place: str):
    code, out, errors = run("certs", "create", place)
    assert (code, out) == (3, "")
    assert errors.startswith("wattseal: Cannot write")


def test_inspect_for_scripts(pki: DevicePki):
    """The names by openssl's hash; the chain as far as the file has it."""
    code, out, _ = run("certs", "inspect", str(pki.aggregator.certificate), "--json", "--pin", "11111")
    assert code == 0
    document = json.loads(out)
    if shutil.which("openssl") is None:
        pytest.skip("the openssl tool is not installed")
    printed = subprocess.run(
        ["openssl", "x509", "-in", str(pki.aggregator.certificate), "-noout", "-fingerprint", "-sha256"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    digest = printed.split("=")[1].strip().replace(":", "")
    assert document["lfdi"] == digest[:40]
    assert document["sfdi"][:-1] == str(int(digest[:9], 16))
    assert document["sfdi_check_digit"] == document["sfdi"][-1]
    assert document["openadr_fingerprint"].replace(":", "") == digest[-20:]
    assert document["chain"] == ["", "CN=Test MICA", "CN=Test MCA"]
    assert document["chain_reaches_root"] is False
    assert (document["hardware_type"], document["hardware_serial"]) == ("1.3.6.1.4.1.32473.1", "aggregator")
    assert document["policies"][-1] == "1.3.6.1.4.1.40732.2.3"
    assert document["ieee2030_5_objections"] == []
    assert document["not_after"].startswith("9999-12-31")
    assert document["expired"] is False
    assert document["pin"] == "111115"


def test_inspect_in_plain_words(pki: DevicePki):
    text = told(pki.device.certificate, pki.authority)
    assert "Chain of 4: (no subject) <- CN=Test MICA <- CN=Test MCA <- CN=Test SERCA, which is a root." in text
    assert "generic device" in text
    assert "test certificate" in text
    assert "never ends" in text
    assert "(check digit " in text
    assert "would object to nothing" in text
    assert "--authority" in told(pki.device.certificate)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Bad.MICA_CRITICAL_PURPOSE, "critical extended key usage"),
        (Bad.MICA_NAME_CONSTRAINTS, "name constraints"),
        (Bad.MICA_POLICY_MAPPINGS, "policy mappings"),
        (Bad.MICA_POLICY_CONSTRAINTS, "policy constraints"),
        (Bad.SELF_SIGNED, "signed by its own key"),
        (Bad.RSA, "P-256"),
        (Bad.P384, "P-256"),
        (Bad.NO_POLICIES, "policies"),
        (Bad.NO_NAME, "hardwareModuleName"),
        (Bad.EXPIRED, "ended on 2026-09-30"),
    ],
)
def test_inspect_names_each_fault(pki: DevicePki, kind: Bad, words: str):
    objection = told(pki.bad[kind].certificate, pki.authority).split("would object:")[1]
    assert words in objection


def test_inspect_explains_authorities_too(pki: DevicePki):
    """A MICA is no device: it is judged as what it is."""
    text = told(pki.authority.with_name("mica.pem"))
    assert text.startswith("An authority's certificate")
    assert "nothing about this authority" in text
    assert "which is a root" in told(pki.authority)
    faulty = told(pki.authority.with_name("bad-mica-critical-eku-issuer.pem"))
    assert "extended_key_usage_critical" in faulty


def test_inspect_with_the_wrong_root_says_that_the_chain_ends(pki: DevicePki, tmp_path: Path):
    other = make_device_pki(tmp_path, now=NOW)
    assert "chain_incomplete" in told(pki.device.certificate, other.authority)


def test_inspect_reads_der_and_an_openadr_certificate(pki: DevicePki, tmp_path: Path):
    der = tmp_path / "device.der"
    der.write_bytes(read_certificates(pki.device.certificate.read_bytes())[0].public_bytes(Encoding.DER))
    document = explanation_document(explain(der, NOW))
    assert document["lfdi"] == explanation_document(explain(pki.device.certificate, NOW))["lfdi"]
    lab = make_test_pki(tmp_path / "lab", now=NOW)
    text = told(lab.ven_rsa.certificate, lab.authority)
    assert "Subject: CN=ven-rsa" in text
    assert "key_not_p256" in text
    assert "EXPIRED" in told(lab.ven_rsa.certificate, now=NOW + timedelta(days=60))
    assert explanation_document(explain(lab.ven_rsa.certificate, NOW + timedelta(days=60)))["expired"] is True


def test_inspect_ends_with_the_right_code(pki: DevicePki, tmp_path: Path):
    """1 for what is no certificate, 2 for a PIN that is none, 3 for what cannot be read."""
    (tmp_path / "junk").write_bytes(b"junk")
    assert run("certs", "inspect", str(tmp_path / "junk"))[0] == 1
    assert run("certs", "inspect", str(tmp_path / "missing"))[0] == 3
    assert run("certs", "inspect", str(pki.device.certificate), "--authority", str(tmp_path / "missing"))[0] == 3
    code, out, errors = run("certs", "inspect", str(pki.device.certificate), "--pin", "111114")
    assert (code, out) == (2, "")
    assert "the check digit is 5" in errors
    with pytest.raises(WorldError):
        explain(tmp_path, NOW)


def test_the_doctor_tells_what_openssl_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The handshake is tried; what cannot be is said in its own words."""
    found = {one.reason: one for one in doctor.examine(tmp_path)}
    assert found["tls_ccm8"].bad is False
    assert ssl.OPENSSL_VERSION in found["tls_ccm8"].sentence
    monkeypatch.setattr(doctor, "ccm8_works", lambda: SelfTest(False, "OpenSSL 9", "OpenSSL 9 cannot."))
    found = {one.reason: one for one in doctor.examine(tmp_path)}
    assert found["tls_ccm8_missing"].sentence == "OpenSSL 9 cannot."
    assert "tls_ccm8" not in found
