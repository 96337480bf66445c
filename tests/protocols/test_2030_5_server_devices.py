"""What devices do: registration, DER documents, Responses, mirrored readings, log events, flow reservations."""

import msgspec
import pytest
from utility_bench import AGGREGATOR, ALICE, BOB, SITES, START, Bench, bench
from utility_town import TYPE_W, flow_request, log_event, mirror, sheets, town

from wattseal.certs.identity import sfdi_of
from wattseal.protocols.ieee2030_5.base import DateTimeInterval
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.csip_aus import ConnectionPoint
from wattseal.protocols.ieee2030_5.flow_reservation import RequestStatus
from wattseal.protocols.ieee2030_5.metering import MirrorMeterReading, MirrorMeterReadingList, Reading
from wattseal.protocols.ieee2030_5.response import DERControlResponse
from wattseal.protocols.ieee2030_5.server import staff
from wattseal.protocols.ieee2030_5.server.state import Device, Group
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason, EventState, RequestState, ResponseStatus

# ---- registration ----------------------------------------------------------------------------------------------


def test_a_device_registers_itself_once():
    """1.3: 201 with Location; a repeated POST leads to the same; then the list holds it with its PIN."""
    found = bench(pin=111115)
    assert found.get("edev").all == 0
    first, again = found.register(ALICE), found.register(ALICE)
    assert (first.status, again.status) == (201, 201)
    assert found.location(first) == found.location(again)
    assert found.get("edev").all == 1
    device = found.get(found.location(first))
    assert (device.lfdi, device.sfdi, device.enabled) == (ALICE, int(sfdi_of(ALICE)), True)
    registration = found.get(f"{found.location(first)}/rg")
    assert (registration.pin, registration.date_time_registered) == (111115, START)


def test_a_server_without_pins_links_no_registration():
    """1.3: no RegistrationLink is a case that clients must take (ALL-05)."""
    found = bench(pin=None)
    path = found.location(found.register(ALICE))
    assert found.get(path).registration_link is None
    assert found.status("GET", f"{path}/rg") == 404


@pytest.mark.parametrize(
    ("lfdi", "sfdi", "caller", "status"),
    [
        (None, sfdi_of(ALICE), ALICE, 201),  # a direct device may leave its LFDI out
        (ALICE, sfdi_of(ALICE)[:-1], ALICE, 201),  # without the check digit, as a public harness registers
        (ALICE, sfdi_of(BOB), ALICE, 400),
        ("A1A1", sfdi_of(ALICE), ALICE, 400),
        (BOB, sfdi_of(BOB), ALICE, 403),
        (SITES[0], sfdi_of(SITES[0]), AGGREGATOR, 201),
        (AGGREGATOR, sfdi_of(AGGREGATOR), AGGREGATOR, 403),  # an EndDevice equal to the aggregator
        (None, sfdi_of(SITES[0]), AGGREGATOR, 400),
    ],
)
def test_who_may_register_whom(lfdi, sfdi, caller, status):
    found = bench()
    device = EndDevice(lfdi=lfdi, sfdi=int(sfdi), changed_time=START)
    assert found.send("POST", "edev", device, caller).status == status


def test_a_closed_server_and_one_that_is_taken():
    found = bench(open_registration=False)
    assert found.register(ALICE).status == 403
    found = bench()
    found.register(ALICE)
    assert found.register(ALICE, AGGREGATOR).status == 409


def test_a_device_may_change_its_category_and_leave():
    found = town("csip-2018")
    path = f"edev/{found.serial_of(ALICE)}"
    changed = EndDevice(lfdi=ALICE, sfdi=int(sfdi_of(ALICE)), changed_time=START, device_category=1 << 16)
    assert found.send("PUT", path, changed).status == 204
    assert found.get(path).device_category == 1 << 16
    assert found.send("PUT", path, msgspec.structs.replace(changed, lfdi=BOB)).status == 400
    assert found.status("DELETE", path) == 204
    assert found.status("GET", path) == 404
    assert found.get("edev").all == 0
    assert found.get("derp").all == 0
    assert all(one.owner != ALICE for one in found.world.subscribers)


# ---- documents -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["csip-2018", "csip-2023", "csipaus-1.2", "csipaus-1.3"])
def test_what_a_device_puts_comes_back(profile):
    """1.8: PUT answers 204; the same content comes back with an address; before that there is nothing (404)."""
    found = bench(profile)
    found.register(ALICE)
    base = f"edev/{found.serial_of(ALICE)}"
    for place, document in sheets(found.profile.speaks, ALICE).items():
        path = f"{base}/{place}"
        assert found.status("GET", path) == 404
        assert found.send("PUT", path, document).status in {201, 204}
        assert found.send("PUT", path, document).status == 204
        assert found.get(path) == msgspec.structs.replace(document, href=found.hrefs.write(path))


@pytest.mark.parametrize("profile", ["csipaus-1.2", "csipaus-1.3"])
def test_csip_aus_refuses_a_capability_without_doe_modes(profile):
    """1.8: doeModesSupported is mandatory there: 400."""
    found = bench(profile)
    found.register(ALICE)
    plain = sheets(frozenset(), ALICE)["der/1/dercap"]
    from wattseal.protocols.ieee2030_5.codec import encode
    from wattseal.protocols.ieee2030_5.profiles import CSIP_2018

    address = f"/edev/{found.serial_of(ALICE)}/der/1/dercap"
    assert found.ask("PUT", address, encode(plain, CSIP_2018)).status == 400
    assert bench("csip-2018").profile.requires == {}


def test_a_connection_point_is_created_changed_or_kept():
    """1.3: 201 for a new one, 204 then, 409 where the server forbids a change."""
    for fixed, statuses in ((False, [201, 204, 204]), (True, [201, 204, 409])):
        found = bench("csipaus-1.3", connection_point_may_change=not fixed)
        found.register(ALICE)
        path = f"edev/{found.serial_of(ALICE)}/cp"
        points = [ConnectionPoint(connection_point_id=one) for one in ("NMI1", "NMI1", "NMI2")]
        assert [found.send("PUT", path, one).status for one in points] == statuses
        assert found.get(path).connection_point_id == ("NMI1" if fixed else "NMI2")


def test_a_document_of_a_later_edition_is_cut_to_the_servers_own():
    """A field that the server's profile does not speak is kept, and left out of what it says."""
    found = bench("csip-2018")
    found.register(ALICE)
    other = bench("csip-2023")
    document = msgspec.structs.replace(sheets(frozenset(), ALICE)["der/1/dercap"], modes_supported2=1)
    from wattseal.protocols.ieee2030_5.codec import encode

    path = f"edev/{found.serial_of(ALICE)}/der/1/dercap"
    assert found.ask("PUT", f"/{path}", encode(document, other.profile)).status == 204
    assert found.get(path).modes_supported2 is None
    kept = next(iter(found.world.devices)).sheets["der/1/dercap"].document
    assert decode(kept, other.profile).resource.modes_supported2 == 1


# ---- Responses -------------------------------------------------------------------------------------------------


def answered(found: Bench, **fields: object) -> int:
    said = {"created_date_time": START, "end_device_lfdi": ALICE, "status": ResponseStatus.STARTED} | fields
    return found.send("POST", "rsps/1/rsp", DERControlResponse(**said)).status


def test_responses_are_judged_kept_and_shown():
    """1.7: 201; an unknown LFDI or subject may be refused; replyTo leads there, responseRequired says what for."""
    found = town("csip-2018")
    program = found.get("derp").items[0]
    control = found.get(found.hrefs.read(program.der_control_list_link.href)).items[0]
    assert control.response_required == 3
    assert found.hrefs.read(control.reply_to) == "rsps/1/rsp"
    assert answered(found, subject=control.mrid) == 201
    assert answered(found, subject="DEAD") == 400
    assert answered(found, subject=control.mrid, end_device_lfdi="12" * 20) == 400
    listed = found.get("rsps/1/rsp")
    assert [(type(one).__name__, one.status) for one in listed.items] == [
        ("DERControlResponse", ResponseStatus.STARTED),
        ("DERControlResponse", ResponseStatus.RECEIVED),
    ]
    assert town("csip-2018", strict_responses=False).register(ALICE).status == 201


def test_a_lenient_server_takes_any_response():
    """1.7: whether an unknown LFDI is refused is argued about; both must be to be had."""
    found = bench(strict_responses=False)
    found.register(ALICE)
    assert answered(found, subject="DEAD", end_device_lfdi="12" * 20) == 201


def test_who_is_moved_out_of_a_group_still_answers():
    found = town("csip-2018")
    mrid = found.world.der_programs[0].controls[0].event.mrid
    device = staff.named(found.world, Device, ALICE)
    found.world = staff.move_device(found.world, device, None)
    assert found.get("derp").all == 0
    assert answered(found, subject=mrid, status=ResponseStatus.CANCELLED) == 201


def test_a_device_is_moved_between_groups():
    """MAINT-003: another programme is found after the move, the first one is gone."""
    found = town("csip-2018")
    before = found.get("derp").items[0].mrid
    bobs = next(one for one in found.world.groups if found.serial_of(BOB) in one.members)
    found.world = staff.move_device(
        found.world, staff.named(found.world, Device, ALICE), staff.named(found.world, Group, bobs.serial)
    )
    after = found.get("derp").items[0].mrid
    assert after == found.get("derp", BOB).items[0].mrid != before


# ---- readings --------------------------------------------------------------------------------------------------


def mirrored(**settings: object) -> tuple[Bench, str]:
    found = bench(**settings)
    found.register(ALICE)
    reply = found.send("POST", "mup", mirror(ALICE))
    assert reply.status == 201
    return found, found.location(reply)


def reading(number: int, mrid: str, **more: object) -> MirrorMeterReading:
    period = DateTimeInterval(start=START + 300 * number, duration=300)
    return MirrorMeterReading(mrid=mrid, reading=Reading(value=number, time_period=period), **more)


def test_readings_need_a_reading_type_once():
    """1.9: defined with a ReadingType, then posted without; a reading that was never defined is refused (400)."""
    found, path = mirrored()
    assert found.send("POST", path, reading(0, "01")).status == 400
    first = found.send("POST", path, reading(0, "01", reading_type=TYPE_W))
    assert first.status == 201
    assert found.get(found.location(first)).reading_type.uom == TYPE_W.uom
    assert found.send("POST", path, reading(1, "01")).status == 204
    both = MirrorMeterReadingList(all=2, results=2, items=(reading(2, "01"), reading(2, "03")))
    assert found.send("POST", path, both).status == 400
    meter = next(one for one in found.world.mirrors[0].meters if one.mrid == "01")
    assert [one.value for one in meter.readings] == [0, 1]


def test_a_repeated_post_adds_nothing():
    """1.9: re-POST with the same mRID updates; a retried reading is not counted twice."""
    found, path = mirrored()
    again = found.send("POST", "mup", mirror(ALICE, description="renamed"))
    assert (again.status, found.location(again)) == (204, path)
    assert found.get("mup").all == 1
    assert found.get(path).description == "renamed"
    for _ in range(2):
        found.send("POST", path, reading(1, "01", reading_type=TYPE_W))
    assert [len(one.readings) for one in found.world.mirrors[0].meters] == [2, 1]


def test_a_mirror_is_changed_shown_as_a_usage_point_and_deleted():
    found, path = mirrored(post_seconds=60)
    assert found.get(path).post_rate == 60
    assert found.send("PUT", path, mirror(ALICE, post_rate=30)).status == 204
    assert found.get(path).post_rate == 30
    assert found.send("PUT", path, mirror(ALICE, "BB" * 16)).status == 400
    point = found.get(path.replace("mup", "upt"))
    assert (point.device_lfdi, point.role_flags) == (ALICE, 0x49)
    assert found.status("DELETE", path) == 204
    assert found.status("GET", path) == found.status("GET", path.replace("mup", "upt")) == 404


def test_of_many_readings_the_newest_are_kept():
    found, path = mirrored(readings_kept=5)
    for number in range(9):
        found.send("POST", path, reading(number, "01", reading_type=TYPE_W))
    assert [one.value for one in found.world.mirrors[0].meters[1].readings] == [4, 5, 6, 7, 8]


def test_who_has_no_enddevice_posts_no_readings():
    assert bench().send("POST", "mup", mirror(ALICE)).status == 403


# ---- log events and flow reservations ----------------------------------------------------------------------------


def test_log_events_are_listed_newest_first():
    """1.11, BASIC-027: five of them."""
    found = bench()
    found.register(ALICE)
    base = f"edev/{found.serial_of(ALICE)}/lel"
    replies = [
        found.send("POST", base, msgspec.structs.replace(log_event(code), created_date_time=START + code))
        for code in range(5)
    ]
    assert {one.status for one in replies} == {201}
    assert [one.log_event_code for one in found.get(base).items] == [4, 3, 2, 1, 0]
    assert found.get(found.location(replies[2])).log_event_code == 2
    assert [one.log_event_code for one in found.get(base, query=f"l=9&a={START + 2}").items] == [4, 3]


def test_a_flow_reservation_is_granted_and_goes_with_its_request():
    """1.11: the server makes a FlowReservationResponse whose subject is the request; a cancelled request ends it."""
    found = bench()
    found.register(ALICE)
    base = f"edev/{found.serial_of(ALICE)}"
    path = found.location(found.send("POST", f"{base}/frq", flow_request()))
    grant = found.get(f"{base}/frp").items[0]
    assert (grant.subject, grant.energy_available, grant.power_available) == (
        "F1",
        flow_request().energy_requested,
        flow_request().power_requested,
    )
    assert (grant.interval.duration, grant.event_status.current_status) == (7200, EventState.ACTIVE)
    found.do("change_grant", mrid=grant.mrid, power={"multiplier": 0, "value": 1400})
    assert found.get(f"{base}/frp").items[0].power_available.value == 1400
    gone = RequestStatus(date_time=START, request_status=RequestState.CANCELLED)
    assert found.send("PUT", path, msgspec.structs.replace(flow_request(), request_status=gone)).status == 204
    assert found.get(f"{base}/frp").items[0].event_status.current_status == EventState.CANCELLED
    assert found.get(f"{base}/frq").all == 1
    wrong = found.send("PUT", path, flow_request("F2"))
    assert decode(wrong.body, found.profile).resource.reason_code == ErrorReason.INVALID_VALUES


# ---- restart -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["csip-2018", "csipaus-1.3"])
def test_a_restart_loses_nothing(profile):
    """Everything that anybody could read before is there again, byte for byte, from the bytes of the world."""
    found = town(profile)
    again = found.restarted()
    for lfdi in (ALICE, BOB, AGGREGATOR):
        assert list(found.everything(lfdi)) == list(again.everything(lfdi))
    assert again.world.to_bytes() == found.world.to_bytes()


# ---- bounds ------------------------------------------------------------------------------------------------------


def test_nobody_fills_the_server():
    """What one certificate may make is bounded: 400 with `resource limit`; of Responses the oldest are given up."""
    found = bench(things_most=1, strict_responses=False)
    assert found.register(SITES[0], AGGREGATOR).status == 201
    assert found.send("POST", "mup", mirror(SITES[0]), AGGREGATOR).status == 201
    refused = (found.register(SITES[1], AGGREGATOR), found.send("POST", "mup", mirror(SITES[0], "BB" * 16), AGGREGATOR))
    for reply in refused:
        assert reply.status == 400
        assert decode(reply.body, found.profile).resource.reason_code == ErrorReason.RESOURCE_LIMIT
    found.register(ALICE)
    for subject in ("01", "02"):
        assert answered(found, subject=subject) == 201
    assert [one.subject for one in found.world.responses] == ["02"]
