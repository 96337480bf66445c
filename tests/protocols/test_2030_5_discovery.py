"""Discovery of IEEE 2030.5 servers by DNS-SD: section 3 of the discovery rules, on values and over loopback."""

import pytest

from wattseal.protocols.ieee2030_5.discovery import SERVICE, Advertised, Found, advertised, discover, found_in, subtype

TXT = {"txtvers": "1", "dcap": "/dcap", "https": "8443", "level": "-S1"}
OURS = subtype("edev-167261211391")


def said(**changes: str) -> Advertised:
    txt = {key: value for key, value in {**TXT, **changes}.items() if value != "-"}
    return Advertised("meter-1", ("192.0.2.7",), 80, txt)


def test_subtypes_have_the_form_of_rfc_6763_section_7_1():
    assert OURS == "_edev-167261211391._sub._smartenergy._tcp.local."


def test_the_tls_port_stands_in_the_txt_record_not_in_the_srv_record():
    (found,) = found_in([(SERVICE, said())])
    assert found == Found("meter-1", "https://192.0.2.7:8443/dcap", has_our_device=False)


def test_who_has_our_device_comes_first_and_each_address_once():
    other = Advertised("meter-0", ("192.0.2.1", "2001:db8::1"), 80, TXT)
    found = found_in([(SERVICE, other), (SERVICE, said()), (OURS, said(path="/edev/3"))])
    assert [(one.url, one.has_our_device) for one in found] == [
        ("https://192.0.2.7:8443/dcap", True),
        ("https://192.0.2.1:8443/dcap", False),
        ("https://[2001:db8::1]:8443/dcap", False),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"txtvers": "2"},
        {"txtvers": "-"},
        {"https": "-"},
        {"https": "0"},
        {"https": "65536"},
        {"https": "8443/evil"},
        {"dcap": "dcap"},
        {"dcap": "//elsewhere.example/dcap"},
        {"dcap": "/a\nb"},
        {"dcap": "/" + "a" * 300},
    ],
)
def test_what_is_no_advertisement_of_2030_5_is_left_out(changes):
    assert found_in([(SERVICE, said(**changes))]) == ()


async def test_a_server_on_loopback_is_found_with_our_device_first():
    """Multicast DNS between two speakers on 127.0.0.1; where the machine has no multicast there, nothing is proved."""
    pytest.importorskip("zeroconf", reason="zeroconf is not installed: wattseal[discovery]")
    async with (
        advertised("utility-1", https_port=8443, address="127.0.0.1", sfdis={167261211391: "/edev/3"}),
        advertised("utility-2", https_port=9443, address="127.0.0.1", dcap="/sep2/dcap"),
    ):
        found = await discover(167261211391, seconds=1.0, interfaces=("127.0.0.1",))
    ours = [(one.url, one.has_our_device) for one in found]
    assert ours[0] == ("https://127.0.0.1:8443/dcap", True)
    assert ("https://127.0.0.1:9443/sep2/dcap", False) in ours
