"""The VTN as it runs: HTTP, message log, state file, admin door, bad days on demand, the program."""

import asyncio
import hashlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from lxml import etree

from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.lab_pki import make_test_pki
from wattseal.certs.tls import mutual_tls_client
from wattseal.protocols.http_server import HttpLimits
from wattseal.protocols.openadr20b.codec import SchemaError, XmlRefusedError, decode, encode
from wattseal.protocols.openadr20b.messages import CreatePartyRegistration, DistributeEvent, Message, Poll, RequestEvent
from wattseal.protocols.openadr20b.security import MANDATED_CIPHERS
from wattseal.protocols.openadr20b.vtn import command
from wattseal.protocols.openadr20b.vtn.admin_door import AdminClient, admin_door
from wattseal.protocols.openadr20b.vtn.config import VtnConfig
from wattseal.protocols.openadr20b.vtn.happenings import Registered
from wattseal.protocols.openadr20b.vtn.shell import RunningVtn, running_vtn, utc_now
from wattseal.protocols.openadr20b.vtn.state import VtnState

CONFIG = VtnConfig(own_metadata=False)
REGISTER = CreatePartyRegistration(
    request_id="R", report_only=False, xml_signature=False, ven_name="v", http_pull_model=True
)


def event(level: int = 1, **more: object) -> dict[str, object]:
    """A draft as a script writes it."""
    start = (utc_now() + timedelta(minutes=5)).isoformat()
    signal = {"name": "SIMPLE", "type": "level", "steps": [{"duration_seconds": 600, "value": level}]}
    base = {"market_context": "http://u.example", "dtstart": start, "duration_seconds": 600, "signals": [signal]}
    return base | more


class Ven:
    """An HTTP client that says what a test wants."""

    def __init__(self, vtn: RunningVtn, session: aiohttp.ClientSession) -> None:
        self.url, self.session, self.ven_id = vtn.url, session, ""

    async def post(self, service: str, raw: bytes, **more: object) -> tuple[int, bytes]:
        async with self.session.post(f"{self.url}/{service}", data=raw, **more) as response:
            return response.status, await response.read()

    async def say(self, service: str, message: Message) -> Message:
        status, body = await self.post(service, encode(message), headers={"Content-Type": "application/xml"})
        assert status == 200
        return decode(body).message

    async def register(self) -> None:
        answer = await self.say("EiRegisterParty", REGISTER)
        self.ven_id = answer.ven_id

    async def poll(self) -> Message:
        return await self.say("OadrPoll", Poll(ven_id=self.ven_id))


@asynccontextmanager
async def lab(**options: object) -> AsyncIterator[tuple[RunningVtn, Ven, AdminClient]]:
    """A VTN, its admin door, and a registered VEN."""
    async with running_vtn(CONFIG, **options) as vtn, admin_door(vtn.shell) as port, aiohttp.ClientSession() as session:
        ven = Ven(vtn, session)
        await ven.register()
        async with AdminClient(port) as admin:
            yield vtn, ven, admin


async def test_bad_requests_are_answered_and_the_vtn_goes_on():
    """HTTP 4xx is for transport: unknown service, method, media type, no XML, too large, too slow."""
    limits = HttpLimits(body_bytes=5000, body_seconds=0.3)
    async with lab(limits=limits) as (vtn, ven, _):
        good = encode(Poll(ven_id=ven.ven_id))
        assert (await ven.post("EiNothing", good))[0] == 404
        async with ven.session.get(f"{ven.url}/OadrPoll") as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
        assert (await ven.post("OadrPoll", good, headers={"Content-Type": "application/json"}))[0] == 415
        for tolerated in ("text/xml", "application/xml; charset=utf-8", "text/plain", "application/octet-stream"):
            assert (await ven.post("OadrPoll", good, headers={"Content-Type": tolerated}))[0] == 200
        assert (await ven.post("OadrPoll", b"x" * 5001))[0] == 413
        assert (await ven.post("OadrPoll", b"<a>"))[0] == 400
        assert (await ven.post("OadrPoll", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'))[0] == 400
        status, body = await ven.post("EiEvent", good)
        assert (status, decode(body).message.ei_response.response_code) == (200, "459")
        status, body = await ven.post("OadrPoll", encode(Poll(ven_id="SOMEBODY")))
        assert (status, decode(body).message.ei_response.response_code) == (200, "463")
        assert (await ven.poll()).ei_response.response_code == "200"
        assert vtn.server.faults == []


async def test_every_message_is_kept_as_it_was(tmp_path: Path):
    async with lab(messages=tmp_path) as (_, ven, _admin):
        raw = b"\xef\xbb\xbf" + encode(Poll(ven_id=ven.ven_id))
        _, body = await ven.post("OadrPoll", raw)
        await ven.post("EiEvent", b"garbage\x00")
    lines = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    assert [(one["serial"], one["direction"], one["service"], one["status"]) for one in lines] == [
        (1, "received", "EiRegisterParty", None),
        (2, "sent", "EiRegisterParty", 200),
        (3, "received", "OadrPoll", None),
        (4, "sent", "OadrPoll", 200),
        (5, "received", "EiEvent", None),
        (6, "sent", "EiEvent", 400),
    ]
    contents = [(tmp_path / one["file"]).read_bytes() for one in lines]
    assert (contents[2], contents[3], contents[4]) == (raw, body, b"garbage\x00")
    assert [hashlib.sha256(one).hexdigest() for one in contents] == [one["sha256"] for one in lines]
    async with lab(messages=tmp_path):
        pass
    assert (tmp_path / "000008-sent-EiRegisterParty.xml").exists()


async def test_the_state_is_written_before_the_answer(tmp_path: Path):
    state = tmp_path / "vtn.json"
    async with lab(state_file=state) as (vtn, ven, admin):
        assert VtnState.from_bytes(state.read_bytes()).vens[0].ven_id == ven.ven_id
        added = await admin.ask("add_event", event=event())
        assert VtnState.from_bytes(state.read_bytes()).events[0].event_id == added["event_id"]
        before = vtn.shell.vtn.state
    async with running_vtn(CONFIG, state_file=state) as again:
        assert again.shell.vtn.state == before
    state.write_text("{}")
    with pytest.raises(WorldError) as caught:
        async with running_vtn(CONFIG, state_file=state):
            pass
    assert caught.value.reason == "vtn_state_unreadable"


async def test_a_disk_that_fails_costs_the_request_not_the_vtn(tmp_path: Path):
    state = tmp_path / "gone" / "vtn.json"
    state.parent.mkdir()
    async with lab(state_file=state) as (vtn, ven, admin):
        state.unlink()
        state.parent.rmdir()
        assert (await ven.post("OadrPoll", encode(Poll(ven_id=ven.ven_id))))[0] == 500
        with pytest.raises(MisuseError) as caught:
            await admin.ask("add_event", event=event())
        assert caught.value.reason == "vtn_state_unwritable"
        assert len(vtn.server.faults) == 1
        state.parent.mkdir()
        assert (await ven.poll()).ei_response is not None


async def test_staff_work_through_the_door():
    async with lab() as (_, ven, admin):
        event_id = (await admin.ask("add_event", event=event()))["event_id"]
        assert isinstance(await ven.poll(), DistributeEvent)
        assert await admin.ask("modify", event_id=event_id, event=event(2), reason="more") == {"modification_number": 1}
        told = (await ven.poll()).events[0].ei_event
        assert told.event_signals.signals[0].intervals[0].value == 2
        assert await admin.ask("cancel", event_id=event_id) == {"modification_number": 2}
        dropped = (await admin.ask("add_event", event=event()))["event_id"]
        assert await admin.ask("drop", event_id=dropped) == {}
        events = (await admin.ask("list", of="events"))["events"]
        assert [(one["cancelled"], one["retired"]) for one in events] == [(True, False), (False, True)]
        assert (await admin.ask("list", of="registrations"))["registrations"][0]["ven_name"] == "v"
        for of in ("answers", "opts", "offers", "requests", "readings"):
            assert await admin.ask("list", of=of) == {of: {ven.ven_id: []}}
        reports = await admin.ask("list", of="reports")
        assert reports == {"reports": {ven.ven_id: {"requests": [], "readings": []}}}
        request = await admin.ask("request_report", ven_id=ven.ven_id, specifier_id="METADATA")
        await admin.ask("cancel_report", ven_id=ven.ven_id, request_id=request["request_id"])
        await admin.ask("reregister", ven_id=ven.ven_id)
        happened = await admin.ask("happenings")
        assert [one["happened"] for one in happened["happenings"]] == ["registered", "list_sent", "list_sent"]
        later = await admin.ask("happenings", after=happened["count"] - 1)
        assert len(later["happenings"]) == 1
        await admin.ask("end_registration", ven_id=ven.ven_id)
        assert (await ven.poll()).registration_id
        await admin.ask("forget", ven_id=ven.ven_id)
        assert (await ven.poll()).ei_response.response_code == "463"


async def test_the_state_can_be_saved_and_taken_back(tmp_path: Path):
    async with lab() as (_, ven, admin):
        await admin.ask("save", file=str(tmp_path / "kept.json"))
        await admin.ask("restore")
        assert (await ven.poll()).ei_response.response_code == "463"
        await admin.ask("restore", file=str(tmp_path / "kept.json"))
        assert (await ven.poll()).ei_response.response_code == "200"
        with pytest.raises(MisuseError):
            await admin.ask("save", file=str(tmp_path / "none" / "kept.json"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "bad_request"),
        (b"{", "bad_request"),
        (b"\xff\xfe", "bad_request"),
        (b"[" * 100_000, "bad_request"),
        (b'{"verb":"unknown"}', "bad_request"),
        (b'{"verb":"drop","event_id":"x","more":1}', "bad_request"),
        (b'{"verb":"drop","event_id":"x"}', "event_unknown"),
        (b'{"verb":"forget","ven_id":"x"}', "ven_unknown"),
        (b'{"verb":"misbehave","kind":"x"}', "mischief_unknown"),
        (b'{"verb":"cancel_report","ven_id":"x","request_id":"y"}', "ven_unknown"),
        (json.dumps({"verb": "add_event", "event": event(9)}).encode(), "event_draft_wrong"),
        (b'{"verb":"drop","event_id":"' + b"x" * (5 * 1_048_576) + b'"}', "bad_request"),
    ],
)
async def test_mistakes_at_the_door_are_answered(line: bytes, reason: str):
    async with lab() as (vtn, _, _admin), admin_door(vtn.shell) as port:
        before = vtn.shell.vtn.state
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(line + b"\n")
        answer = json.loads(await reader.readline())
        assert (answer["ok"], answer["error"]) == (False, reason)
        assert answer["message"]
        assert vtn.shell.vtn.state == before
        writer.close()


async def test_the_door_can_be_a_unix_socket(tmp_path: Path):
    socket = tmp_path / "admin.sock"
    async with running_vtn(CONFIG) as vtn, admin_door(vtn.shell, socket=socket) as port:
        assert port == 0
        assert socket.stat().st_mode & 0o777 == 0o600
        async with AdminClient(socket=socket) as admin:
            assert await admin.ask("list", of="events") == {"events": []}
    assert not socket.exists()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("malformed", "malformed_xml"),
        ("oversized", "oversized"),
        ("dtd", "dtd_forbidden"),
        ("schema_break", "schema_violation"),
        ("nan_value", "schema_violation"),
    ],
)
async def test_misbehaviour_is_bad_in_its_own_way_and_uses_nothing_up(kind: str, reason: str, openadr20b_schema):
    async with lab() as (_, ven, admin):
        event_id = (await admin.ask("add_event", event=event()))["event_id"]
        await admin.ask("misbehave", kind=kind, times=2)
        for _ in range(2):
            status, body = await ven.post("OadrPoll", encode(Poll(ven_id=ven.ven_id)))
            assert status == 200
            with pytest.raises((XmlRefusedError, SchemaError)) as caught:
                decode(body)
            assert caught.value.reason == reason
            if kind == "nan_value":  # the schema would allow it: only a reader of numbers refuses
                openadr20b_schema.assertValid(etree.fromstring(body))
        good = await ven.poll()
        assert good.events[0].ei_event.event_descriptor.event_id == event_id


async def test_a_http_error_and_events_that_must_be_refused():
    async with lab() as (_, ven, admin):
        await admin.ask("misbehave", kind="http_error")
        assert (await ven.post("OadrPoll", encode(Poll(ven_id=ven.ven_id))))[0] == 500
        unknown = (await admin.ask("misbehave", kind="unknown_signal"))["event_id"]
        foreign = (await admin.ask("misbehave", kind="foreign_target"))["event_id"]
        told = {one.ei_event.event_descriptor.event_id: one.ei_event for one in (await ven.poll()).events}
        assert told[unknown].event_signals.signals[0].signal_name == "x-UNKNOWN_SIGNAL"
        assert ven.ven_id not in told[foreign].target.ven_ids
        assert told[foreign].target.ven_ids


async def test_misbehaviour_spares_strangers_and_ends_on_demand():
    async with lab() as (_, ven, admin):
        await admin.ask("misbehave", kind="malformed", times=9)
        for raw in (encode(Poll(ven_id="SOMEBODY")), encode(RequestEvent(request_id="R", ven_id=ven.ven_id)), b"<"):
            assert (await ven.post("OadrPoll", raw))[0] in {200, 400}
        await admin.ask("behave")
        assert (await ven.poll()).ei_response.response_code == "200"


@pytest.mark.parametrize("hang", [False, True])
async def test_a_silent_vtn_answers_nothing_and_comes_back(hang: bool):
    async with lab() as (_, ven, admin):
        await admin.ask("go_silent", seconds=60, hang=hang)
        timeout = aiohttp.ClientTimeout(total=0.3)
        with pytest.raises(TimeoutError if hang else aiohttp.ClientError):
            await ven.post("OadrPoll", encode(Poll(ven_id=ven.ven_id)), timeout=timeout)
        await admin.ask("behave")
        assert (await ven.poll()).ei_response.response_code == "200"


async def test_waiting_for_what_happens():
    async with lab() as (vtn, _, _admin):
        assert isinstance(await vtn.shell.wait_for(lambda one: isinstance(one, Registered), 1), Registered)
        with pytest.raises(TimeoutError):
            await vtn.shell.wait_for(lambda _: False, 0.01)


async def started(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, object]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wattseal.protocols.openadr20b.vtn.command", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    return process, json.loads(await asyncio.wait_for(process.stdout.readline(), 15))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_program_says_where_it_is_and_ends_well(tmp_path: Path, number: signal.Signals):
    state, messages = tmp_path / "vtn.json", tmp_path / "messages"
    process, ready = await started(
        "--port", "0", "--admin-port", "0", "--json", "--messages", str(messages), "--state", str(state)
    )
    assert ready["ready"] is True
    async with AdminClient(ready["admin_port"]) as admin, aiohttp.ClientSession() as session:
        async with session.post(f"{ready['url']}/EiRegisterParty", data=encode(REGISTER)) as response:
            assert decode(await response.read()).message.vtn_id == ready["vtn_id"]
        assert len((await admin.ask("list", of="registrations"))["registrations"]) == 1
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 5) == 0
    assert len(VtnState.from_bytes(state.read_bytes()).vens) == 1
    assert len(list(messages.glob("*.xml"))) == 2


async def test_a_killed_program_goes_on_where_it_was(tmp_path: Path):
    """Kill -9: what a VEN was told is in the state, because the state is written first."""
    arguments = ("--json", "--state", str(tmp_path / "vtn.json"))
    process, ready = await started(*arguments)
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{ready['url']}/EiRegisterParty", data=encode(REGISTER)) as response:
            ven_id = decode(await response.read()).message.ven_id
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        process, ready = await started(*arguments)
        async with session.post(f"{ready['url']}/OadrPoll", data=encode(Poll(ven_id=ven_id))) as response:
            assert type(decode(await response.read()).message).__name__ == "RegisterReport"  # known, and served
    process.terminate()
    assert await process.wait() == 0


async def test_the_program_serves_tls(tmp_path: Path):
    pki = make_test_pki(tmp_path)
    process, ready = await started(
        "--json", "--tls-ca", str(pki.authority),
        "--tls-cert", str(pki.vtn_ec.certificate), "--tls-key", str(pki.vtn_ec.key),
        "--tls-cert", str(pki.vtn_rsa.certificate), "--tls-key", str(pki.vtn_rsa.key),
    )  # fmt: skip
    assert str(ready["url"]).startswith("https://")
    client = mutual_tls_client(pki.ven_rsa, pki.authority, MANDATED_CIPHERS)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{ready['url']}/EiRegisterParty", data=encode(REGISTER), ssl=client) as response,
    ):
        assert decode(await response.read()).message.ei_response.response_code == "200"
    process.terminate()
    assert await process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--poll-seconds", "0"], 2),
        (["--tls-cert", "x.pem"], 2),
        (["--allocate", "A", "--allocate", "A"], 2),
        (["--messages", "/proc/none"], 3),
        (["--port", "99999999"], 3),
        (["--tls-cert", "/none", "--tls-key", "/none", "--tls-ca", "/none"], 3),
    ],
)
def test_mistakes_of_the_command_line(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    assert command.main(arguments) == code
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
