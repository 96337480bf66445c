"""The site file: all mistakes at once, no secret in it, and nothing but its own error out of any text."""

import tomllib

import pytest
from bridge_world import SITE_TEXT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wattseal.bridge.making import sections_of
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.reader import read_site
from wattseal.bridge.site.template import template
from wattseal.drivers.commands import Operation
from wattseal.protocols.openadr20b.translate import DispatchSign

MISTAKEN = b"""
colour = "blue"
[site]
name = "No Such Name"
lab = "yes"
inject_limit_watts = -1
absorb_limit_watts = 1.5
lease_seconds = 901
leese_seconds = 1

[[device]]
name = "twin"
profile = "sunspec_batery"
link = "carrier-pigeon"
address = "127.0.0.1:1502"
unit = 256
identity = "maker-and-model"
sampling_seconds = 0
tolerance_watts = -5
[device.levels]
level_1 = { operation = "explode", watts = 1 }
level_2 = { operation = "limit_inject", watts = -3 }
level_9 = { operation = "set_power", watts = 1 }
[device.envelope]
min_watts = 5
max_watts = -5
ramp_watts_per_second = -1
dwell_seconds = 4000
cycles_per_hour = true
soc_floor_percent = 50
soc_ceiling_percent = 50
forbidden = ["release"]

[[device]]
name = "twin"
profile = "alfen_eve"
link = "modbus-tcp"
address = "tcp://127.0.0.1:1503/path"

[[utility]]
name = ""
dialect = "openadr-4"
url = "http://vtn.example"
ven_name = "v"
operations = ["set_power", "release"]
ceiling_watts = "much"
poll_seconds_least = 60
poll_seconds_most = 30
report_seconds = 0
tls = { certificate = "c.pem", key = "-----BEGIN PRIVATE KEY-----", authority = 3 }
[[utility.market_context]]
programme = "p"
dispatch_sign = "sideways"
[utility.resources]
r1 = "nobody"
"""

KEYS = {
    "colour",
    "site.name",
    "site.lab",
    "site.inject_limit_watts",
    "site.absorb_limit_watts",
    "site.lease_seconds",
    "site.leese_seconds",
    "device",
    "device[0].profile",
    "device[0].link",
    "device[0].address",
    "device[0].unit",
    "device[0].identity",
    "device[0].sampling_seconds",
    "device[0].tolerance_watts",
    "device[0].levels.level_1.operation",
    "device[0].levels.level_2.watts",
    "device[0].levels.level_9",
    "device[0].envelope.min_watts",
    "device[0].envelope.max_watts",
    "device[0].envelope.ramp_watts_per_second",
    "device[0].envelope.dwell_seconds",
    "device[0].envelope.cycles_per_hour",
    "device[0].envelope.soc_ceiling_percent",
    "device[0].envelope.forbidden",
    "device[1].address",
    "device[1].envelope",
    "device[1].envelope.min_watts",
    "device[1].envelope.max_watts",
    "utility[0].name",
    "utility[0].dialect",
    "utility[0].url",
    "utility[0].operations",
    "utility[0].ceiling_watts",
    "utility[0].poll_seconds_most",
    "utility[0].report_seconds",
    "utility[0].tls.key",
    "utility[0].tls.authority",
    "utility[0].market_context[0].uri",
    "utility[0].market_context[0].dispatch_sign",
    "utility[0].resources.r1",
}


def mistakes_of(text: bytes):
    with pytest.raises(SiteFileError) as caught:
        read_site(text, "here.toml")
    return caught.value.mistakes


def changed(old: str, new: str) -> bytes:
    text = SITE_TEXT.decode()
    assert old in text
    return text.replace(old, new, 1).encode()


def test_a_sound_file_is_read_as_written():
    site = read_site(SITE_TEXT)
    battery, charger = site.devices
    assert (site.name, site.lab, site.lease_seconds) == ("bench", True, 300)
    assert (site.inject_limit_watts, site.absorb_limit_watts) == (8000, 20_000)
    assert (battery.unit, battery.identity, charger.sampling_seconds) == (1, "", 10), "defaults"
    assert (battery.envelope.soc_floor_permille, battery.envelope.soc_ceiling_permille) == (100, 950)
    assert battery.levels[3].operation is Operation.LIMIT_INJECT
    (utility,) = site.utilities
    assert utility.market_contexts["http://utility.example/dispatch"].dispatch_sign is DispatchSign.GENERATION
    assert utility.resources == {"b1": "battery", "c1": "charger"}
    assert site.text == SITE_TEXT
    sections_of(site)


def test_every_mistake_at_once_each_with_file_key_and_mend():
    """STYLE 38: all mistakes together, and for each what to write instead."""
    mistakes = mistakes_of(MISTAKEN)
    assert {mistake.key for mistake in mistakes} == KEYS
    assert all(mistake.file == "here.toml" and mistake.what and mistake.mend for mistake in mistakes)
    near = next(mistake for mistake in mistakes if mistake.key == "site.leese_seconds")
    assert "lease_seconds" in near.mend


@pytest.mark.parametrize("name", ["Böse Straße 7", "...", "x" * 200, "---", "a.b_c", "ü", "9 lives"])
@pytest.mark.parametrize("lab", [True, False])
def test_the_template_is_valid_as_it_stands(name, lab):
    site = read_site(template(name, lab=lab))
    assert site.lab is lab
    sections_of(site)


@pytest.mark.parametrize(
    ("url", "extra", "key"),
    [
        ("http://vtn.example:8080", "", "url"),  # docs/operations.md: plain HTTP needs a reason
        ("http://10.0.0.1", 'insecure = ""', "url"),
        ("http://10.0.0.1", 'insecure = "  "', "insecure"),
        ("https://vtn.example", "", "tls"),
        ("ftp://vtn.example", "", "url"),
        ("http://[::1", "", "url"),
        ("http://127.0.0.1:99999", "", "url"),
        ("http://user:password@127.0.0.1", "", "url"),
        ("http://127.0.0.1/a\\nb", "", "url"),
        ("http://localhost.evil.example", "", "url"),
    ],
)
def test_addresses_of_a_utility_that_are_refused(url, extra, key):
    text = changed('url = "http://127.0.0.1:8080"', f'url = "{url}"\n{extra}')
    assert f"utility[0].{key}" in {mistake.key for mistake in mistakes_of(text)}


@pytest.mark.parametrize(
    ("url", "extra"),
    [
        ("http://[::1]:8080", ""),
        ("http://localhost", ""),
        ("http://10.0.0.1", 'insecure = "isolated field bus"'),
        ("https://vtn", 'tls = { certificate = "c", key = "secret://file/keys/ven.key", authority = "a" }'),
    ],
)
def test_addresses_of_a_utility_that_are_taken(url, extra):
    (utility,) = read_site(changed('url = "http://127.0.0.1:8080"', f'url = "{url}"\n{extra}')).utilities
    assert utility.url == url


@pytest.mark.parametrize(
    "key",
    ["ven.key", "secret://", "secret://file/", "secret://-----BEGIN PRIVATE KEY-----", "secret://vault/x", "hunter2"],
)
def test_no_secret_stands_in_the_file(key):
    """Only names of secrets. What else is written there is refused, and not repeated in the message."""
    tls = f'url = "https://vtn"\ntls = {{ certificate = "c", key = "{key}", authority = "a" }}'
    (mistake,) = mistakes_of(changed('url = "http://127.0.0.1:8080"', tls))
    assert mistake.key == "utility[0].tls.key"
    assert "BEGIN" not in str(mistake)
    assert "hunter2" not in str(mistake)


@pytest.mark.parametrize("line", ['password = "x"', 'token = "x"', 'key = "x"'])
def test_there_is_no_place_for_a_secret(line):
    text = changed('ven_name = "bench"', f'ven_name = "bench"\n{line}')
    assert [mistake.what for mistake in mistakes_of(text)] == ["is not a known key"]


def test_two_contexts_of_one_uri():
    block = (
        '[[utility.market_context]]\nuri = "http://utility.example/dispatch"\nprogramme = "q"\ndispatch_sign = "none"\n'
    )
    (mistake,) = mistakes_of(changed("[utility.resources]", block + "[utility.resources]"))
    assert mistake.key == "utility[0].market_context"


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[site", b"[" * 50_000, b"a=" + b"[" * 50_000, b"site = 1\ndevice = 2"]
)
def test_no_file_at_all(text):
    assert mistakes_of(text)


def test_devices_of_one_name_and_no_device():
    assert "device" in {one.key for one in mistakes_of(changed('name = "charger"', 'name = "battery"'))}
    assert "device" in {
        one.key for one in mistakes_of(b'[site]\nname="a"\ninject_limit_watts=1\nabsorb_limit_watts=1\n')
    }


LEAF = st.one_of(
    st.integers(-(10**12), 10**12),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:.3f}"),
    st.text("ab:/[]@.-_ %\u00e9", max_size=12).map(lambda text: f'"{text}"'),
    st.sampled_from(['"secret://file/x"', '"http://[::1"', '"tcp://h:0"', "[]", '["a"]', "[1]", "{}", "{ a = 1 }"]),
    st.sampled_from(["1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '"https://h"', '"tcp://h:1/x"']),
).map(lambda value: str(value).lower() if isinstance(value, bool) else str(value))
LINES = [number for number, line in enumerate(SITE_TEXT.decode().splitlines()) if " = " in line]


@given(st.lists(st.tuples(st.sampled_from(LINES), LEAF), min_size=1, max_size=6))
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_only_its_own_error_escapes_whatever_stands_there(swaps):
    """And what is read is fit to be signed: the manifest's sections take it."""
    lines = SITE_TEXT.decode().splitlines()
    for number, value in swaps:
        lines[number] = f"{lines[number].split(' = ')[0]} = {value}"
    text = "\n".join(lines)
    try:
        tomllib.loads(text)
        site = read_site(text.encode())
    except (SiteFileError, tomllib.TOMLDecodeError):
        return
    sections_of(site).encode()


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_only_its_own_error_escapes_from_bytes(text):
    with pytest.raises(SiteFileError):
        read_site(text)


METER = b"""
[[device]]
name = "meter"
profile = "sunspec_meter_import_positive"
link = "simulator"
address = "tcp://127.0.0.1:1504"
sampling_seconds = 2
"""


def metered(text: bytes = SITE_TEXT, meter: str = "meter") -> bytes:
    return text.replace(b"[[utility]]", METER + b"\n[[utility]]", 1).replace(
        b"lease_seconds = 300", f'lease_seconds = 300\nmeter = "{meter}"'.encode(), 1
    )


def test_a_meter_is_a_device_without_levels_and_envelope():
    """It stands in the signed inventory with its profile, which says its sign, and as the site's meter; nothing may be
    ordered from it, for it has no envelope.
    """
    site = read_site(metered())
    assert site.meter == "meter"
    device = site.device("meter")
    assert device is not None
    assert (device.levels, device.envelope.min_watts, device.envelope.max_watts) == ({}, 0, 0)
    sections = sections_of(site)
    assert sections.envelope.meter == "meter"
    assert sections.envelope.device("meter") is None
    assert sections.device("meter").profile == "sunspec_meter_import_positive"
    assert read_site(SITE_TEXT).meter == ""


def test_another_meter_is_a_difference_that_must_be_signed():
    unnamed = sections_of(read_site(SITE_TEXT.replace(b"[[utility]]", METER + b"\n[[utility]]", 1))).encode()
    assert sections_of(read_site(metered())).encode()["envelope"] != unnamed["envelope"]


@pytest.mark.parametrize("meter", ["battery", "nobody"])
def test_only_a_meter_can_be_the_sites_meter(meter):
    mistakes = mistakes_of(metered(meter=meter))
    assert [mistake.key for mistake in mistakes] == ["site.meter"]
    assert "meter" in mistakes[0].mend


def test_levels_and_envelope_at_a_meter_are_mistakes():
    text = metered().replace(
        b"sampling_seconds = 2\n", b"[device.levels]\nlevel_1 = 3\n[device.envelope]\nmin_watts = 0\n", 1
    )
    assert [mistake.key for mistake in mistakes_of(text)] == ["device[2].levels", "device[2].envelope"]
