"""What other people's programs really sent: every sample is read, the faulty ones with a complaint on record.

Facts: the table of the samples' README. Samples: WATTSEAL_SHARED.
"""

from pathlib import Path

import pytest
from ieee2030_5_schemas import schema_of, shared_folder
from lxml import etree

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_2, CSIPAUS_1_3, Profile

# The samples of the README's table, each with the first complaint that must be on record ("" for none).
SAMPLES = {
    **dict.fromkeys(
        (
            "envoy-devicecapability",
            "envoy-dercontrollist",
            "envoy-derprogramlist",
            "envoy-enddevice",
            "envoy-enddevicelist",
            "envoy-functionsetassignmentslist",
            "envoy-registration",
            "envoy-meterreadinglist",
            "envoy-mirrormeterreading",
            "envoy-mirrorusagepoint",
            "envoy-readinglist",
            "envoy-readingtype",
            "envoy-usagepointlist",
            "envoy-ratecomponentlist",
            "envoy-tariffprofile",
            "envoy-timetariffintervallist",
            "envoyschema-notification-doe",
            "envoyschema-subscription",
            "cactusclient-edev-list-1",
            "cactusclient-error",
            "cactusclient-mup-list-empty",
            "cactusrunner-mmr",
            "envoy15-enddevicelist-csipaus",
            "envoy15-dercontrollist-csipaus",
            "envoy15-defaultdercontrol-csipaus",
            "envoy15-connectionpoint-csipaus",
            "envoy15-time",
            "envoy22-notification-dercontrollist-csipaus13",
            "py20305-mirrorusagepoint",
            "py20305-logevent",
        ),
        "",
    ),
    "epri-deravailability": "/DERAvailability: the namespace 'http://ieee.org/2030.5' is read as",
    "epri-dercapability": "/DERCapability: the namespace 'http://ieee.org/2030.5' is read as",
    "epri-dersettings": "/DERSettings: the namespace 'http://ieee.org/2030.5' is read as",
    "epri-derstatus": "/DERStatus: the namespace 'http://ieee.org/2030.5' is read as",
    "invalid-envoyschema-notification": "/Notification/Resource: the attribute all is not known here",
    "invalid-envoyschema-subscription-condition": "/Subscription/Condition: is out of order",
    "invalid-cactusrunner-mup": "/MirrorUsagePoint/MirrorMeterReading/ReadingType/kind: is out of order",
    "invalid-gridappsd-time": "/Time: has no dstStartTime, which must be there",
    "invalid-gridappsd-configuration": "/Configuration: has no currentLocale, which must be there",
}
# Those that lack what the 2018 edition requires cannot be written again.
INCOMPLETE = ("epri-dercapability", "invalid-gridappsd-time", "invalid-gridappsd-configuration")


def sample(name: str) -> tuple[bytes, Profile]:
    data = (shared_folder() / "samples" / "ieee-2030.5" / f"{name}.xml").read_bytes()
    if b"csipaus.org/ns/v1.3" in data:
        return data, CSIPAUS_1_3
    return data, CSIPAUS_1_2 if b"csipaus.org/ns" in data else CSIP_2018


def test_no_sample_is_left_aside() -> None:
    folder: Path = shared_folder() / "samples" / "ieee-2030.5"
    assert {path.stem for path in folder.glob("*.xml")} == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_it_is_read_with_exactly_the_complaints_that_it_deserves(name: str) -> None:
    data, profile = sample(name)
    document = decode(data, profile)
    assert document.left_out == ()
    said = [f"{note.path}: {note.text}" for note in document.notes]
    assert said[0].startswith(SAMPLES[name]) if SAMPLES[name] else said == []


@pytest.mark.parametrize("name", SAMPLES)
def test_written_again_it_is_valid_and_says_the_same(name: str) -> None:
    """Oracle: the XSD of the edition or of CSIP-AUS; a wrong order is mended by writing."""
    data, profile = sample(name)
    resource = decode(data, profile).resource
    if name in INCOMPLETE:
        with pytest.raises(MisuseError, match="must not be absent"):
            encode(resource, profile)
        return
    again = encode(resource, profile)
    schema_of(profile.name).assertValid(etree.fromstring(again))
    assert decode(again, profile).resource == resource
    assert decode(again, profile).notes == ()


def test_a_2018_sample_is_read_under_every_profile() -> None:
    """2018 instances of the common types are valid by 2023, and a CSIP-AUS client meets plain servers."""
    data, _ = sample("envoy-dercontrollist")
    values = {decode(data, profile).resource for profile in (CSIP_2018, CSIPAUS_1_2, CSIPAUS_1_3)}
    assert len(values) == 1


def test_limits_of_the_other_csipaus_version_are_read() -> None:
    """A 1.2 server met with a 1.3 profile: the limit is kept, and the note says whose it is."""
    data, _ = sample("envoy15-dercontrollist-csipaus")
    document = decode(data, CSIPAUS_1_3)
    assert document.resource == decode(data, CSIPAUS_1_2).resource
    assert [note.text for note in document.notes] == [
        "the namespace 'https://csipaus.org/ns' is read as 'https://csipaus.org/ns/v1.3'"
    ]
