"""All sets at once over mutual TLS with the suite of the standard: our client, our server, the machine's clock."""

import asyncio
import time
from dataclasses import replace

import pytest
from client_2030_5_sets import CHARGER, EVSE, charger_config
from utility_bench import Bench

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.device_pki import DevicePki, make_device_pki
from wattseal.certs.identity import describe_file, sfdi_of
from wattseal.certs.tls import ccm8_client, ccm8_server
from wattseal.protocols.ieee2030_5.client.duties.flow_reservations import ChargingNeed, FlowReservations
from wattseal.protocols.ieee2030_5.client.happenings import (
    Happening,
    PricesInForce,
    ScheduleChanged,
    TextsInForce,
    Told,
)
from wattseal.protocols.ieee2030_5.client.http import DeviceExchange, ServerJudge
from wattseal.protocols.ieee2030_5.client.session import ClientSession
from wattseal.protocols.ieee2030_5.client.shell import run
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.shell import running_server
from wattseal.protocols.ieee2030_5.set_values import FLOW, LOAD

PATIENCE_SECONDS = 60


class Machine:
    """The machine's own clock."""

    def now(self) -> Instant:
        return Instant(int(time.time() * 1000), time.monotonic(), ClockQuality.TRUSTED)


class Deck:
    """Keeps what happens; `found` is set once everything that the test waits for has happened."""

    def __init__(self, wanted) -> None:
        self.told: list[Happening] = []
        self.found = asyncio.Event()
        self._wanted = wanted

    async def handle(self, happenings) -> None:
        self.told += happenings
        if self._wanted(self.told):
            self.found.set()

    async def save(self, data: bytes) -> None:
        assert data


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> DevicePki:
    return make_device_pki(tmp_path_factory.mktemp("pki") / "pki")


def everything_came(told: list[Happening]) -> bool:
    modes = {segment.force.mode for one in told if isinstance(one, ScheduleChanged) for segment in one.segments}
    answered = [one for one in told if isinstance(one, Told) and one.kind == "response"]
    return (
        {LOAD, FLOW} <= modes
        and any(isinstance(one, PricesInForce) and one.prices for one in told)
        and any(isinstance(one, TextsInForce) and one.texts for one in told)
        and len(answered) >= 7
    )


async def test_every_set_is_followed_and_answered_on_one_line(pki):
    """COMM-003 and 1.11: load control and grant 1 and 2, price 1 and 2, text 1; each under the device's LFDI."""
    lfdi = describe_file(pki.device.certificate).lfdi
    utility = Bench(
        ServerConfig(profile=CSIPAUS_1_3, poll_seconds=600, pin=None), now=int(time.time()), validated=False
    )
    utility.register(lfdi)
    group = utility.group(lfdi)
    now = {"duration": 900, "start_in": 0}
    load = {"device_category": EVSE, "duty_cycle": {"normal_value": 40}}
    utility.do("add_load_control", program=utility.program(group, "load"), control=now | load)
    utility.do("add_text", program=utility.program(group, "text", locale="en"), text=now | {"text": "Hello"})
    tariff = utility.program(group, "tariff", currency=36, power_of_ten=-2)
    rate = utility.do("add_rate", program=tariff, role_flags=0, reading_type={"uom": 72})["serial"]
    utility.do("add_interval", program=tariff, rate=rate, interval=now | {"prices": [[0, 31]]})

    charger = replace(CHARGER, lfdi=bytes.fromhex(lfdi), sfdi=int(sfdi_of(lfdi)))
    begun = int(time.time())
    deck = Deck(everything_came)
    server_tls, client_tls = ccm8_server(pki.server, pki.authority), ccm8_client(pki.device, pki.authority)
    judge = ServerJudge(describe_file(pki.server.certificate).lfdi)
    async with (
        running_server(utility.config, world=utility.world, tls=server_tls) as running,
        DeviceExchange(running.server.url, CSIPAUS_1_3.accept, tls=client_tls, judge=judge) as exchange,
    ):
        settings = replace(
            charger_config(charger, profile=CSIPAUS_1_3),
            lfdi=charger.lfdi,
            sfdi=charger.sfdi,
            authority=exchange.authority,
        )
        reservations = FlowReservations(settings)
        reservations.need("charger", ChargingNeed(5000, 4000, begun - 60, begun + 36_000), begun)
        session = ClientSession(settings, None, (reservations,))
        task = asyncio.create_task(run(session, exchange, Machine(), deck.handle, deck.save))
        waiting = asyncio.create_task(deck.found.wait())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert deck.found.is_set(), deck.told
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        answers = [(one.kind, one.status, one.lfdi) for one in running.shell.world.responses]
    assert sorted(answers) == sorted(
        (name, code, lfdi)
        for name, codes in (
            ("DrResponse", (1, 2)),
            ("FlowReservationResponseResponse", (1, 2)),
            ("PriceResponse", (1, 2)),
            ("TextResponse", (1,)),
        )
        for code in codes
    )
