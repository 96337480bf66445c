"""`wattseal simulate utility ieee2030.5`: the server through the command line, as a person starts it."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import aiohttp
from box_world import WATTSEAL

from wattseal.certs.identity import describe_file
from wattseal.certs.tls import TlsIdentity, ccm8_client
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018
from wattseal.protocols.ieee2030_5.server.door import AdminClient


async def test_a_utility_of_ieee_2030_5_serves_a_device_over_ccm8(tmp_path: Path):
    """It makes its test hierarchy, says where it listens, serves what the admin door puts there, ends on SIGTERM."""
    folder = tmp_path / "pki"
    words = ("simulate", "utility", "ieee2030.5", "--port", "0", "--admin-port", "0", "--json", "--pki", str(folder))
    process = await asyncio.create_subprocess_exec(WATTSEAL, *words, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        device = TlsIdentity(folder / "device.pem", folder / "device.key")
        tls = ccm8_client(device, folder / "serca.pem")
        async with (
            AdminClient(ready["admin_port"]) as admin,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
        ):
            lfdi = describe_file(device.certificate).lfdi
            await admin.ask("add_device", lfdi=lfdi)
            async with session.get(ready["url"]) as response:
                found = decode(await response.read(), CSIP_2018).resource
            assert found.end_device_list_link.all == 1
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 60) == 0


def test_its_options_are_shown():
    shown = subprocess.run(
        [WATTSEAL, "simulate", "utility", "ieee2030.5", "--", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0
    for option in (
        "--profile",
        "--pki",
        "--admin-port",
        "--href-seed",
        "--aggregator",
        "--gcm",
        "--state",
        "--messages",
    ):
        assert option in shown.stdout
