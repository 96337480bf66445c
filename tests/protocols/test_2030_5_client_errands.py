"""The duties' errands on their way: repeated until the final word, one of a key at a time, none to a lost server."""

import msgspec
from client_2030_5_duties import BODY, Chore
from client_2030_5_world import LFDI, T0, World, config, control, device, lay, lfdi, plain

from wattseal.certs.clock import ClockQuality, Instant
from wattseal.protocols.ieee2030_5.client.errands import Errands
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import MessageRefused, Registered, Told
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.core_resources import EndDeviceList


def posts(world: World, path: str = "/box") -> list[float]:
    return [at for at, request in world.server.asked if request.href == path]


def test_an_errand_goes_once_and_its_final_word_settles_it():
    chore = Chore(["a"])
    world = plain(World(duties=(chore,))).begin().run(100)
    assert len(posts(world)) == 1
    assert chore.settled_with == [("a", 201, "/box/1")]
    assert [one.about for one in world.of(Told)] == ["a"]


def test_what_failed_is_repeated_after_growing_pauses():
    chore = Chore(["a"])
    world = plain(World(duties=(chore,)))
    world.server.faults["/box"] = Answer(503)
    world.begin().run(100)
    assert [round(at) for at in posts(world)] == [0, 5, 15, 35, 75]
    world.server.faults.clear()
    world.run(100)
    assert chore.settled_with == [("a", 201, "/box/1")]


def test_429_waits_as_long_as_the_server_says():
    chore = Chore(["a"])
    world = plain(World(duties=(chore,)))
    world.server.faults["/box"] = Answer(429, retry_after_seconds=120)
    world.begin().run(119)
    assert len(posts(world)) == 1
    world.run(3)
    assert len(posts(world)) == 2


def test_a_refusal_is_final_and_a_foreign_location_is_none():
    chore = Chore(["a", "b"])
    world = plain(World(duties=(chore,)))
    answers = iter([Answer(409), Answer(201, location="https://evil.example/1")])
    world.server.faults["/box"] = lambda _: next(answers)
    world.begin().run(100)
    assert [(status, place) for _, status, place in chore.settled_with] == [(409, ""), (201, "")]


def test_one_failing_errand_holds_up_no_other():
    chore = Chore(["a"], href="/bad")
    other = Chore(["b"], name="other")
    world = plain(World(duties=(chore, other)))
    world.server.faults["/bad"] = Answer(500)
    world.begin().run(10)
    assert other.settled_with == [("b", 201, "/box/1")]


def test_nothing_is_posted_while_the_server_is_lost():
    chore = Chore([])
    world = plain(World(duties=(chore,))).begin().run(30)
    world.server.down = Silence("peer_timeout")
    world.run(200)
    chore.owed.append("a")
    world.run(100)
    assert posts(world) == []
    world.server.down = None
    world.run(70)
    assert len(posts(world)) == 1


def test_what_the_deck_hands_in_goes_at_the_next_look_and_what_the_clock_brings_at_its_time():
    chore = Chore([])
    world = plain(World(duties=(chore,))).begin().run(30)
    chore.owed.append("a")
    world.run(1)
    world.run(0)
    world.run(1)
    assert 30 <= posts(world)[0] <= 32
    chore.at = T0 + 200
    chore.owed.append("b")
    world.run(1)
    world.run(300)
    assert round(posts(world)[1]) == 200


def test_a_list_that_was_posted_to_is_read_again_soon():
    """In-band registration: the new EndDevice shows at once, not at the next poll."""
    chore = Chore(["a"], href="/edev")
    world = World(duties=(chore,))
    plain(world)
    own = world.server.resources["/edev"]
    world.server.resources["/edev"] = EndDeviceList(href="/edev", items=(), poll_rate=900)

    def registered(request: Request) -> Answer | None:
        if request.method is not Method.POST:
            return None
        world.server.resources["/edev"] = own
        return Answer(201, location="/edev/1")

    world.server.faults["/edev"] = registered
    world.begin().run(10)
    assert chore.settled_with == [("a", 201, "/edev/1")]
    assert world.watts_at(10) == 0


def test_a_lost_answer_leads_to_a_reading_before_the_repetition():
    chore = Chore(["a"], href="/edev", reread="/edev")
    world = plain(World(duties=(chore,)))
    world.server.faults["/edev"] = lambda one: Silence("peer_timeout") if one.method is Method.POST else None
    world.begin().run(5.5)
    asked = [request.method for _, request in world.server.asked if request.href.startswith("/edev?") or request.body]
    assert asked == [Method.GET, Method.POST, Method.GET, Method.POST, Method.GET]


def test_devices_that_a_duty_does_not_let_us_serve_are_as_good_as_absent():
    """A PIN that differs, a device that was deleted: no schedule, no Response."""
    world = World(config(2), duties=(Chore(served=lambda one: one == lfdi(1)),))
    lay(world, [device(1), device(2)], [control(1, 10, 20)])
    world.begin().run(60)
    assert {who for _, _, who in world.responses} == {lfdi(1)}
    assert world.watts_at(15, lfdi(2)) is None
    assert len(world.of(Registered)) == 1


def test_the_duties_are_asked_by_change_and_clock_not_by_every_answer():
    chore = Chore()
    plain(World(duties=(chore,))).begin().run(600)
    assert chore.asked <= 4


def test_the_states_of_duties_outlive_a_restart_and_a_broken_one_costs_only_itself():
    chore = Chore(["a", "b"])
    world = plain(World(duties=(chore,)))
    world.server.faults["/box"] = Answer(503)
    world.begin().run(5)
    other = Chore()
    world.duties = (other,)
    world.restarted()
    assert other.loaded == b"a,b"
    chore.owed = ["broken"]
    again = world.restarted()
    assert [one.reason for one in again.of(MessageRefused)] == ["duty_state_unreadable"]
    assert again.run(5).watts_at(10) == 0


def test_a_thousand_responses_go_in_order_and_each_once():
    """Order per event and device, however many wait."""
    world = World(config(60))
    lay(world, [device(number) for number in range(1, 61)], [control(1, 5, 5), control(2, 20, 5)])
    world.server.faults["/rsp"] = Answer(503)
    world.begin().run(60)
    world.server.faults.clear()
    world.run(600)
    assert len(world.responses) == 60 * 2 * 3
    for number in range(1, 61):
        for event in (1, 2):
            codes = [code for one, code, who in world.responses if (one, who) == (event, lfdi(number))]
            assert codes == [1, 2, 3]


def test_the_session_that_was_interrupted_asks_again():
    world = plain(World(), [control(1, 5, 5)]).begin()
    sends = world.session.sends(world.now)
    assert [send.request.href for send in sends] == ["/dcap"]
    world.session.abandoned(world.now)
    assert world.session.received(world.now, sends[0].token, Answer(200)) == ()
    world.run(20)
    assert [(event, code) for event, code, who in world.responses if who == LFDI] == [(1, 1), (1, 2), (1, 3)]


def test_bodies_of_duties_are_sent_as_they_are():
    chore = Chore(["a"])
    world = plain(World(duties=(chore,))).begin().run(5)
    sent = next(request for _, request in world.server.asked if request.href == "/box")
    assert msgspec.structs.asdict(world.server.posted[0][1])["sfdi"] == 77
    assert sent.body == BODY


def test_at_the_moment_that_they_wake_for_the_duties_are_asked_whatever_the_clock_shows():
    """A clock that stands between timers shows that very moment; a look that does nothing then would never end."""
    for tick in range(2000):
        errands = Errands((Chore(),))
        begun = Instant(tick, 500 + tick * 0.017_000_1, ClockQuality.VIRTUAL)
        errands.ask_all(Survey(), begun)
        assert not errands.looked(Survey(), begun, handed_in=True)
        at = errands.wake_at(begun)
        assert at is not None
        assert errands.looked(Survey(), Instant(tick + 1000, at, ClockQuality.VIRTUAL), handed_in=False)


def test_an_errand_under_way_wakes_nobody():
    """While its answer is awaited, a pause that is over is no reason to look again."""
    world = plain(World(duties=(Chore(["a"]),), latency=1.0))
    world.server.faults["/box"] = Answer(503)
    world.begin().run(20)
    sends = [send for send in world.session.sends(world.now) if send.request.href == "/box"]
    while not sends:
        world.run(1)
        sends = [send for _, send in world._flying if send.request.href == "/box"]
    assert world.session.wake_at(world.now) > world.now.monotonic
