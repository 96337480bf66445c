"""Whatever is sent, by whatever verb, to whatever address: a documented status, and a world that lives."""

from hypothesis import given, settings
from hypothesis import strategies as st
from utility_bench import ALICE, Bench
from utility_town import flow_request, log_event, mirror, sheets, subscription, town

from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice
from wattseal.protocols.ieee2030_5.response import DERControlResponse
from wattseal.protocols.ieee2030_5.server.rows import pattern_of
from wattseal.protocols.ieee2030_5.server.server import METHODS, ROUTES
from wattseal.protocols.ieee2030_5.server.state import World

TOWN = town("csip-2018", validated=False)
START = TOWN.world
PATHS = sorted(path for path, reply in TOWN.everything() if reply.status == 200)
WRITES = [(path, verb) for path in PATHS for verb in ROUTES[pattern_of(path)[0]].writes]
GOOD = [
    encode(one, TOWN.profile)
    for one in (
        *sheets(frozenset(), ALICE).values(),
        mirror(ALICE),
        *mirror(ALICE).mirror_meter_readings,
        log_event(),
        flow_request(),
        subscription("/edev"),
        EndDevice(lfdi=ALICE, sfdi=0, changed_time=0),
        DERControlResponse(end_device_lfdi=ALICE, subject="AB"),
    )
]
DOCUMENTED = {200, 201, 204, 400, 403, 404, 405, 409}


def fresh() -> Bench:
    found = TOWN
    found.world = START
    return found


def still_lives(found: Bench) -> None:
    """The world goes through its bytes, and all of it can still be said."""
    assert World.from_bytes(found.world.to_bytes()) == found.world
    assert all(reply.status in {200, 404} for _, reply in found.everything())


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(WRITES), st.sampled_from(GOOD))
def test_every_document_at_every_address(where, document):
    """Also those that belong elsewhere: what cannot be meant is 400, what is taken can be said again."""
    found = fresh()
    path, verb = where
    assert found.ask(verb, f"/{path}", document).status in DOCUMENTED
    if found.world is not START:
        still_lives(found)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(WRITES), st.sampled_from(GOOD), st.data())
def test_damaged_documents(where, document, data):
    """Bytes flipped, cut out and doubled."""
    found = fresh()
    path, verb = where
    spot = data.draw(st.integers(0, len(document) - 1))
    more = data.draw(st.binary(max_size=8))
    length = data.draw(st.integers(0, 40))
    broken = document[:spot] + more + document[spot + length :]
    assert found.ask(verb, f"/{path}", broken).status in DOCUMENTED
    if found.world is not START:
        still_lives(found)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(PATHS), st.sampled_from(sorted(METHODS)), st.text(max_size=30), st.binary(max_size=60))
def test_any_verb_query_and_body(path, verb, query, body):
    found = fresh()
    assert found.ask(verb, f"/{path}?{query}", body).status in DOCUMENTED
