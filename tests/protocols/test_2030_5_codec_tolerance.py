"""What the reader puts up with, what it leaves out, what it refuses; and what the writer never writes.

Facts: be lenient reading (unknown elements, wrong order, any hex case), strict writing; a broken item of a list is
recorded and costs the others nothing; a peer's mistake never becomes a value that it did not mean.
"""

import pytest

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.protocols.ieee2030_5 import codec
from wattseal.protocols.ieee2030_5.base import Error, Resource
from wattseal.protocols.ieee2030_5.codec import Limits, decode, decode_as, encode
from wattseal.protocols.ieee2030_5.core_resources import DeviceCapability, EndDeviceList, Time
from wattseal.protocols.ieee2030_5.der_control import (
    CurveData,
    DERControl,
    DERControlBase,
    DERControlList,
    DERCurve,
    DERProgramList,
)
from wattseal.protocols.ieee2030_5.der_status import DERSettings
from wattseal.protocols.ieee2030_5.metering import MirrorUsagePoint
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIP_2023, CSIPAUS_1_2, CSIPAUS_1_3, PROFILES
from wattseal.protocols.ieee2030_5.quantities import ActivePower, ActivePowerControl, PerCentControl
from wattseal.protocols.ieee2030_5.response import DERControlResponse
from wattseal.protocols.ieee2030_5.subscription import Notification
from wattseal.protocols.ieee2030_5.vocabulary import CurveType, TimeQuality, UnitReference
from wattseal.protocols.xml_tolerant_reading import MOST_REFUSED

SEP = 'xmlns="urn:ieee:std:2030.5:ns"'
XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def control(base: str, *, mrid: str = "0a009d9c", start: str = "1795399444", extra: str = "") -> str:
    return (
        f'<DERControl replyTo="/rsp" responseRequired="07"><mRID>{mrid}</mRID><creationTime>1795399000</creationTime>'
        "<EventStatus><currentStatus>0</currentStatus><dateTime>1795399000</dateTime>"
        "<potentiallySuperseded>false</potentiallySuperseded></EventStatus>"
        f"<interval><duration>300</duration><start>{start}</start></interval>{extra}"
        f"<DERControlBase>{base}</DERControlBase></DERControl>"
    )


def page(*controls: str, attributes: str = 'all="1" results="1"') -> bytes:
    return f"<DERControlList {SEP} {attributes}>{''.join(controls)}</DERControlList>".encode()


TARGET = "<opModTargetW><multiplier>0</multiplier><value>3000</value></opModTargetW>"
GOOD = control(TARGET)


def power(value: str, multiplier: str = "0") -> str:
    return f"<opModTargetW><multiplier>{multiplier}</multiplier><value>{value}</value></opModTargetW>"


def said(document: codec.Document[object]) -> list[str]:
    return [f"{note.path}: {note.text}" for note in document.notes]


def controls_of(data: bytes) -> tuple[DERControl, ...]:
    return decode_as(DERControlList, data, CSIP_2018).resource.items


def test_hex_of_any_case_is_read_and_upper_case_written() -> None:
    (one,) = controls_of(page(GOOD))
    assert one.mrid == "0A009D9C"
    assert b"<mRID>0A009D9C</mRID>" in encode(one, CSIP_2018)
    assert b'responseRequired="07"' in encode(one, CSIP_2018)


@pytest.mark.parametrize("mrid", ["0x0A", "ABC", "GG", "0A 0B", "00" * 17, "\u0661\u0662"])
def test_what_is_no_hexadecimal_is_refused(mrid: str) -> None:
    """Odd length and 0x are invalid; 128 bits are the most."""
    document = decode_as(DERControlList, page(control(TARGET, mrid=mrid)), CSIP_2018)
    assert document.resource.items == ()
    assert "is no mRID" in document.left_out[0].sentence


def test_another_order_is_read_with_a_note() -> None:
    """Two programs of the field write so; the value is the same, and writing mends it."""
    data = f"<Time {SEP}><quality>7</quality><currentTime>5</currentTime></Time>".encode()
    document = decode_as(Time, data, CSIP_2018)
    assert (document.resource.current_time, document.resource.quality) == (5, 7)
    assert "/Time/currentTime: is out of order" in said(document)


def test_unknown_elements_and_attributes_are_noted_and_not_carried() -> None:
    data = f'<Time {SEP} colour="red"><currentTime>5</currentTime><moon xmlns="urn:x"><phase>1</phase></moon></Time>'
    document = decode_as(Time, data.encode(), CSIP_2018)
    assert document.resource.current_time == 5
    assert "/Time: the attribute colour is not known here" in said(document)
    assert "/Time/moon: is not known here and not carried" in said(document)


def test_an_unknown_mode_is_named_so_that_it_can_be_answered_for() -> None:
    """A control that asks for what we do not know must not look like one that asks for nothing."""
    data = page(control(f'{TARGET}<v:opModSpin xmlns:v="urn:vendor">1</v:opModSpin>'))
    (one,) = controls_of(data)
    assert one.der_control_base.strangers == ("{urn:vendor}opModSpin",)
    assert one.der_control_base.op_mod_target_w == ActivePowerControl(multiplier=0, value=3000)
    with pytest.raises(MisuseError, match="read and not understood"):
        encode(one, CSIP_2018)


def test_lists_may_lack_their_counts_and_their_poll_rate() -> None:
    """`all` absent or lying is the server's fault; a missing pollRate is None, never a guess."""
    bare = decode_as(DERProgramList, f"<DERProgramList {SEP}/>".encode(), CSIP_2018)
    assert (bare.resource.all, bare.resource.results, bare.resource.poll_rate) == (None, None, None)
    assert "/DERProgramList: has no attribute all, which must be there" in said(bare)
    lying = decode_as(DERControlList, page(GOOD, attributes='all="0" results="9"'), CSIP_2018)
    assert (lying.resource.all, len(lying.resource.items)) == (0, 1)


def test_a_poll_rate_where_no_schema_has_it_is_read_and_never_written() -> None:
    """Servers put pollRate on lists of controls too."""
    document = decode_as(DERControlList, page(GOOD, attributes='all="1" results="1" pollRate="60"'), CSIP_2018)
    assert document.resource.poll_rate == 60
    with pytest.raises(MisuseError, match="no edition"):
        encode(document.resource, CSIP_2018)


@pytest.mark.parametrize("namespace", ["http://ieee.org/2030.5", "http://zigbee.org/sep", ""])
def test_draft_namespaces_are_read_with_one_note(namespace: str) -> None:
    data = page(GOOD).replace(b"urn:ieee:std:2030.5:ns", namespace.encode())
    document = decode_as(DERControlList, data, CSIP_2018)
    assert document.resource == decode(page(GOOD), CSIP_2018).resource
    assert said(document) == [
        f"/DERControlList: the namespace {namespace!r} is read as 'urn:ieee:std:2030.5:ns'",
    ]


def test_a_foreign_namespace_is_no_resource() -> None:
    with pytest.raises(codec.UnknownResourceError) as refusal:
        decode(b'<Time xmlns="urn:other"><currentTime>5</currentTime></Time>', CSIP_2018)
    assert (refusal.value.reason, refusal.value.path) == ("unknown_resource", "/Time")


def test_a_limit_of_csipaus_reaches_a_plain_client_with_a_note() -> None:
    """A wish that was sent does not vanish with the profile; whether it is supported is not the codec's to say."""
    limit = "<csipaus:opModExpLimW><multiplier>0</multiplier><value>0</value></csipaus:opModExpLimW>"
    data = page(control(limit)).replace(b"<DERControlList", b'<DERControlList xmlns:csipaus="https://csipaus.org/ns"')
    document = decode_as(DERControlList, data, CSIP_2018)
    (one,) = document.resource.items
    assert one.der_control_base == DERControlBase(op_mod_exp_lim_w=ActivePower(multiplier=0, value=0))
    assert any("belongs to CSIP-AUS 1.2" in text for text in said(document))
    assert said(decode(data, CSIPAUS_1_2)) == []


def test_a_mode_of_2023_reaches_a_2018_client_with_a_note() -> None:
    data = page(control('<opModMaxLimW disabled="true">5000</opModMaxLimW>'))
    document = decode_as(DERControlList, data, CSIP_2018)
    assert document.resource.items[0].der_control_base.op_mod_max_lim_w == PerCentControl(disabled=True, value=5000)
    assert any("belongs to IEEE 2030.5-2023" in text for text in said(document))


@pytest.mark.parametrize(
    ("broken", "where", "why"),
    [
        (control(power("32768")), "opModTargetW/value", "Int16"),
        (control(power("-32769")), "opModTargetW/value", "Int16"),
        (control(power("1", "10")), "opModTargetW/multiplier", "power of ten"),
        (control(power("1", "-10")), "opModTargetW/multiplier", "power of ten"),
        (control(power("NaN")), "opModTargetW/value", "Int16"),
        (control(power("3e3")), "opModTargetW/value", "Int16"),
        (control(power("1_000")), "opModTargetW/value", "Int16"),
        (control(power("\u0661")), "opModTargetW/value", "Int16"),
        (control(power("")), "opModTargetW/value", "Int16"),
        (control("<opModTargetW><value>1</value></opModTargetW>"), "opModTargetW", "has no multiplier"),
        (control("<opModEnergize>yes</opModEnergize>"), "opModEnergize", "no boolean"),
        (control("<opModVoltVar/>"), "opModVoltVar", "has no attribute href"),
        (control(TARGET + TARGET), "opModTargetW[2]", "more than once"),
        (control(TARGET, start="soon"), "start", "TimeType"),
        (control(TARGET, start="9223372036854775808"), "start", "TimeType"),
        (control(TARGET, extra="<randomizeStart>3601</randomizeStart>"), "randomizeStart", "OneHour"),
        (control("text" + TARGET), "DERControlBase", "text where only elements"),
        (GOOD.replace("<mRID>0a009d9c</mRID>", ""), "DERControl", "has no mRID"),
        (GOOD.replace("interval", "span"), "DERControl", "has no interval"),
    ],
)
def test_a_broken_control_is_left_out_on_record_and_costs_the_others_nothing(broken: str, where: str, why: str) -> None:
    """The record has what a rejection (253) needs: mRID, replyTo, responseRequired."""
    document = decode_as(
        DERControlList, page(control(TARGET, mrid="AA"), broken, control(TARGET, mrid="BB")), CSIP_2018
    )
    assert [one.mrid for one in document.resource.items] == ["AA", "BB"]
    (lost,) = document.left_out
    assert lost.name == "DERControl"
    assert lost.path.endswith(where.replace("DERControl", "DERControl[2]") if where == "DERControl" else where)
    assert "/DERControl[2]" in lost.path
    assert why in lost.sentence
    assert (lost.reply_to, lost.response_required) == ("/rsp", "07")
    assert lost.mrid == (None if "no mRID" in why else "0A009D9C")


def test_multipliers_from_minus_nine_to_nine_are_kept_exactly() -> None:
    for multiplier in range(-9, 10):
        (one,) = controls_of(page(control(power("-32768", str(multiplier)))))
        assert one.der_control_base.op_mod_target_w == ActivePowerControl(multiplier=multiplier, value=-32_768)


def test_legal_ways_to_write_a_number() -> None:
    """A plus sign, leading zeros and blanks around are legal XML Schema integers."""
    for text in ("+3000", "0003000", " 3000\n", "-0"):
        (one,) = controls_of(page(control(power(text))))
        assert one.der_control_base.op_mod_target_w == ActivePowerControl(multiplier=0, value=int(text))


def test_a_link_without_an_address_is_left_out() -> None:
    data = f'<DeviceCapability {SEP}><TimeLink/><EndDeviceListLink href="/edev"/></DeviceCapability>'.encode()
    document = decode_as(DeviceCapability, data, CSIP_2018)
    assert document.resource.time_link is None
    assert document.resource.end_device_list_link is not None
    assert [lost.path for lost in document.left_out] == ["/DeviceCapability/TimeLink"]


def test_too_many_broken_items_are_a_broken_document() -> None:
    """Every record costs; a flood of faults is refused as a whole, with the path of the one that was too much."""
    broken = control(power("99999"))
    assert len(decode(page(*[broken] * MOST_REFUSED), CSIP_2018).left_out) == MOST_REFUSED
    with pytest.raises(codec.BindingError) as refusal:
        decode(page(*[broken] * (MOST_REFUSED + 1)), CSIP_2018)
    assert refusal.value.reason == "schema_violation"
    assert f"/DERControl[{MOST_REFUSED + 1}]/" in refusal.value.path


def test_notes_are_bounded() -> None:
    data = f"<Time {SEP}><currentTime>5</currentTime>{'<x/>' * 5000}</Time>".encode()
    document = decode(data, CSIP_2018)
    assert len(document.notes) < 40
    assert "more notes are left out" in document.notes[-1].text


def test_a_single_resource_that_breaks_its_type_is_refused_with_its_path() -> None:
    with pytest.raises(codec.BindingError) as refusal:
        decode(f"<Time {SEP}><currentTime>now</currentTime></Time>".encode(), CSIP_2018)
    assert (refusal.value.reason, refusal.value.path) == ("schema_violation", "/Time/currentTime")


def test_a_broken_post_is_refused_whole() -> None:
    """A mirror usage point with one bad reading is the client's fault as a whole: a server answers 400."""
    meter = "<MirrorMeterReading><mRID>zz</mRID></MirrorMeterReading>"
    data = f"<MirrorUsagePoint {SEP}><mRID>AA</mRID>{meter}</MirrorUsagePoint>".encode()
    with pytest.raises(codec.BindingError) as refusal:
        decode_as(MirrorUsagePoint, data, CSIP_2018)
    assert refusal.value.path == "/MirrorUsagePoint/MirrorMeterReading/mRID"


def test_a_resource_of_another_kind_is_unexpected() -> None:
    with pytest.raises(codec.UnexpectedResourceError) as refusal:
        decode_as(EndDeviceList, page(GOOD), CSIP_2018)
    assert refusal.value.reason == "unexpected_resource"


def notification(kind: str, content: str = "") -> bytes:
    return (
        f"<Notification {SEP} {XSI}><subscribedResource>/derp/1/derc</subscribedResource>"
        f"<Resource {kind} href='/derp/1/derc'>{content}</Resource><status>0</status>"
        "<subscriptionURI>/sub/1</subscriptionURI></Notification>"
    ).encode()


@pytest.mark.parametrize("name", ["DERControlList", "sep:DERControlList", " DERControlList "])
def test_what_a_notification_carries_is_told_by_its_type(name: str) -> None:
    """A server of the field writes the type without a prefix; a prefix is not judged."""
    document = decode_as(Notification, notification(f"xsi:type='{name}' all='1' results='1'", GOOD), CSIP_2018)
    carried = document.resource.resource
    assert isinstance(carried, DERControlList)
    assert carried.items == controls_of(page(GOOD))
    assert document.notes == ()


@pytest.mark.parametrize("kind", ["", "xsi:type='Notification'", "xsi:type='Surprise'"])
def test_an_unknown_or_missing_type_leaves_the_plain_resource(kind: str) -> None:
    document = decode_as(Notification, notification(kind, GOOD), CSIP_2018)
    assert document.resource.resource == Resource(href="/derp/1/derc")
    assert "/Notification/Resource/DERControl: is not known here and not carried" in said(document)


@pytest.mark.parametrize(
    ("data", "limits", "reason"),
    [
        (page(GOOD), Limits(max_bytes=100), "oversized"),
        (page(GOOD), Limits(max_depth=3), "too_deep"),
        (page(*[GOOD] * 50), Limits(max_nodes=200), "too_many_nodes"),
        (b"", codec.DEFAULT_LIMITS, "malformed_xml"),
        (page(GOOD)[:-3], codec.DEFAULT_LIMITS, "malformed_xml"),
        (page(GOOD).decode().encode("utf-16"), codec.DEFAULT_LIMITS, "encoding"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]>' + page(GOOD), codec.DEFAULT_LIMITS, "dtd_forbidden"),
    ],
)
def test_the_caps(data: bytes, limits: Limits, reason: str) -> None:
    with pytest.raises(PeerError) as refusal:
        decode(data, CSIP_2018, limits=limits)
    assert refusal.value.reason == reason


def test_an_overlong_description_costs_no_control() -> None:
    """String32 is longer in the field; it is read with a note and never written."""
    data = page(GOOD.replace("</mRID>", f"</mRID><description>{'d' * 33}</description>"))
    document = decode_as(DERControlList, data, CSIP_2018)
    (one,) = document.resource.items
    assert one.description == "d" * 33
    assert any("longer than 32" in text for text in said(document))
    with pytest.raises(MisuseError, match="longer than 32 octets"):
        encode(one, CSIP_2018)


def test_a_curve_has_ten_points_at_most() -> None:
    points = tuple(CurveData(xvalue=number, yvalue=0) for number in range(11))
    curve = DERCurve(
        mrid="AA",
        creation_time=0,
        curve_data=points,
        curve_type=CurveType.VOLT_VAR,
        x_multiplier=0,
        y_multiplier=0,
        y_ref_type=UnitReference.SET_MAX_VAR,
    )
    with pytest.raises(MisuseError, match="at most 10"):
        encode(curve, CSIP_2018)
    ten = encode(
        DERCurve(**{name: getattr(curve, name) for name in curve.__struct_fields__} | {"curve_data": points[:10]}),
        CSIP_2018,
    )
    eleven = ten.replace(b"<curveType>", b"<CurveData><xvalue>1</xvalue><yvalue>1</yvalue></CurveData><curveType>")
    with pytest.raises(codec.BindingError, match="at most 10"):
        decode(eleven, CSIP_2018)


@pytest.mark.parametrize(
    "value",
    [
        Error(reason_code=70_000),  # type: ignore[arg-type]  the wrong value is the point
        DERControlResponse(end_device_lfdi="3E4F", subject=""),
        DERControlResponse(end_device_lfdi="XYZ", subject="AA"),
        DERControlResponse(end_device_lfdi="3E4F", subject="AA", created_date_time=2**63),
        DERControlResponse(end_device_lfdi="3E4F", subject="AA", status=True),  # type: ignore[arg-type]  the same
        DERSettings(set_grad_w=-1, set_max_w=ActivePower(multiplier=0, value=1), updated_time=0),
        DERSettings(set_grad_w=27, set_max_w=ActivePower(multiplier=0, value=40_000), updated_time=0),
        DERSettings(set_grad_w=27, updated_time=0),
        DERControlList(all=1, items=()),
        DERControlList(results=0, items=()),
        DERControlBase(),
    ],
)
def test_what_the_wire_cannot_carry_is_never_written(value: object) -> None:
    with pytest.raises(MisuseError) as refusal:
        encode(value, CSIP_2018)  # type: ignore[arg-type]  some are no resources at all
    assert refusal.value.reason == "unencodable_message"


def test_what_a_profile_requires_must_be_there() -> None:
    """The element doeModesSupported is mandatory in CSIP-AUS (400 without it); reading notes its absence."""
    rating = "<rtgMaxW><multiplier>0</multiplier><value>1</value></rtgMaxW>"
    bare = f"<DERCapability {SEP}><modesSupported>00</modesSupported>{rating}<type>4</type></DERCapability>".encode()
    resource = decode(bare, CSIP_2018)
    assert resource.notes == ()
    assert b"00000000" in encode(resource.resource, CSIP_2018)
    for profile in (CSIPAUS_1_2, CSIPAUS_1_3):
        assert said(decode(bare, profile)) == [
            "/DERCapability: has no csipaus:doeModesSupported, which must be there",
        ]
        with pytest.raises(MisuseError, match="doe_modes_supported must not be absent"):
            encode(resource.resource, profile)


def test_profiles_as_the_facts_have_them() -> None:
    """CSIP-AUS 1.3 demands its Accept parameter (406 otherwise); 2023 writes schemaVer 2.2 on roots."""
    assert set(PROFILES) == {"csip-2018", "csip-2023", "csipaus-1.2", "csipaus-1.3"}
    assert CSIPAUS_1_3.accept == "application/sep+xml; csipaus=1.3"
    assert {one.accept for one in (CSIP_2018, CSIP_2023, CSIPAUS_1_2)} == {"application/sep+xml"}
    time = Time(current_time=5, dst_end_time=0, dst_offset=0, dst_start_time=0, quality=TimeQuality(3), tz_offset=0)
    assert b'<Time xmlns="urn:ieee:std:2030.5:ns" schemaVer="2.2">' in encode(time, CSIP_2023)
    assert b"schemaVer" not in encode(time, CSIP_2018)
    assert b'xmlns:csipaus="https://csipaus.org/ns/v1.3"' in encode(time, CSIPAUS_1_3)
    assert decode(encode(time, CSIP_2023), CSIP_2018).schema_version == "2.2"
