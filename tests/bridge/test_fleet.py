"""An aggregator with a thousand devices: one control for all, through the line and the core, within every cap."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import client_2030_5_world as server_world
import pytest
from bridge_world import Line
from server_line_world import LineWorld

from wattseal.bridge.core.status import status
from wattseal.certs.statement import Kind, Statement, most_bytes, most_parents
from wattseal.drivers.testimony import Quantity, Reading
from wattseal.protocols.ieee2030_5.client.happenings import ScheduleChanged

DEVICES = 1000
WATTS = 3000
STATUS_BYTES = 1 << 22  # what whoever asks for it takes in one line


def fleet_site() -> bytes:
    """As an owner writes it: each device, and under which LFDI the server knows it."""
    most = 5000 * DEVICES
    head = f'[site]\nname = "fleet"\nlab = true\ninject_limit_watts = {most}\nabsorb_limit_watts = {most}\n'
    devices = [
        f'[[device]]\nname = "site-{number:04}"\nprofile = "sunspec_battery"\nlink = "simulator"\n'
        f'address = "tcp://127.0.0.1:{1502 + number // 200}"\nunit = {number % 200 + 1}\n'
        "[device.envelope]\nmin_watts = -5000\nmax_watts = 5000\n"
        for number in range(1, DEVICES + 1)
    ]
    utility = (
        '[[utility]]\nname = "north"\ndialect = "ieee2030.5"\nurl = "http://127.0.0.1:8080/dcap"\n'
        'profile = "csipaus-1.3"\nrole = "aggregator"\noperations = ["set_power", "limit_inject", "limit_absorb"]\n'
        "ceiling_watts = 5000\n"
    )
    end_devices = [
        f'[[utility.end_device]]\ndevice = "site-{number:04}"\nlfdi = "{server_world.lfdi(number).hex()}"\n'
        'type = "battery"\n'
        for number in range(1, DEVICES + 1)
    ]
    return "".join((head, *devices, utility, *end_devices)).encode()


class WideLine(Line):
    """The gateway's end, quick for thousands of statements."""

    async def send(self, statements: Sequence[Statement]) -> None:
        known = {one.digest for one in self.sent}
        self.sent += [one for one in statements if one.digest not in known]


class Fleet(LineWorld):
    """The server in memory lists all devices, in one programme; answers come at once."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, fleet_site())
        self.bench.line = WideLine()
        devices = [server_world.device(number) for number in range(1, DEVICES + 1)]
        server_world.lay(self._world, devices, poll=60)
        del self.server.resources["/derp/1/dderc"]  # nothing is held where no control holds it

    async def read(self) -> float:
        """Lets the line ask until nothing is due. Processor seconds from a new schedule to what it came to."""
        spent, session = 0.0, self.line.session
        if not self._begun:
            self._begun = True
            await self.line.handle(session.begin(self.now))
        while sends := session.sends(self.now):
            for send in sends:
                answer = self.server.answer(send.request)
                began = time.process_time()
                happenings = session.received(self.now, send.token, answer)
                await self.line.handle(happenings)
                if any(isinstance(one, ScheduleChanged) for one in happenings):
                    spent += time.process_time() - began
        return spent

    async def ordered(self, number: int, watts: int) -> float:
        """A control for all, from now on. Processor seconds from the answer that brought it to the last command."""
        begins = int(self.bench.time.unix - server_world.T0)
        base = server_world.DERControlBase(op_mod_gen_lim_w=server_world.ActivePower(multiplier=0, value=watts))
        self.show(server_world.control(number, begins, 3600, der_control_base=base, response_required=0))
        self.bench.time.advance(60)
        return await self.read()

    async def all_measured(self) -> None:
        """A reading of each device, as the gateway tells them."""
        at = int(self.bench.time.unix) * 1000
        power = (Quantity("watts", 0, 0, "W", "good", "40000"),)
        bodies = [Reading(one.name, power, at, at, bytes(32), "trusted") for one in self.bench.estate.site.devices]
        await self.bench.core.hear(*[self.bench.sealed(Kind.READING, body.encode()).raw for body in bodies])


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    world = Fleet(tmp_path)
    yield world
    world.bench.close()


async def test_a_control_for_a_thousand_devices_fits_every_cap_and_is_made_again_from_its_record(fleet: Fleet) -> None:
    """Statements of 64 KiB, facts and renewals of 1 MiB; each device gets its order; the record repeats it all."""
    await fleet.connect()
    await fleet.read()
    await fleet.all_measured()
    await fleet.ordered(1, WATTS)
    assert sorted(fleet.orders()) == [(f"site-{number:04}", "limit_inject", WATTS) for number in range(1, DEVICES + 1)]
    await fleet.bench.core.renew()
    said = fleet.bench.statements()
    (facts,) = [one for one in said if one.header.kind is Kind.FACTS]
    (renewal,) = fleet.bench.line.of(Kind.RENEWAL)
    assert len(facts.header.parents) > DEVICES, "the reading of each device, and the intent"
    assert len(renewal.header.parents) == DEVICES
    for one in (*said, renewal):
        assert len(one.raw) <= most_bytes(one.header.kind)
        assert len(one.header.parents) <= most_parents(one.header.kind)
    verdict = fleet.bench.replayed()
    assert verdict.differences == ()
    picture = status(fleet.bench.core.memory, fleet.bench.estate.site, fleet.now, len(said), {})
    assert len(json.dumps(picture)) < STATUS_BYTES


@pytest.mark.alone
async def test_from_the_poll_s_answer_to_the_last_sealed_command_in_two_seconds(fleet: Fleet) -> None:
    """In processor time, because machines are busy; the second control meets a fleet that stands under the first."""
    await fleet.connect()
    await fleet.read()
    for number, watts in ((1, WATTS), (2, WATTS - 500)):
        spent = await fleet.ordered(number, watts)
        assert len(fleet.bench.line.of(Kind.COMMAND)) == number * DEVICES
        assert 0 < spent < 2.0, f"{spent:.2f} s"
