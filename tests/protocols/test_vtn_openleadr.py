"""The VTN against a VEN that nobody here wrote: openleadr's OpenADRClient, in its own process, over real sockets."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree
from openleadr_ven import OpenLeadrVen, running_ven

from wattseal.certs.identity import describe_file
from wattseal.certs.lab_pki import make_test_pki
from wattseal.certs.tls import mutual_tls_server
from wattseal.protocols.openadr20b.common import Target
from wattseal.protocols.openadr20b.security import OPENADR_CIPHERS
from wattseal.protocols.openadr20b.vocabulary import OptType, SignalType
from wattseal.protocols.openadr20b.vtn.config import Allocation, VtnConfig, WantedReport
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft, Step, Unit
from wattseal.protocols.openadr20b.vtn.happenings import (
    EventAnswered,
    ListSent,
    OffersRegistered,
    ReadingsReceived,
    Refused,
    Registered,
    Remarked,
    RequestMoved,
)
from wattseal.protocols.openadr20b.vtn.shell import RunningVtn, VtnShell, running_vtn, utc_now
from wattseal.protocols.openadr20b.vtn.state import RequestState

CONFIG = VtnConfig(poll_seconds=1, wanted=(WantedReport(granularity_seconds=1, back_seconds=1),))
SECONDS = 15
NO_REPORTS_OF_OURS = "The VTN offered reports"  # it is told that there are none, and warns all the same


def simple(level: int = 2) -> EventDraft:
    """A SIMPLE event that runs now."""
    start = utc_now().replace(microsecond=0)
    signal = SignalDraft(steps=(Step(3600, Decimal(level)),))
    return EventDraft(
        market_context="http://utility.example/dr", dtstart=start, duration_seconds=3600, signals=(signal,)
    )


def dispatch(watts: int = -5000) -> EventDraft:
    """A LOAD_DISPATCH setpoint that starts in a minute."""
    steps = (Step(900, Decimal(watts)), Step(900, Decimal(watts) / 4))
    signal = SignalDraft(name="LOAD_DISPATCH", type=SignalType.SETPOINT, steps=steps, unit=Unit.WATT)
    return EventDraft(
        market_context="http://utility.example/dr",
        dtstart=utc_now().replace(microsecond=0) + timedelta(minutes=1),
        duration_seconds=1800,
        signals=(signal,),
        target=Target(resource_ids=("battery",)),
        ramp_up_seconds=120,
    )


async def answered(shell: VtnShell, event_id: str, number: int) -> EventAnswered:
    """The VEN's recorded answer to one version of an event."""

    def is_it(one: object) -> bool:
        return isinstance(one, EventAnswered) and (one.event_id, one.modification_number, one.outcome) == (
            event_id,
            number,
            "recorded",
        )

    found = await shell.wait_for(is_it, SECONDS)
    assert isinstance(found, EventAnswered)
    return found


@asynccontextmanager
async def both(directory: Path, config: VtnConfig = CONFIG) -> AsyncIterator[tuple[RunningVtn, OpenLeadrVen]]:
    """The VTN here and the VEN in its process, registered; afterwards all messages are checked."""
    async with running_vtn(config, messages=directory) as vtn, running_ven(vtn.url) as ven:
        await ven.wait_for(lambda one: "registered" in one)
        yield vtn, ven
        assert not [one for one in vtn.shell.happenings()[1] if isinstance(one, Refused | Remarked)]
        assert [one for one in ven.of("complaint") if not one.startswith(NO_REPORTS_OF_OURS)] == []


def assert_all_valid(directory: Path, schema: etree.XMLSchema) -> set[str]:
    """Every message that was sent is valid by openleadr's schema; gives the kinds of message met."""
    kinds = set()
    for path in sorted(directory.glob("*-sent-*.xml")):
        document = etree.parse(path)
        schema.assertValid(document)
        kinds.add(etree.QName(document.getroot()[0][0]).localname)
    return kinds


async def test_registration_events_and_telemetry(tmp_path: Path, openadr20b_schema: etree.XMLSchema):
    """The whole of a pull VEN's life: register, offer, events in and out of both kinds, values equal to the meter's."""
    async with both(tmp_path) as (vtn, ven):
        shell = vtn.shell
        registered = next(one for one in shell.happenings()[1] if isinstance(one, Registered))
        assert ven.of("registered") == [registered.ven_id]
        offered = await shell.wait_for(lambda one: isinstance(one, OffersRegistered), SECONDS)
        assert offered.specifier_ids == ("usage",)

        first, second = (shell.vtn.add_event(shell.clock(), one) for one in (simple(), dispatch()))
        for event_id in (first, second):
            answer = await answered(shell, event_id, 0)
            assert (answer.ven_id, answer.opt, answer.code) == (registered.ven_id, OptType.OPT_IN, "200")
        seen = {one["event"]: one for one in ven.told if "event" in one}
        assert (seen[first]["signals"], seen[first]["status"]) == ([["SIMPLE", "level", 2]], "active")
        assert (seen[second]["signals"], seen[second]["status"]) == ([["LOAD_DISPATCH", "setpoint", -5000]], "near")

        await shell.wait_for(lambda one: isinstance(one, ReadingsReceived), SECONDS)
        shell.vtn.modify_event(shell.clock(), second, dispatch(-2500))
        await answered(shell, second, 1)
        shell.vtn.cancel_event(shell.clock(), second)
        await answered(shell, second, 2)
        assert [one["status"] for one in ven.told if one.get("event") == second][-1] == "cancelled"
        assert next(one for one in shell.vtn.state.events if one.event_id == second).retired

        before = shell.happenings()[0]
        shell.vtn.drop_event(first)
        told = await shell.wait_for(lambda one: isinstance(one, ListSent), SECONDS, after=before)
        assert told.events == ()

        received = [one for one in shell.happenings()[1] if isinstance(one, ReadingsReceived)]
        values = [float(reading.value) for one in received for reading in one.readings]
        assert values == ven.of("value")[: len(values)]
        assert len(values) >= 2
        assert {reading.r_id for one in received for reading in one.readings} == {"power"}
    kinds = assert_all_valid(tmp_path, openadr20b_schema)
    assert kinds >= {
        "oadrCreatedPartyRegistration",
        "oadrRegisteredReport",
        "oadrRegisterReport",
        "oadrDistributeEvent",
        "oadrUpdatedReport",
        "oadrResponse",
    }


async def test_a_restart_with_the_state_kept_is_not_noticed(tmp_path: Path):
    """openleadr-python #186: a VTN that forgets at a restart leaves VENs talking to nobody. Ours goes on."""
    state = tmp_path / "vtn.json"
    async with AsyncExitStack() as stack:
        async with running_vtn(CONFIG, state_file=state) as vtn:
            port = vtn.server.port
            ven = await stack.enter_async_context(running_ven(vtn.url))
            await ven.wait_for(lambda one: "registered" in one)
            first = vtn.shell.vtn.add_event(vtn.shell.clock(), simple())
            await answered(vtn.shell, first, 0)
            request = vtn.shell.vtn.state.vens[0].requests[0].request_id
        async with running_vtn(CONFIG, state_file=state, port=port) as vtn:
            shell = vtn.shell
            second = shell.vtn.add_event(shell.clock(), dispatch())
            assert (await answered(shell, second, 0)).ven_id == ven.of("registered")[0]
            data = await shell.wait_for(lambda one: isinstance(one, ReadingsReceived), SECONDS)
            assert data.request_id == request
            shell.vtn.cancel_event(shell.clock(), first)
            await answered(shell, first, 1)
            assert not [one for one in shell.happenings()[1] if isinstance(one, Refused | Registered)]


async def test_report_requests_come_and_go_by_poll(tmp_path: Path, openadr20b_schema: etree.XMLSchema):
    config = VtnConfig(poll_seconds=1)
    async with both(tmp_path, config) as (vtn, ven):
        shell, ven_id = vtn.shell, ven.of("registered")[0]
        request = shell.vtn.request_report(ven_id, "usage", granularity_seconds=1, back_seconds=1)
        await shell.wait_for(lambda one: isinstance(one, RequestMoved) and one.state is RequestState.RUNNING, SECONDS)
        await shell.wait_for(lambda one: isinstance(one, ReadingsReceived), SECONDS)
        shell.vtn.cancel_report(ven_id, request)
        await shell.wait_for(lambda one: isinstance(one, RequestMoved) and one.state is RequestState.ENDED, SECONDS)
        values = [reading.value for reading in shell.vtn.state.vens[0].readings]
        assert [float(one) for one in values] == ven.of("value")[: len(values)]
    assert {"oadrCreateReport", "oadrCancelReport"} <= assert_all_valid(tmp_path, openadr20b_schema)


async def test_reregistration_is_followed(tmp_path: Path):
    async with both(tmp_path, VtnConfig(poll_seconds=1)) as (vtn, ven):
        shell = vtn.shell
        before = shell.happenings()[0]
        shell.vtn.request_reregistration(ven.of("registered")[0])
        again = await shell.wait_for(lambda one: isinstance(one, Registered), SECONDS, after=before)
        assert again.again
        assert not shell.vtn.state.vens[0].reregister


@pytest.mark.parametrize("kind", ["ven_ec", "ven_rsa"])
async def test_over_mutual_tls_the_certificate_is_the_ven(tmp_path: Path, kind: str):
    """A VEN that was agreed by its fingerprint gets its venID; the VTN serves EC and RSA."""
    pki = make_test_pki(tmp_path / "pki")
    identity = getattr(pki, kind)
    agreed = Allocation(ven_id="AGREED", fingerprint=describe_file(identity.certificate).openadr_fingerprint)
    config = VtnConfig(poll_seconds=1, allocations=(agreed,), open_registration=False)
    tls = mutual_tls_server((pki.vtn_ec, pki.vtn_rsa), pki.authority, OPENADR_CIPHERS)
    files = (identity.certificate, identity.key, pki.authority)
    async with running_vtn(config, tls=tls) as vtn, running_ven(vtn.url, tls=files) as ven:
        assert await ven.wait_for(lambda one: "registered" in one) == {"registered": "AGREED"}
        registered = vtn.shell.happenings()[1][0]
        assert registered.fingerprint == agreed.fingerprint
