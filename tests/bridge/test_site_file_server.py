"""The site file's part on servers of IEEE 2030.5: read as written, all mistakes at once, signed as it stands."""

import pytest
from bridge_world import SITE_TEXT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from server_line_world import LFDI, SERVER_SITE

from wattseal.bridge.making import sections_of
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.model import Listener
from wattseal.bridge.site.reader import read_site
from wattseal.bridge.site.template import template
from wattseal.drivers.manifest_sections import EnrolmentKind, Sections
from wattseal.protocols.ieee2030_5.client.config import DerType, Role

HEAD = SITE_TEXT.partition(b"[[utility]]")[0].decode()
AGGREGATOR = f"""{HEAD}
[[utility]]
name = "south"
dialect = "ieee2030.5"
url = "https://utility.example:8443/api/v2/dcap"
tls = {{ certificate = "chain.pem", key = "secret://file/device.key", authority = "serca.pem" }}
profile = "auto"
role = "aggregator"
pin = "11111"
server_lfdi = "{"ab" * 20}"
pen = 40732
register = false
operations = ["set_power"]
ceiling_watts = 5000
[[utility.end_device]]
device = "battery"
type = "pv_battery"
lfdi = "{"01" * 20}"
connection_point = "NMI-1"
storage_watt_hours = 13500
[[utility.end_device]]
device = "charger"
type = "ev_charger"
lfdi = "{"0c" * 20}"
[utility.programmes]
feeder = "{"0a" * 16}"
[utility.listener]
address = "0.0.0.0:8443"
uri = "https://box.example:8443/2030/"
"""

MISTAKEN = f"""{HEAD}
[[utility]]
name = "south"
dialect = "ieee2030.5"
url = "https://utility.example"
profile = "csip-2019"
role = "boss"
pin = "111116"
server_lfdi = "abc"
pen = -1
register = "yes"
ven_name = "left over"
operations = []
ceiling_watts = 1
[[utility.end_device]]
device = "nobody"
type = "windmill"
lfdi = "xyz"
connection_point = "{"x" * 33}"
volts = -1
[[utility.end_device]]
device = "battery"
type = "battery"
[[utility.end_device]]
device = "battery"
type = "battery"
[utility.programmes]
odd = "0a1"
one = "0A"
same = "0a"
[utility.listener]
address = "8443"
uri = "http://box.example"
"""
KEYS = {
    "tls",
    "profile",
    "role",
    "pin",
    "server_lfdi",
    "pen",
    "register",
    "ven_name",
    "end_device[0].device",
    "end_device[0].type",
    "end_device[0].lfdi",
    "end_device[0].connection_point",
    "end_device[0].volts",
    "end_device",
    "programmes.odd",
    "programmes.same",
    "listener.address",
    "listener.uri",
}


def test_an_aggregator_is_read_as_written():
    (utility,) = read_site(AGGREGATOR.encode()).utilities
    server = utility.server
    assert (utility.dialect, utility.url) == ("ieee2030.5", "https://utility.example:8443/api/v2/dcap")
    assert (server.profile, server.role, server.pin, server.pen) == ("auto", Role.AGGREGATOR, 111115, 40732)
    assert (server.lfdi, server.register) == ("AB" * 20, False)
    battery, charger = server.end_devices
    assert (battery.der_type, battery.connection_point, battery.storage_watt_hours) == (
        DerType.PV_BATTERY,
        "NMI-1",
        13_500,
    )
    assert (charger.lfdi, charger.volts) == ("0C" * 20, None)
    assert server.programmes == {"0A" * 16: "feeder"}
    assert server.listener == Listener("0.0.0.0", 8443, "https://box.example:8443/2030")


def test_all_mistakes_at_once_each_with_its_mend():
    """STYLE 38."""
    with pytest.raises(SiteFileError) as caught:
        read_site(MISTAKEN.encode())
    assert {one.key.removeprefix("utility[0].") for one in caught.value.mistakes} == KEYS
    assert all(one.what and one.mend for one in caught.value.mistakes)


def test_the_owner_signs_devices_programmes_and_the_servers_lfdi():
    site = read_site(AGGREGATOR.encode())
    (enrolment,) = Sections.decode(sections_of(site).encode()).enrolments
    assert enrolment.kind is EnrolmentKind.IEEE_2030_5
    assert enrolment.devices == ("battery", "charger")
    assert enrolment.programmes == ("feeder",)
    assert enrolment.peer.endswith("AB" * 20)
    (any_programme,) = sections_of(read_site(SERVER_SITE)).enrolments
    assert any_programme.programmes == ("*",)


def test_without_a_certificate_the_lfdi_must_be_named():
    """Plain HTTP on loopback: nothing else says who we are."""
    with pytest.raises(SiteFileError) as caught:
        read_site(SERVER_SITE.replace(f'lfdi = "{LFDI}"'.encode(), b""))
    assert [one.key for one in caught.value.mistakes] == ["utility[0].end_device"]


def test_an_aggregator_names_every_lfdi_and_a_device_is_one():
    with pytest.raises(SiteFileError) as caught:
        read_site(AGGREGATOR.replace(f'lfdi = "{"0c" * 20}"', "").encode())
    assert [one.key for one in caught.value.mistakes] == ["utility[0].end_device[1].lfdi"]
    with pytest.raises(SiteFileError) as caught:
        read_site(AGGREGATOR.replace('role = "aggregator"', 'role = "device"').encode())
    assert [one.key for one in caught.value.mistakes] == ["utility[0].end_device"]


def test_the_templates_example_of_a_server_is_sound():
    """The comments of a new site file can be uncommented as they stand."""
    text = template("bench", lab=True).decode()
    head, mark, example = text.partition("# [[utility]]")
    lines = [line.removeprefix("# ") for line in (mark + example).splitlines()]
    site = read_site((head + "\n".join(lines)).encode())
    assert site.utilities[1].server.end_devices[0].device == "battery"


LEAF = st.sampled_from(
    ['"x"', '""', "1", "-1", "true", "[]", "{}", '"secret://file/x"', '"https://[::1"', '"[::1]:1"', '"a:99999"',
     '"01"', '"0"', '"11111"', '"https://h:1/x"', "1.5", "[{}]", '"\\u0000"']
)  # fmt: skip
LINES = [number for number, line in enumerate(AGGREGATOR.splitlines()) if " = " in line]


@given(st.lists(st.tuples(st.sampled_from(LINES), LEAF), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_only_its_own_error_escapes_whatever_stands_there(swaps):
    """And what is read is fit to be signed."""
    lines = AGGREGATOR.splitlines()
    for number, value in swaps:
        lines[number] = f"{lines[number].split(' = ')[0]} = {value}"
    try:
        site = read_site("\n".join(lines).encode())
    except SiteFileError:
        return
    sections_of(site).encode()
