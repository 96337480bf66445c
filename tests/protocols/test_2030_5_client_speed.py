"""The budget of one aggregator with a thousand devices, in processor time, because machines are busy."""

import time

import pytest
from client_2030_5_world import World, config, control, device, lay, lfdi

from wattseal.protocols.ieee2030_5.base import ListLink
from wattseal.protocols.ieee2030_5.client.happenings import ScheduleChanged
from wattseal.protocols.ieee2030_5.der_control import DERControlList
from wattseal.protocols.ieee2030_5.der_status import DER, DERList

DEVICES = 1000
INTERVAL = 300


def fleet() -> World:
    """A thousand devices, each with its assignments and its DER list; one programme for all; every 300 s."""
    world = World(config(DEVICES))
    devices = [
        device(number, der_list_link=ListLink(href=f"/edev/{number}/der", all=1)) for number in range(1, DEVICES + 1)
    ]
    lay(world, devices, [], poll=INTERVAL)
    for number in range(1, DEVICES + 1):
        href = f"/edev/{number}/der"
        world.server.resources[href] = DERList(href=href, items=(DER(href=f"{href}/1"),), poll_rate=INTERVAL)
    world.begin().run(1)
    return world


@pytest.mark.slow
def test_a_thousand_devices_cost_little_to_poll_and_little_to_command() -> None:
    """Steady polling under a quarter of a core; a new control through the engine to the schedule under 0.3 s."""
    world = fleet()
    assert len(world.session.survey.devices or {}) == DEVICES
    spent = 0.0
    answer = world.server.answer

    def timed(request):
        """The server's own work is not the client's."""
        nonlocal spent
        began = time.process_time()
        try:
            return answer(request)
        finally:
            spent += time.process_time() - began

    world.server.answer = timed
    world.server.asked.clear()
    began = time.process_time()
    world.run(2 * INTERVAL)
    steady = (time.process_time() - began - spent) / (2 * INTERVAL)
    assert len(world.server.asked) >= 2 * 2 * DEVICES
    assert steady < 0.25, f"{steady:.1%} of a core"

    world.server.resources["/derp/1/derc"] = DERControlList(href="/derp/1/derc", items=(control(1, 2000, 600),))
    slowest, received = 0.0, world.session.received

    def watched(*what):
        nonlocal slowest
        began = time.process_time()
        happenings = received(*what)
        if any(isinstance(one, ScheduleChanged) for one in happenings):
            slowest = max(slowest, time.process_time() - began)
        return happenings

    world.session.received = watched
    world.run(INTERVAL)
    assert world.watts_at(2100, lfdi(DEVICES)) == 1000
    assert 0 < slowest < 0.3, f"{slowest:.3f} s"
