"""Who gets in: registration, certificates and venIDs, ends of registrations. Rules by their number."""

from dataclasses import replace

import pytest

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.openadr20b.common import EiResponse
from wattseal.protocols.openadr20b.messages import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    DistributeEvent,
    Poll,
    QueryRegistration,
    RequestEvent,
    RequestReregistration,
    Response,
)
from wattseal.protocols.openadr20b.vocabulary import ProfileName, TransportName
from wattseal.protocols.openadr20b.vtn.config import Allocation, VtnConfig, WantedReport
from wattseal.protocols.openadr20b.vtn.happenings import Deregistered, Refused, Registered, Remarked
from wattseal.protocols.openadr20b.vtn.state import VtnState

ALICE = PeerIdentity("AA:00:11:22:33:44:55:66:77:88", "a" * 64, "CN=alice")
MALLORY = PeerIdentity("BB:00:11:22:33:44:55:66:77:88", "b" * 64, "CN=mallory")


def create(**details):
    base = {"request_id": "R1", "report_only": False, "xml_signature": False, "http_pull_model": True, "ven_name": "v"}
    return CreatePartyRegistration(**(base | details))


def code(answer):
    return answer.ei_response.response_code


def test_a_query_tells_what_is_spoken_and_gives_no_identity(vtn_bench):
    bench = vtn_bench(poll_seconds=30, vtn_id="Utility-1")
    answer = bench.say(QueryRegistration(request_id="Q1"))
    assert isinstance(answer, CreatedPartyRegistration)
    assert (answer.ei_response.request_id, answer.vtn_id) == ("Q1", "Utility-1")
    assert answer.requested_poll_freq.total_seconds() == 30
    assert (answer.registration_id, answer.ven_id) == (None, None)
    assert answer.profiles[0].profile_name is ProfileName.PROFILE_20B
    assert answer.profiles[0].transport_names == (TransportName.SIMPLE_HTTP,)


def test_registration_gives_both_identifiers(vtn_bench):
    """Rule 403."""
    bench = vtn_bench()
    answer = bench.say(create())
    assert (code(answer), answer.ei_response.request_id) == ("200", "R1")
    assert answer.ven_id
    assert answer.registration_id
    assert isinstance(bench.happenings[-1], Registered)
    assert bench.poll(answer.ven_id).ei_response.response_code == "200"


def test_each_ven_gets_its_own_identifiers(vtn_bench):
    bench = vtn_bench()
    answers = [bench.say(create(ven_name=f"v{index}")) for index in range(5)]
    assert len({one.ven_id for one in answers} | {one.registration_id for one in answers}) == 10


def test_registering_again_with_the_registration_id_keeps_both(vtn_bench):
    bench = vtn_bench()
    first = bench.say(create())
    again = bench.say(create(registration_id=first.registration_id, ven_id=first.ven_id, ven_name="renamed"))
    assert (again.registration_id, again.ven_id) == (first.registration_id, first.ven_id)
    assert bench.vtn.state.vens[0].ven_name == "renamed"
    assert bench.happenings[-1].again


def test_a_ven_that_lost_its_registration_id_is_told_everything_again(vtn_bench):
    bench = vtn_bench()
    first = bench.say(create())
    event = bench.add()
    bench.poll(first.ven_id)
    bench.opt(first.ven_id, event)
    assert isinstance(bench.poll(first.ven_id), Response)
    again = bench.say(create(ven_id=first.ven_id))
    assert again.ven_id == first.ven_id
    assert again.registration_id != first.registration_id
    assert isinstance(bench.poll(first.ven_id), DistributeEvent)
    stale = create(registration_id=first.registration_id, ven_id=first.ven_id)
    assert code(bench.say(stale)) == "452"


def test_a_pre_allocated_ven_id_travels_in_the_first_creation(vtn_bench):
    """Rule 402, certification case N1_0025."""
    bench = vtn_bench(allocations=(Allocation(ven_id="AGREED-1"),), open_registration=False)
    assert bench.say(create(ven_id="AGREED-1")).ven_id == "AGREED-1"
    assert code(bench.say(create(ven_id="INVENTED"))) == "452"
    assert code(bench.say(create())) == "463"


def test_an_agreed_ven_is_found_by_its_name_or_its_certificate(vtn_bench):
    allocations = (
        Allocation(ven_id="BY-NAME", ven_name="v"),
        Allocation(ven_id="BY-CERTIFICATE", fingerprint=ALICE.fingerprint),
    )
    bench = vtn_bench(allocations=allocations, open_registration=False)
    assert bench.say(create()).ven_id == "BY-NAME"
    assert bench.say(create(ven_name="other"), ALICE).ven_id == "BY-CERTIFICATE"
    assert bench.say(create()).ven_id == "BY-NAME"  # the same one came back without its memory
    assert len(bench.vtn.state.vens) == 2


def test_a_ven_id_belongs_to_its_certificate(vtn_bench):
    """The VTN must check certificate against venID; a mismatch is 463."""
    bench = vtn_bench(allocations=(Allocation(ven_id="A", fingerprint=ALICE.fingerprint),))
    for peer in (MALLORY, None):
        assert code(bench.say(create(ven_id="A"), peer)) == "463"
    assert code(bench.say(create(ven_id="A"), ALICE)) == "200"
    for peer in (MALLORY, None):
        assert code(bench.say(Poll(ven_id="A"), peer)) == "463"
        assert code(bench.say(RequestEvent(request_id="Q", ven_id="A"), peer)) == "463"
    assert code(bench.say(Poll(ven_id="A"), ALICE)) == "200"


def test_the_certificate_of_the_first_registration_is_kept(vtn_bench):
    bench = vtn_bench()
    ven = bench.register(peer=ALICE)
    registration = bench.vtn.state.vens[0].registration_id
    takeover = create(registration_id=registration)
    for message in (Poll(ven_id=ven), create(ven_id=ven), takeover):
        for peer in (MALLORY, None):
            assert code(bench.say(message, peer)) == "463", message
    end = CancelPartyRegistration(request_id="R", registration_id=registration, ven_id=ven)
    assert code(bench.say(end, MALLORY)) == "463"
    assert code(bench.say(Poll(ven_id=ven), ALICE)) == "200"
    assert bench.register("again", ALICE) == ven
    assert bench.say(QueryRegistration(request_id="Q"), ALICE).ven_id == ven
    assert bench.say(QueryRegistration(request_id="Q"), MALLORY).ven_id is None


def test_a_renewed_certificate_is_admitted_by_its_allocation(vtn_bench):
    """A renewal changes the fingerprint: the operator changes the allocation."""
    bench = vtn_bench(allocations=(Allocation(ven_id="A", fingerprint=ALICE.fingerprint),))
    bench.register(peer=ALICE)
    renewed = replace(ALICE, fingerprint=MALLORY.fingerprint, sha256="c" * 64)
    after = vtn_bench(allocations=(Allocation(ven_id="A", fingerprint=renewed.fingerprint),))
    after.vtn = type(after.vtn)(after.vtn.config, bench.vtn.state)
    assert code(after.say(Poll(ven_id="A"), renewed)) == "200"
    assert code(after.say(Poll(ven_id="A"), ALICE)) == "463"


def test_an_unregistered_ven_gets_463(vtn_bench):
    """Certification case N0_5080."""
    bench = vtn_bench()
    answer = bench.say(Poll(ven_id="NOBODY"))
    assert isinstance(answer, Response)
    assert code(answer) == "463"
    assert isinstance(bench.happenings[-1], Refused)


def test_a_refused_request_for_events_is_no_empty_list(vtn_bench):
    """An oadrDistributeEvent without events would cancel all events of the VEN by implication (rule 61)."""
    assert isinstance(vtn_bench().say(RequestEvent(request_id="Q", ven_id="NOBODY")), Response)


@pytest.mark.parametrize(
    "details",
    [
        {"profile_name": ProfileName.PROFILE_20A},
        {"transport_name": TransportName.XMPP},
        {"http_pull_model": False, "transport_address": "http://ven.example:8081"},
    ],
)
def test_what_this_vtn_does_not_speak_is_refused(vtn_bench, details):
    bench = vtn_bench()
    answer = bench.say(create(**details))
    assert isinstance(answer, CreatedPartyRegistration)
    assert code(answer) == "469"
    assert answer.registration_id is None
    assert bench.vtn.state.vens == ()


def test_a_ven_ends_its_registration(vtn_bench):
    bench = vtn_bench()
    ven = bench.register()
    registration = bench.vtn.state.vens[0].registration_id
    wrong = bench.say(CancelPartyRegistration(request_id="R", registration_id="X", ven_id=ven))
    assert code(wrong) == "452"
    answer = bench.say(CancelPartyRegistration(request_id="R9", registration_id=registration, ven_id=ven))
    assert isinstance(answer, CanceledPartyRegistration)
    assert (code(answer), answer.registration_id, answer.ven_id) == ("200", registration, ven)
    assert code(bench.poll(ven)) == "463"
    assert bench.happenings[-2].by_ven


def test_the_vtn_ends_a_registration_by_poll(vtn_bench):
    bench = vtn_bench()
    ven = bench.register()
    bench.add()
    bench.vtn.cancel_registration(ven)
    for _ in range(2):
        told = bench.poll(ven)
        assert isinstance(told, CancelPartyRegistration)
    ok = EiResponse(response_code="200", request_id=told.request_id)
    done = CanceledPartyRegistration(ei_response=ok, registration_id=told.registration_id, ven_id=ven)
    assert code(bench.say(done)) == "200"
    assert isinstance(bench.happenings[-1], Deregistered)
    assert not bench.happenings[-1].by_ven
    assert code(bench.poll(ven)) == "463"


def test_a_confirmation_that_nobody_waits_for_changes_nothing(vtn_bench):
    bench = vtn_bench()
    ven = bench.register()
    ok = EiResponse(response_code="200", request_id="X")
    assert code(bench.say(CanceledPartyRegistration(ei_response=ok, ven_id=ven))) == "450"
    assert code(bench.poll(ven)) == "200"


def test_reregistration_is_asked_for_until_it_is_done(vtn_bench):
    bench = vtn_bench()
    ven = bench.register()
    registration = bench.vtn.state.vens[0].registration_id
    bench.vtn.request_reregistration(ven)
    for _ in range(2):
        assert bench.poll(ven) == RequestReregistration(ven_id=ven)
        ok = EiResponse(response_code="200", request_id="")
        assert code(bench.say(Response(ei_response=ok, ven_id=ven), service="EiRegisterParty")) == "200"
    assert bench.say(create(ven_id=ven, registration_id=registration)).registration_id == registration
    assert isinstance(bench.poll(ven), Response)


def test_a_forgotten_ven_has_to_register(vtn_bench):
    bench = vtn_bench()
    ven = bench.register()
    assert bench.vtn.forget(bench.now, ven)[0].ven_id == ven
    assert code(bench.poll(ven)) == "463"
    for call in (bench.vtn.request_reregistration, bench.vtn.cancel_registration):
        with pytest.raises(MisuseError) as caught:
            call(ven)
        assert caught.value.reason == "ven_unknown"


def test_what_was_read_leniently_is_remarked(vtn_bench, openadr20b_vectors):
    bench = vtn_bench()
    status, answer = bench.post("OadrPoll", openadr20b_vectors["bare_poll"])
    assert (status, code(answer)) == (200, "463")
    assert isinstance(bench.happenings[0], Remarked)


def test_wrong_settings_are_told_together():
    with pytest.raises(MisuseError) as caught:
        VtnConfig(
            vtn_id="",
            poll_seconds=0,
            allocations=(Allocation(ven_id="a"), Allocation(ven_id="a")),
            wanted=(WantedReport(granularity_seconds=-1, back_seconds=0),),
            tries=0,
        )
    assert caught.value.reason == "vtn_config_wrong"
    assert len(caught.value.sentence.split(".")) == 6


@pytest.mark.parametrize("data", [b"", b"{}", b'{"epoch":"x","layout":9}', b"\xff", b"[" * 5000])
def test_a_state_of_others_is_refused(data):
    with pytest.raises(WorldError) as caught:
        VtnState.from_bytes(data)
    assert caught.value.reason == "vtn_state_unreadable"
