"""What the 2.0b codec refuses, with the path, and the few points where it is lenient, with a note."""

import pytest

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.protocols.openadr20b import codec, event, party, poll
from wattseal.protocols.openadr20b.codec import SchemaError, XmlRefusedError
from wattseal.protocols.openadr20b.vocabulary import ResponseCode

MESSAGE = "/oadrPayload/oadrSignedObject/"
EVENT = f"{MESSAGE}oadrDistributeEvent/oadrEvent[2]/eiEvent/"
VALUE = f"{EVENT}eiEventSignals/eiEventSignal/intervals/interval/signalPayload/payloadFloat/value"
TWO_EVENTS = "distribute_event_two_events_price_and_charge_state"
DISPATCH = "distribute_event_load_dispatch_kilowatts"
DS = "http://www.w3.org/2000/09/xmldsig#"

CASES = [
    # vector, what is replaced (last occurrence), by what, path of the refusal
    ("poll", "<ei:venID>ven-1</ei:venID>", "", "oadrPoll"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "<ei:venID>a</ei:venID><ei:venID>b</ei:venID>", "oadrPoll/venID[2]"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "<pyld:venID>ven-1</pyld:venID>", "oadrPoll/venID"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "<venID>ven-1</venID>", "oadrPoll/venID"),
    ("poll", "<ei:venID>ven-1</ei:venID>", '<ei:venID x="1">ven-1</ei:venID>', "oadrPoll/venID"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "<ei:venID>a<b/></ei:venID>", "oadrPoll/venID"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "text<ei:venID>ven-1</ei:venID>", "oadrPoll"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "<ei:venID>ven-1</ei:venID>text", "oadrPoll/venID"),
    ("poll", "<ei:venID>ven-1</ei:venID>", "<ei:venID>ven-1</ei:venID><ei:vtnID>v</ei:vtnID>", "oadrPoll/vtnID"),
    ("poll", ' ei:schemaVersion="2.0b"', ' ei:schemaVersion="2.0b" ei:extra="1"', "oadrPoll"),
    ("query_registration", "req-1", "x" * 16_385, "oadrQueryRegistration/requestID"),
    ("cancel_report_with_last_report", ">true<", ">True<", "oadrCancelReport/reportToFollow"),
    (
        "cancel_report_with_last_report",
        "<ei:reportRequestID>rr-1</ei:reportRequestID><ei:reportRequestID>rr-2</ei:reportRequestID>",
        "",
        "oadrCancelReport/reportToFollow",
    ),
    ("created_opt", ">200<", ">20<", "oadrCreatedOpt/eiResponse/responseCode"),
    ("created_opt", ">200<", ">2000<", "oadrCreatedOpt/eiResponse/responseCode"),
    ("create_opt_schedule", "x-schedule", "x schedule", "oadrCreateOpt/optReason"),
    ("create_opt_schedule", "optOut", "optout", "oadrCreateOpt/optType"),
    (
        "create_opt_for_event",
        "4294967295",
        "4294967296",
        "oadrCreateOpt/qualifiedEventID/modificationNumber",
    ),
    (TWO_EVENTS, "<xcal:components/>", "", f"{EVENT}eiActivePeriod"),
    (TWO_EVENTS, "<ei:eiTarget/>", "", "oadrDistributeEvent/oadrEvent[2]/eiEvent"),
    (TWO_EVENTS, ">8000<", ">NaN<", VALUE),
    (TWO_EVENTS, ">8000<", ">-INF<", VALUE),
    (TWO_EVENTS, ">8000<", ">1e39<", VALUE),
    (TWO_EVENTS, ">CHARGE_STATE<", ">CHARGE<", f"{EVENT}eiEventSignals/eiEventSignal/signalName"),
    (TWO_EVENTS, ">setpoint<", ">x-own<", f"{EVENT}eiEventSignals/eiEventSignal/signalType"),
    (TWO_EVENTS, ">Wh<", ">kWh<", f"{EVENT}eiEventSignals/eiEventSignal/energyReal/itemUnits"),
    (TWO_EVENTS, ">none<", "> none<", f"{EVENT}eiEventSignals/eiEventSignal/energyReal/siScaleCode"),
    (TWO_EVENTS, ">far<", ">soon<", f"{EVENT}eventDescriptor/eventStatus"),
    (TWO_EVENTS, "T12:00:00Z", "T12:00:00+02:00", f"{EVENT}eventDescriptor/createdDateTime"),
    (TWO_EVENTS, ">P1D<", ">P1.5D<", f"{EVENT}eiEventSignals/eiEventSignal/intervals/interval/duration/duration"),
    (TWO_EVENTS, ">always<", ">sometimes<", "oadrDistributeEvent/oadrEvent[2]/oadrResponseRequired"),
    (DISPATCH, "<ei:priority>1</ei:priority>", "<ei:priority></ei:priority>",
     "oadrDistributeEvent/oadrEvent/eiEvent/eventDescriptor/priority"),
    (DISPATCH, "<power:hertz>50</power:hertz>", "",
     "oadrDistributeEvent/oadrEvent/eiEvent/eiEventSignals/eiEventBaseline/powerReal/powerAttributes/voltage"),
    (DISPATCH, "<xcal:startafter>PT5M</xcal:startafter>", "<xcal:startbefore>PT5M</xcal:startbefore>",
     "oadrDistributeEvent/oadrEvent/eiEvent/eiActivePeriod/properties/tolerance/tolerate/startbefore"),
    (TWO_EVENTS, "</ei:signalPayload>", "</ei:signalPayload><ei:signalPayload/>",
     f"{EVENT}eiEventSignals/eiEventSignal/intervals/interval/signalPayload[2]"),
    ("update_report_usage_and_status", "<ei:confidence>95", "<ei:confidence>101",
     "oadrUpdateReport/oadrReport/intervals/interval[1]/oadrReportPayload[1]/confidence"),
    ("distribute_event_every_target", 'gml:id="p1"', 'gml:id="1 p"',
     "oadrDistributeEvent/oadrEvent/eiEvent/eiTarget/serviceArea/FeatureCollection/location/Polygon"),
    ("created_party_registration_with_extensions", "<oadr:oadrTransport><oadr:oadrTransportName>xmpp",
     "<oadr:oadrTransport><oadr:oadrTransportName>smtp",
     "oadrCreatedPartyRegistration/oadrProfiles/oadrProfile[2]/oadrTransports/oadrTransport[2]/oadrTransportName"),
]  # fmt: skip


def replaced(data: bytes, old: str, new: str) -> bytes:
    """The document with the last occurrence of `old` replaced."""
    head, found, tail = data.decode().rpartition(old)
    assert found, f"{old} is not in the vector"
    return f"{head}{new}{tail}".encode()


@pytest.mark.parametrize(("vector", "old", "new", "path"), CASES)
def test_refused_with_path(vector: str, old: str, new: str, path: str, openadr20b_vectors: dict[str, bytes]) -> None:
    """Wrong order, unknown or missing element, cardinality, namespace, attribute, text: refused at the element."""
    with pytest.raises(SchemaError) as caught:
        codec.decode(replaced(openadr20b_vectors[vector], old, new))
    error = caught.value
    assert error.path == (path if path.startswith("/") else MESSAGE + path)
    assert error.reason == "schema_violation"
    assert error.response_code is ResponseCode.INVALID_DATA
    assert isinstance(error, PeerError)
    assert error.sentence.startswith(error.path)


def test_an_unknown_message_is_refused(openadr20b_vectors: dict[str, bytes]) -> None:
    with pytest.raises(SchemaError) as caught:
        codec.decode(openadr20b_vectors["bare_poll"].replace(b"oadrPoll", b"oadrPolls"))
    assert caught.value.path == "/oadrPolls"
    assert caught.value.ven_id == "ven-1"


@pytest.mark.parametrize("version", ["2.0c", "1.0", "", "x-own"])
def test_another_schema_version_is_refused(version: str, openadr20b_vectors: dict[str, bytes]) -> None:
    with pytest.raises(SchemaError) as caught:
        codec.decode(openadr20b_vectors["poll"].replace(b'n="2.0b"', f'n="{version}"'.encode()))
    assert caught.value.response_code is ResponseCode.COMPLIANCE_ERROR
    assert caught.value.path == f"{MESSAGE}oadrPoll"


SIGNATURE = f'<ds:Signature xmlns:ds="{DS}"><ds:SignatureValue>AA==</ds:SignatureValue>{{}}</ds:Signature>'
OPEN, CLOSE = '<oadr:oadrSignedObject oadr:Id="oadrSignedObject">', "</oadr:oadrSignedObject>"


def envelope(vectors: dict[str, bytes], before: str, after: str) -> bytes:
    text = vectors["poll"].decode()
    return text.replace(OPEN, before + OPEN).replace(CLOSE, CLOSE + after).encode()


@pytest.mark.parametrize(
    ("before", "after", "path"),
    [
        (f"{OPEN}<oadr:oadrPoll><ei:venID>evil</ei:venID></oadr:oadrPoll>{CLOSE}", "", "/oadrPayload"),
        ("", f"{OPEN}<oadr:oadrPoll><ei:venID>evil</ei:venID></oadr:oadrPoll>{CLOSE}", "/oadrPayload"),
        (SIGNATURE.format("") * 2, "", "/oadrPayload"),
        (SIGNATURE.format(""), SIGNATURE.format(""), "/oadrPayload"),
        ("<oadr:other/>", "", "/oadrPayload/other"),
        ("text", "", "/oadrPayload"),
        (
            SIGNATURE.format(f"<ds:Object>{OPEN}<oadr:oadrPoll/>{CLOSE}</ds:Object>"),
            "",
            "/oadrPayload/Signature/Object/oadrSignedObject",
        ),
        (
            SIGNATURE.format("<ds:Object><x><oadr:oadrPoll/></x></ds:Object>"),
            "",
            "/oadrPayload/Signature/Object/x/oadrPoll",
        ),
    ],
)
def test_wrapping_attacks_are_refused(before: str, after: str, path: str, openadr20b_vectors: dict[str, bytes]) -> None:
    """A second signed object, one hidden below ds:Object, a second signature: 459, and nothing is read of them."""
    with pytest.raises(SchemaError) as caught:
        codec.decode(envelope(openadr20b_vectors, before, after))
    assert caught.value.path == path
    assert caught.value.response_code is ResponseCode.COMPLIANCE_ERROR


@pytest.mark.parametrize("name", ["", "1st", "a b", "a&lt;b"])
def test_the_id_of_the_signed_object_must_be_a_name(name: str, openadr20b_vectors: dict[str, bytes]) -> None:
    """A signature's reference finds the signed object by it (xs:ID)."""
    with pytest.raises(SchemaError) as caught:
        codec.decode(openadr20b_vectors["poll"].replace(b'Id="oadrSignedObject"', f'Id="{name}"'.encode()))
    assert caught.value.path == "/oadrPayload/oadrSignedObject"


def test_a_payload_needs_exactly_one_message(openadr20b_vectors: dict[str, bytes]) -> None:
    poll_text = openadr20b_vectors["poll"].decode()
    one = poll_text[poll_text.index("<oadr:oadrPoll") : poll_text.index("</oadr:oadrSignedObject>")]
    for count in (0, 2):
        with pytest.raises(SchemaError) as caught:
            codec.decode(poll_text.replace(one, one * count).encode())
        assert caught.value.path == "/oadrPayload/oadrSignedObject"
    without = poll_text.replace(OPEN + "\n" + one + CLOSE, "")
    with pytest.raises(SchemaError) as caught:
        codec.decode(without.encode())
    assert caught.value.path == "/oadrPayload"


def test_evidence_in_an_unreferenced_object_is_passed_over(openadr20b_vectors: dict[str, bytes]) -> None:
    """A ds:Object of somebody's own inside ds:Signature must not break standard conformance."""
    own = SIGNATURE.format('<ds:Object Id="evidence"><e xmlns="urn:own">AAECAw==</e></ds:Object>')
    payload = codec.decode(envelope(openadr20b_vectors, own, ""))
    assert payload.signed
    assert payload.notes == ()
    assert payload.message == poll.Poll(ven_id="ven-1")


def test_a_signature_after_the_signed_object_is_noted(openadr20b_vectors: dict[str, bytes]) -> None:
    """One public implementation writes it there, which the schema refuses."""
    payload = codec.decode(envelope(openadr20b_vectors, "", SIGNATURE.format("")))
    assert payload.signed
    assert [note.path for note in payload.notes] == ["/oadrPayload/Signature"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (' ei:schemaVersion="2.0b"', "", "no schemaVersion"),
        ('"2.0b"', '"2.0a"', "schemaVersion 2.0a"),
        (
            "<oadr:oadrPayload",
            '<oadr:oadrPayload xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a a.xsd"',
            "rule 45",
        ),
        ("<xcal:components/>", "<xcal:components><x/></xcal:components>", "not carried"),
        (">PT2H<", ">P2H<", "without T"),
        ("2030-06-01T14:00:00Z", "2030-06-01T14:00:00", "read as UTC"),
    ],
)
def test_lenient_with_a_note(old: str, new: str, said: str, openadr20b_vectors: dict[str, bytes]) -> None:
    data = openadr20b_vectors[TWO_EVENTS]
    payload = codec.decode(replaced(data, old, new))
    assert [said in note.text for note in payload.notes] == [True]
    assert payload.message == codec.decode(data).message


def test_what_could_be_read_comes_with_the_error(openadr20b_vectors: dict[str, bytes]) -> None:
    """An answer needs the requestID and the venID of the message that was refused, not a target's venID."""
    with pytest.raises(SchemaError) as caught:
        codec.decode(replaced(openadr20b_vectors[DISPATCH], ">near<", ">never<"))
    assert (caught.value.request_id, caught.value.ven_id) == ("req-1", None)
    with pytest.raises(SchemaError) as caught:
        codec.decode(replaced(openadr20b_vectors["created_event_two_answers"], "optOut", "out"))
    assert (caught.value.request_id, caught.value.ven_id) == ("req-9", "ven-1")
    with pytest.raises(SchemaError) as caught:
        codec.decode(replaced(openadr20b_vectors["request_event_with_limit"], "+5", "five"))
    assert (caught.value.request_id, caught.value.ven_id) == ("req-1", "ven-1")


@pytest.mark.parametrize(
    ("data", "reason", "code"),
    [
        (b"<", "malformed_xml", ResponseCode.INVALID_DATA),
        (b"\xff\xfe<\x00", "encoding", ResponseCode.INVALID_DATA),
        (b"<!DOCTYPE a><a/>", "dtd_forbidden", ResponseCode.COMPLIANCE_ERROR),
        (b" " * 1_048_577, "oversized", ResponseCode.COMPLIANCE_ERROR),
        (b"<a>" * 60 + b"</a>" * 60, "too_deep", ResponseCode.COMPLIANCE_ERROR),
        (b"<a>" + b"<b/>" * 60_000 + b"</a>", "too_many_nodes", ResponseCode.COMPLIANCE_ERROR),
    ],
)
def test_refused_bytes_carry_a_code(data: bytes, reason: str, code: ResponseCode) -> None:
    with pytest.raises(XmlRefusedError) as caught:
        codec.decode(data)
    assert (caught.value.reason, caught.value.response_code) == (reason, code)
    assert (caught.value.request_id, caught.value.ven_id) == (None, None)


@pytest.mark.parametrize(
    "message",
    [
        poll.Poll(ven_id="\x00"),
        poll.Poll(ven_id=5),  # type: ignore[arg-type]  the wrong type is the case
        poll.Poll(ven_id=None),  # type: ignore[arg-type]  the wrong type is the case
        event.RequestEvent(request_id="r", ven_id="v", reply_limit=-1),
        event.DistributeEvent(request_id="r", vtn_id="v", events=[]),  # type: ignore[arg-type]  a list is the case
        event.DistributeEvent(request_id="r", vtn_id="v", events=(poll.Poll(ven_id="x"),)),  # type: ignore[arg-type]
        party.Profile(profile_name="2.0b", transport_names=()),  # type: ignore[arg-type]  no message at all
        party.CreatePartyRegistration(request_id="r", report_only=0, xml_signature=False),  # type: ignore[arg-type]
        "oadrPoll",
    ],
)
def test_what_cannot_be_written_is_our_mistake(message: object) -> None:
    with pytest.raises(MisuseError) as caught:
        codec.encode(message)  # type: ignore[arg-type]  the wrong type is the case
    assert caught.value.reason == "unencodable_message"


def test_a_flood_of_odd_values_buys_few_notes(openadr20b_vectors: dict[str, bytes]) -> None:
    """Each note has a path, and a path walks among siblings: thousands would cost minutes."""
    interval = (
        "<ei:interval><xcal:duration><xcal:duration>P5M</xcal:duration></xcal:duration>"
        "<ei:signalPayload><ei:payloadFloat><ei:value>1</ei:value></ei:payloadFloat></ei:signalPayload></ei:interval>"
    )
    data = replaced(openadr20b_vectors[TWO_EVENTS], "</strm:intervals>", interval * 5000 + "</strm:intervals>")
    payload = codec.decode(data)
    assert len(payload.notes) == 33
    assert "4968 more" in payload.notes[-1].text


@pytest.mark.parametrize("damage", ["<{}/>", "<ei:venID {}='1'/>", "<x:venID xmlns:x='{}'/>", "<{}></y>"])
def test_long_names_do_not_swell_the_error(damage: str, openadr20b_vectors: dict[str, bytes]) -> None:
    """The sentence goes into a log and into an answer."""
    long = "y" * 100_000
    data = replaced(openadr20b_vectors["poll"], "<ei:venID>ven-1</ei:venID>", damage.format(long))
    with pytest.raises(PeerError) as caught:
        codec.decode(data)
    assert len(caught.value.sentence) < 700
