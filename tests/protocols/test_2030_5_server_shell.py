"""The server as it runs: TLS and identity, admin door, message log, state file, notifications, bad days, program."""

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from wattseal.certs.device_pki import Bad, DevicePki, make_device_pki
from wattseal.certs.errors import MisuseError, WorldError
from wattseal.certs.identity import describe_file, sfdi_of
from wattseal.certs.tls import CCM8_OR_GCM_CIPHERS, TlsIdentity, ccm8_client, ccm8_server, mutual_tls_client
from wattseal.protocols.http_server import running_http_server
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.door import AdminClient, server_door
from wattseal.protocols.ieee2030_5.server.mischief import Mischief
from wattseal.protocols.ieee2030_5.server.shell import RunningUtility, running_server
from wattseal.protocols.ieee2030_5.server.state import World
from wattseal.protocols.ieee2030_5.subscription import Notification, Subscription
from wattseal.protocols.ieee2030_5.vocabulary import NotificationStatus

LFDI = "5A" * 20
MEDIA = {"Content-Type": "application/sep+xml", "Accept": "application/sep+xml"}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("pki"))


class Client:
    """A session that says what a test wants and follows nothing by itself."""

    def __init__(self, utility: RunningUtility, session: aiohttp.ClientSession) -> None:
        self.root, self.session = utility.server.url, session

    async def ask(self, method: str, path: str, body: bytes = b"", **more: object) -> tuple[int, bytes, dict[str, str]]:
        url = self.root + path
        options = {"headers": MEDIA, "allow_redirects": False} | more
        async with self.session.request(method, url, data=body, **options) as response:
            return response.status, await response.read(), dict(response.headers)

    async def get(self, path: str) -> object:
        status, body, _ = await self.ask("GET", path)
        assert status == 200
        return decode(body, CSIP_2018).resource

    async def register(self, lfdi: str) -> str:
        device = EndDevice(lfdi=lfdi, sfdi=int(sfdi_of(lfdi)), changed_time=0)
        status, _, headers = await self.ask("POST", "/edev", encode(device, CSIP_2018))
        assert status == 201
        return headers["Location"]


@asynccontextmanager
async def lab(
    config: ServerConfig | None = None, **options: object
) -> AsyncIterator[tuple[RunningUtility, Client, AdminClient]]:
    """A server over plain http for one device, its admin door, and that device."""
    options = {"plain_lfdi": LFDI} | options
    async with (
        running_server(config or ServerConfig(plain_notifications=True), **options) as utility,
        server_door(utility.shell) as port,
        AdminClient(port) as admin,
        aiohttp.ClientSession() as session,
    ):
        yield utility, Client(utility, session), admin


@asynccontextmanager
async def tls_lab(
    pki: DevicePki, shown: TlsIdentity, ciphers: str = CCM8_OR_GCM_CIPHERS, **options: object
) -> AsyncIterator[tuple[RunningUtility, Client]]:
    """A server over TLS, and a client with that certificate."""
    served = ccm8_server(pki.server, pki.authority, ciphers)
    connector = aiohttp.TCPConnector(ssl=ccm8_client(shown, pki.authority))
    async with (
        running_server(ServerConfig(), tls=served, **options) as utility,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield utility, Client(utility, session)


# ---- identity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["device", "device_chain_3", "device_chain_2", "aggregator"])
async def test_who_asks_is_read_from_the_certificate(pki, name):
    """Section 2: the LFDI of the TLS peer, whatever headers say; chains of 2, 3 and 4 are taken (COMM-004)."""
    shown = getattr(pki, name)
    lfdi = describe_file(shown.certificate).lfdi
    async with tls_lab(pki, shown) as (utility, client):
        location = await client.register(lfdi)
        for header in ("LFDI", "X-LFDI", "X-Client-Cert", "X-Forwarded-For", "Host"):
            status, _, _ = await client.ask("GET", location, headers=MEDIA | {header: "B0" * 20})
            assert status == 200
        assert {one.lfdi for one in utility.shell.seen()[1]} == {lfdi}


@pytest.mark.parametrize("bad", [one for one in Bad if one is not Bad.EXPIRED])
async def test_a_certificate_against_the_profile_is_not_served(pki, bad):
    """COMM-004, section 2: what TLS libraries let pass we refuse: no resource, and nothing is done."""
    async with tls_lab(pki, pki.bad[bad]) as (utility, client):
        try:
            status, body, _ = await client.ask("GET", "/dcap")
        except (aiohttp.ClientError, ssl.SSLError):
            return
        assert status == 403
        assert b"DeviceCapability" not in body
        assert utility.server.faults == []


async def test_a_lab_may_take_any_certificate(pki):
    async with tls_lab(pki, pki.bad[Bad.NO_POLICIES], judge_chains=False) as (_, client):
        assert (await client.ask("GET", "/dcap"))[0] == 200


async def test_ccm8_alone_unless_told_otherwise(pki):
    """Section 2: CCM8 is the mandatory suite; GCM beside it only when configured."""
    gcm = mutual_tls_client(pki.device, pki.authority, "ECDHE-ECDSA-AES128-GCM-SHA256", check_hostname=False)
    for ciphers, works in ((CCM8_OR_GCM_CIPHERS, True), ("ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", False)):
        async with (
            running_server(ServerConfig(), tls=ccm8_server(pki.server, pki.authority, ciphers)) as utility,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=gcm)) as session,
        ):
            client = Client(utility, session)
            if works:
                assert (await client.ask("GET", "/dcap"))[0] == 200
            else:
                with pytest.raises(aiohttp.ClientError):
                    await client.ask("GET", "/dcap")


async def test_plain_http_is_one_configured_device_on_loopback():
    """Never a header: everybody is the device that was named, and without one nothing starts."""
    async with lab() as (_, client, _admin):
        await client.register(LFDI)
        status, body, _ = await client.ask("GET", "/edev?l=9", headers=MEDIA | {"LFDI": "B0" * 20})
        assert [one.lfdi for one in decode(body, CSIP_2018).resource.items] == [LFDI]
        assert status == 200
    for options in ({"plain_lfdi": ""}, {"host": "0.0.0.0"}):
        with pytest.raises(MisuseError):
            async with lab(**options):
                pass


# ---- records -----------------------------------------------------------------------------------------------------


async def test_every_request_is_told_with_its_time():
    async with lab(clock=lambda: 1_800_000_000.5) as (_, client, admin):
        await client.ask("GET", "/dcap")
        first = await admin.ask("requests")
        await client.ask("GET", "/edev?l=255")
        await client.ask("PATCH", "/nowhere")
        later = await admin.ask("requests", after=first["count"])
    assert (first["count"], later["count"]) == (1, 3)
    assert [(one["at"], one["method"], one["path"], one["query"], one["status"], one["route"], one["lfdi"])
            for one in later["requests"]] == [
        (1_800_000_000.5, "GET", "/edev", "l=255", 200, "edev", LFDI),
        (1_800_000_000.5, "PATCH", "/nowhere", "", 501, "", LFDI),
    ]  # fmt: skip


async def test_both_directions_are_kept(tmp_path):
    async with lab(messages=tmp_path) as (_, client, _admin):
        status, _, _ = await client.ask("POST", "/edev", b"garbage\x00")
        _, body, _ = await client.ask("GET", "/dcap?l=1")
    assert status == 400
    lines = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    assert [(one["direction"], one["about"], one["status"], one["peer"]) for one in lines] == [
        ("received", "POST /edev", None, LFDI),
        ("sent", "POST /edev", 400, LFDI),
        ("received", "GET /dcap?l=1", None, LFDI),
        ("sent", "GET /dcap?l=1", 200, LFDI),
    ]
    assert (tmp_path / lines[0]["file"]).read_bytes() == b"garbage\x00"
    assert (tmp_path / lines[3]["file"]).read_bytes() == body


async def test_the_world_is_on_disk_before_the_answer(tmp_path):
    state = tmp_path / "world.json"
    async with lab(state_file=state) as (utility, client, admin):
        await client.register(LFDI)
        assert World.from_bytes(state.read_bytes()).devices[0].lfdi == LFDI
        group = await admin.ask("add_group", members=[LFDI])
        assert World.from_bytes(state.read_bytes()).groups[0].serial == group["serial"]
        before = utility.shell.world
    async with lab(state_file=state) as (again, _, _admin):
        assert again.shell.world == before
    state.write_text("{}")
    with pytest.raises(WorldError):
        async with lab(state_file=state):
            pass


async def test_a_disk_that_fails_costs_the_request_not_the_server(tmp_path):
    state = tmp_path / "gone" / "world.json"
    state.parent.mkdir()
    async with lab(state_file=state) as (utility, client, admin):
        await client.ask("GET", "/dcap")
        state.unlink(missing_ok=True)
        state.parent.rmdir()
        device = EndDevice(lfdi=LFDI, sfdi=int(sfdi_of(LFDI)), changed_time=0)
        assert (await client.ask("POST", "/edev", encode(device, CSIP_2018)))[0] == 500
        with pytest.raises(MisuseError) as caught:
            await admin.ask("add_group")
        assert caught.value.reason == "server_state_unwritable"
        assert (await client.ask("GET", "/dcap"))[0] == 200
        assert len(utility.server.faults) == 1
        state.parent.mkdir()


# ---- admin -------------------------------------------------------------------------------------------------------


async def test_a_utilitys_day_through_the_admin_door():
    """Device, group, programme, curve, control, default, cancellation, move, rates, time: all seen by the device."""
    async with lab() as (_, client, admin):
        device = await admin.ask("add_device", lfdi=LFDI.lower(), pin=123455, category=1 << 25, post_seconds=60)
        first = await admin.ask("add_group", members=[LFDI], description="street")
        second = await admin.ask("add_group", description="town", clock={"offset": 60, "quality": 7})
        program = await admin.ask("add_program", groups=[first["serial"]], primacy=9, description="limits")
        other = await admin.ask("add_program", groups=[second["mrid"]], primacy=1)
        points = [{"xvalue": 1, "yvalue": 2}]
        curve = await admin.ask("add_curve", program=program["mrid"], curve={"curve_type": 12, "curve_data": points})
        base = {"op_mod_volt_watt": {"href": curve["mrid"]}, "op_mod_connect": True}
        control = {"duration": 60, "base": base, "randomize_start": -30, "device_category": 1 << 25}
        mrid = (await admin.ask("add_control", program=program["serial"], control=control))["mrid"]
        await admin.ask("set_default", program=program["serial"], default={"set_grad_w": 27})
        await admin.ask("set_polls", seconds={"dcap": 30, "derp": 60})
        assert (await client.get("/dcap")).poll_rate == 30
        shown = (await client.get(f"/derp/{program['serial']}/derc?l=9")).items[0]
        assert (shown.mrid, shown.randomize_start, shown.device_category) == (mrid, -30, 1 << 25)
        linked = await client.get(shown.der_control_base.op_mod_volt_watt.href)
        assert (linked.mrid, linked.curve_type) == (curve["mrid"], 12)
        await admin.ask("change_control", mrid=mrid, control=control | {"randomize_start": 5})
        shown = (await client.get(f"/derp/{program['serial']}/derc?l=9")).items[0]
        assert (shown.randomize_start, shown.version) == (5, 1)
        await admin.ask("cancel", mrid=mrid, randomized=True)
        assert (await client.get(f"/derp/{program['serial']}/derc?l=9")).items[0].event_status.current_status == 3
        await admin.ask("delete_event", mrid=mrid)
        assert (await client.get(f"/derp/{program['serial']}/derc?l=9")).all == 0
        await admin.ask("change_program", program=program["serial"], primacy=0)
        assert (await client.get(f"/derp/{program['serial']}")).primacy == 0
        await admin.ask("set_time", clock={"offset": -100, "quality": 7})
        now = (await client.get("/tm")).current_time
        await admin.ask("move_device", device=LFDI, to=second["serial"])
        groups = (await client.get(f"/edev/{device['device']}/fsa?l=9")).items
        assert [one.description for one in groups] == ["town"]
        assert (await client.get(groups[0].time_link.href)).current_time >= now + 160
        assert [one.mrid for one in (await client.get("/derp?l=9")).items] == [other["mrid"]]
        assert (await client.get(f"/edev/{device['device']}/rg")).pin == 123455
        await admin.ask("drop_device", device=LFDI)
        assert (await client.ask("GET", f"/edev/{device['device']}"))[0] == 404
        for of in ("devices", "groups", "programs", "events", "responses", "readings", "sheets", "logs",
                   "subscriptions", "outbox", "flow_requests", "clock"):  # fmt: skip
            assert of in await admin.ask("list", of=of)


@pytest.mark.parametrize(
    ("verb", "details", "reason"),
    [
        ("no_such_verb", {}, "bad_request"),
        ("add_device", {"lfdi": "12"}, "bad_request"),
        ("add_control", {"program": 99, "control": {"duration": 1, "base": {}}}, "unknown_thing"),
        ("add_control", {"program": 1, "control": {"duration": -1, "base": {}}}, "bad_request"),
        ("add_control", {"program": 1, "control": {"duration": 1, "base": {}, "typo": 1}}, "bad_request"),
        ("cancel", {"mrid": "AB"}, "unknown_thing"),
        ("move_device", {"device": "AB"}, "unknown_thing"),
        ("end_subscription", {"subscription": 4}, "unknown_thing"),
        ("misbehave", {"tricks": [{"kind": "dance"}]}, "bad_request"),
        ("restore", {"file": "/nowhere/at/all\x00"}, "server_state_unreadable"),
    ],
)
async def test_what_the_door_cannot_do_changes_nothing(verb, details, reason):
    async with lab() as (utility, _, admin):
        before = utility.shell.world
        with pytest.raises(MisuseError) as caught:
            await admin.ask(verb, **details)
        assert caught.value.reason == reason
        assert utility.shell.world is before
        assert await admin.ask("list", of="devices") == {"devices": []}


async def test_a_control_that_the_profile_cannot_say_is_refused_at_the_door():
    """What could not be written (a value out of range, a mode of another profile) never reaches the world."""
    async with lab() as (utility, client, admin):
        await admin.ask("add_device", lfdi=LFDI)
        group = await admin.ask("add_group", members=[LFDI])
        program = await admin.ask("add_program", groups=[group["serial"]])
        for base in ({"op_mod_max_lim_w": {"value": 70_000}}, {"op_mod_exp_lim_w": {"multiplier": 0, "value": 1}}):
            with pytest.raises(MisuseError) as caught:
                await admin.ask("add_control", program=program["serial"], control={"duration": 9, "base": base})
            assert caught.value.reason == "unencodable_message"
        assert (await client.get(f"/derp/{program['serial']}/derc?l=9")).all == 0
        assert utility.server.faults == []


async def test_a_control_that_names_nothing_or_is_there_already_is_refused():
    """A curve of another programme leads into nothing; an mRID that an event has would name two."""
    async with lab() as (_, client, admin):
        await admin.ask("add_device", lfdi=LFDI)
        group = await admin.ask("add_group", members=[LFDI])
        program, other = [(await admin.ask("add_program", groups=[group["serial"]]))["serial"] for _ in range(2)]
        curve = {"curve_type": 11, "curve_data": [{"xvalue": 1, "yvalue": 2}]}
        foreign = (await admin.ask("add_curve", program=other, curve=curve))["mrid"]
        control = {"duration": 60, "mrid": "AB", "base": {"op_mod_connect": False}}
        await admin.ask("add_control", program=program, control=control)
        linked = {"op_mod_volt_var": {"href": foreign}}
        for verb, details, reason in (
            ("add_control", {"program": program, "control": control}, "mrid_taken"),
            ("add_control", {"program": other, "control": control}, "mrid_taken"),
            ("add_control", {"program": program, "control": control | {"mrid": "AC", "base": linked}}, "unknown_thing"),
            ("change_control", {"mrid": "AB", "control": control | {"base": linked}}, "unknown_thing"),
            ("set_default", {"program": program, "default": {"base": linked}}, "unknown_thing"),
        ):
            with pytest.raises(MisuseError) as caught:
                await admin.ask(verb, **details)
            assert caught.value.reason == reason
        shown = (await client.get(f"/derp/{program}/derc?l=9")).items
        assert [(one.mrid, one.der_control_base.op_mod_connect) for one in shown] == [("AB", False)]


async def test_save_and_restore(tmp_path):
    async with lab() as (utility, client, admin):
        await client.register(LFDI)
        await admin.ask("save", file=str(tmp_path / "world.json"))
        await admin.ask("restore")
        assert utility.shell.world.devices == ()
        await admin.ask("restore", file=str(tmp_path / "world.json"))
        assert utility.shell.world.devices[0].lfdi == LFDI


# ---- bad days ----------------------------------------------------------------------------------------------------


async def test_a_redirect_of_dcap_leads_to_where_it_works():
    """ERR-001."""
    async with lab() as (_, client, admin):
        await admin.ask("misbehave", tricks=[{"kind": "redirect", "route": "dcap", "times": None}])
        status, body, headers = await client.ask("GET", "/dcap")
        assert (status, body) == (301, b"")
        status, body, _ = await client.ask("GET", headers["Location"])
        assert status == 200
        assert b"DeviceCapability" in body
        await admin.ask("misbehave", tricks=[])
        await admin.ask("behave")
        assert (await client.ask("GET", "/dcap"))[0] == 200


async def test_a_loop_a_burst_and_a_pause():
    async with lab() as (_, client, admin):
        tricks = [
            {"kind": "redirect_loop", "route": "dcap"},
            {"kind": "error", "route": "dcap", "status": 503, "times": 2},
            {"kind": "too_many", "route": "dcap", "retry_after": 3},
            {"kind": "truncated", "route": "edev"},
        ]
        await admin.ask("misbehave", tricks=tricks)
        status, _, headers = await client.ask("GET", "/dcap")
        assert (status, headers["Location"]) == (301, "/dcap")
        assert [(await client.ask("GET", "/dcap"))[0] for _ in range(2)] == [503, 503]
        status, _, headers = await client.ask("GET", "/dcap")
        assert (status, headers["Retry-After"]) == (429, "3")
        assert (await client.ask("GET", "/dcap"))[0] == 200
        assert not (await client.ask("GET", "/edev"))[1].endswith(b"</EndDeviceList>")
        tricks_seen = [one["trick"] for one in (await admin.ask("requests"))["requests"]]
        assert tricks_seen == ["redirect_loop", "error", "error", "too_many", "", "truncated"]


async def test_silence_and_a_body_that_trickles():
    async with lab() as (_, client, admin):
        await admin.ask("misbehave", tricks=[{"kind": "silence", "route": "dcap", "times": None}])
        with pytest.raises(aiohttp.ClientError):  # aiohttp itself asks twice, so that one silence would not be noticed
            await client.ask("GET", "/dcap")
        await admin.ask("behave")
        await admin.ask("misbehave", tricks=[{"kind": "slow_body", "route": "dcap", "seconds": 0.2}])
        loop = asyncio.get_running_loop()
        before = loop.time()
        status, body, headers = await client.ask("GET", "/dcap")
        assert loop.time() - before >= 0.2
        assert (status, len(body)) == (200, int(headers["Content-Length"]))
        assert b"</DeviceCapability>" in body
        await admin.ask("go_silent", seconds=100)
        with pytest.raises(aiohttp.ClientError):
            await client.ask("GET", "/dcap")
        await admin.ask("behave")
        assert (await client.ask("GET", "/dcap"))[0] == 200


async def test_addresses_that_move_while_a_client_walks():
    async with lab() as (_, client, admin):
        await admin.ask("move_hrefs", seed="first")
        old = (await client.get("/dcap")).end_device_list_link.href
        assert (await client.ask("GET", old))[0] == 200
        await admin.ask("misbehave", tricks=[{"kind": str(Mischief.MOVING_HREFS), "route": "dcap"}])
        stale = (await client.get("/dcap")).end_device_list_link.href
        assert (await client.ask("GET", stale))[0] == 404
        fresh = (await client.get("/dcap")).end_device_list_link.href
        assert (await client.ask("GET", fresh))[0] == 200
        assert len({old, stale, fresh}) >= 2


# ---- notifications -----------------------------------------------------------------------------------------------


class Listener:
    """The other side of notifications: keeps them, answers with the statuses that it is given, then 201."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heard: asyncio.Queue[tuple[object, bytes]] = asyncio.Queue()

    async def answer(self, request: object) -> object:
        from wattseal.protocols.http_server import HttpAnswer

        await self.heard.put((request.peer, request.body))
        return HttpAnswer(self.statuses.pop(0) if self.statuses else 201)

    async def next(self) -> Notification:
        async with asyncio.timeout(10):
            return decode((await self.heard.get())[1], CSIP_2018).resource


async def subscribe(client: Client, device: str, resource: str, uri: str) -> None:
    wanted = Subscription(subscribed_resource=resource, encoding=0, level="+S1", limit=9, notification_uri=uri)
    status, _, _ = await client.ask("POST", f"{device}/sub", encode(wanted, CSIP_2018))
    assert status == 201


async def test_notifications_go_out_over_mutual_tls(pki):
    """1.10: our certificate is shown; the listener may pin its LFDI."""
    listener = Listener()
    served = ccm8_server(pki.aggregator, pki.authority)
    async with (
        running_http_server(listener.answer, tls=served) as ear,
        lab(notify_tls=ccm8_client(pki.server, pki.authority)) as (_, client, admin),
    ):
        device = await client.register(LFDI)
        await subscribe(client, device, f"{device}/fsa", f"{ear.url}/notify/7")
        group = await admin.ask("add_group", members=[LFDI])
        async with asyncio.timeout(10):
            peer, body = await listener.heard.get()
        note = decode(body, CSIP_2018).resource
        assert peer.sha256[:40].upper() == describe_file(pki.server.certificate).lfdi
        assert [one.mrid for one in note.resource.items] == [group["mrid"]]


async def test_a_listener_that_refuses_is_dropped_and_bad_notices_are_to_be_had():
    """ERR-002, from both sides."""
    listener = Listener(201, 201, 201, 400)
    async with running_http_server(listener.answer) as ear, lab() as (_, client, admin):
        device = await client.register(LFDI)
        await subscribe(client, device, f"{device}/fsa", f"{ear.url}/notify")
        await admin.ask("misbehave", tricks=[{"kind": "note_wrong_type"}, {"kind": "note_of_another"}])
        await admin.ask("add_group", members=[LFDI])
        assert type((await listener.next()).resource).__name__ == "Registration"
        await admin.ask("add_group", members=[LFDI])
        assert (await listener.next()).subscription_uri == "/edev/0/sub/4294967295"
        await admin.ask("add_group", members=[LFDI])
        assert (await listener.next()).resource.all == 3
        await admin.ask("add_group", members=[LFDI])
        await listener.next()
        async with asyncio.timeout(10):
            while (await admin.ask("list", of="subscriptions"))["subscriptions"]:
                pass  # the door's answer lets the server go on


async def test_the_end_of_a_subscription_is_told():
    listener = Listener()
    async with running_http_server(listener.answer) as ear, lab() as (_, client, admin):
        device = await client.register(LFDI)
        await subscribe(client, device, f"{device}/fsa", f"{ear.url}/notify")
        serial = (await admin.ask("list", of="subscriptions"))["subscriptions"][0]["serial"]
        await admin.ask("end_subscription", subscription=serial, status=1)
        note = await listener.next()
        assert (note.status, note.resource) == (NotificationStatus.CANCELLED, None)


# ---- the program -------------------------------------------------------------------------------------------------


async def run_program(*arguments: str) -> tuple[asyncio.subprocess.Process, dict[str, object]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wattseal.protocols.ieee2030_5.server.command", "--json", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ,
    )  # fmt: skip
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    return process, json.loads(line) if line else {}


async def test_the_program_makes_its_pki_serves_and_ends(tmp_path):
    folder = tmp_path / "pki"
    process, ready = await run_program("--pki", str(folder), "--profile", "csipaus-1.3", "--href-seed", "s")
    try:
        tls = ccm8_client(TlsIdentity(folder / "device.pem", folder / "device.key"), folder / "serca.pem")
        headers = {"Accept": "application/sep+xml; csipaus=1.3"}
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
            session.get(ready["url"], headers=headers) as response,
        ):
            assert response.status == 200
            assert response.headers["Content-Type"] == "application/sep+xml; csipaus=1.3"
        async with AdminClient(ready["admin_port"]) as admin:
            assert (await admin.ask("requests"))["requests"][0]["status"] == 200
        assert ready["lfdi"] == describe_file(folder / "server.pem").lfdi
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 30) == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [((), 2), (("--tls-cert", "x"), 2), (("--pin", "111116", "--plain-lfdi", LFDI), 2), (("--profile", "zigbee"), 2)],
)
async def test_the_program_says_what_it_cannot_do(arguments, code):
    process, ready = await run_program(*arguments)
    assert ready == {}
    assert await asyncio.wait_for(process.wait(), 30) == code
    assert (await process.stderr.read()).strip()
