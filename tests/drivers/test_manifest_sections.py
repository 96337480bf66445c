"""The manifest's device sections: layout, round trip, and that they contradict neither themselves nor each other."""

from dataclasses import replace

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor
from wattseal.certs.errors import WattsealError
from wattseal.certs.policy import Name
from wattseal.drivers.commands import Operation
from wattseal.drivers.manifest_sections import (
    DeviceEnvelope,
    Enrolment,
    EnrolmentKind,
    InventoryRow,
    LinkKind,
    SectionError,
    Sections,
    SiteEnvelope,
    decode_enrolments,
    decode_envelope,
    decode_inventory,
    encode_enrolments,
    encode_envelope,
    encode_inventory,
    policy_entities,
)

ROW = InventoryRow("b", LinkKind.SIMULATOR, "tcp://127.0.0.1:502", 1, "p", bytes(32), "m|n|s", 10)
GRID = Enrolment("g", EnrolmentKind.OPENADR_2_0B, "AA", ("p1",), ("b",), (Operation.SET_POWER,), 5000)
BOUNDS = DeviceEnvelope("b", -5, 5, 1, 2, 3, 100, 900, (Operation.LIMIT_ABSORB,))
WHOLE = Sections((ROW,), (GRID,), SiteEnvelope((BOUNDS,), 7, 8))

METERED = Sections((ROW, replace(ROW, device="m")), (GRID,), SiteEnvelope((BOUNDS,), 7, 8, "m"))

NAMES = st.text(min_size=1, max_size=8)
WATTS = st.integers(0, 2**40)
ROWS = st.builds(
    InventoryRow,
    NAMES,
    st.sampled_from(LinkKind),
    st.builds("tcp://{}:{}".format, st.sampled_from(["10.0.0.1", "inverter.lan", "[::1]"]), st.integers(1, 65535)),
    st.integers(0, 255),
    NAMES,
    st.binary(min_size=32, max_size=32),
    st.text(max_size=20),
    st.integers(1, 3600),
)
BOUND_ROWS = st.builds(
    DeviceEnvelope,
    NAMES,
    WATTS.map(lambda watts: -watts),
    WATTS,
    WATTS,
    WATTS,
    WATTS,
    st.integers(0, 500),
    st.integers(500, 1000),
    st.lists(st.sampled_from([Operation.SET_POWER, Operation.LIMIT_ABSORB]), max_size=2).map(tuple),
)


@st.composite
def wholes(draw):
    rows = draw(st.lists(ROWS, max_size=4, unique_by=lambda row: row.device))
    known = [row.device for row in rows]
    some = st.lists(st.sampled_from(known), unique=True).map(tuple) if known else st.just(())
    texts = st.lists(NAMES, max_size=3).map(tuple)
    grid = st.builds(
        Enrolment,
        NAMES,
        st.sampled_from(EnrolmentKind),
        st.text(),
        texts,
        some,
        st.lists(st.sampled_from(Operation), max_size=4).map(tuple),
        WATTS,
    )
    bounds = tuple(replace(draw(BOUND_ROWS), device=device) for device in draw(some))
    enrolled = draw(st.lists(grid, max_size=3, unique_by=lambda row: row.utility))
    return Sections(tuple(rows), tuple(enrolled), SiteEnvelope(bounds, draw(WATTS), draw(WATTS)))


@settings(max_examples=100, deadline=None)
@given(wholes())
def test_round_trip(sections):
    assert Sections.decode(sections.encode() | {"another": b"\xff"}) == sections


def test_layout_on_the_wire():
    """The three layouts, member by member."""
    assert cbor2.loads(encode_inventory((ROW,))) == [
        ["b", "simulator", "tcp://127.0.0.1:502", 1, "p", bytes(32), "m|n|s", 10]
    ]
    assert cbor2.loads(encode_enrolments((GRID,))) == [["g", "openadr-2.0b", "AA", ["p1"], ["b"], ["set_power"], 5000]]
    assert cbor2.loads(encode_envelope(WHOLE.envelope)) == {
        1: [["b", -5, 5, 1, 2, 3, 100, 900, ["limit_absorb"]]],
        2: 7,
        3: 8,
    }


def test_look_up_by_name():
    assert WHOLE.device("b") == ROW
    assert WHOLE.envelope.device("b") == BOUNDS
    assert WHOLE.device("c") is None
    assert WHOLE.envelope.device("c") is None
    assert (ROW.host, ROW.port) == ("127.0.0.1", 502)


def test_what_the_policy_is_told():
    """Utility attributes: devices as entities, programmes and operations as texts, the ceiling."""
    told = {entity.name: entity.attributes for entity in policy_entities(WHOLE.enrolments, WHOLE.inventory)}
    assert told == {
        Name("Device", "b"): {"link_kind": "simulator", "profile": "p"},
        Name("Utility", "g"): {
            "devices": (Name("Device", "b"),),
            "programmes": ("p1",),
            "operations": ("set_power",),
            "ceiling_watts": 5000,
        },
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"device": ""},
        {"unit": -1},
        {"unit": 256},
        {"profile_digest": bytes(31)},
        {"sampling_seconds": 0},
        {"address": "127.0.0.1:502"},
        {"address": "tcp://127.0.0.1"},
        {"address": "tcp://:502"},
        {"address": "tcp://h:0"},
        {"address": "tcp://h:70000"},
        {"address": "tcp://h:5/x"},
        {"address": "tcp://h:5?x"},
        {"address": "udp://h:5"},
        {"address": ""},
        {"address": "tcp://[::1:5"},
    ],
)
def test_inventory_rows_without_sense(changes):
    with pytest.raises(SectionError, match="inventory_malformed"):
        replace(ROW, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"min_watts": 1},
        {"max_watts": -1},
        {"ramp_watts_per_second": -1},
        {"dwell_seconds": -1},
        {"cycles_per_hour": -1},
        {"soc_floor_permille": -1},
        {"soc_floor_permille": 901},
        {"soc_ceiling_permille": 1001},
        {"forbidden": (Operation.RELEASE,)},
    ],
)
def test_envelopes_that_could_not_be_kept(changes):
    """0 W lies always inside, and nothing forbids the way back."""
    with pytest.raises(SectionError, match="envelope_malformed"):
        replace(BOUNDS, **changes)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Sections((ROW, ROW), (), SiteEnvelope((), 0, 0)), "inventory_malformed"),
        (lambda: Sections((ROW,), (GRID, GRID), SiteEnvelope((), 0, 0)), "enrolments_malformed"),
        (lambda: Sections((ROW,), (), SiteEnvelope((BOUNDS, BOUNDS), 0, 0)), "envelope_malformed"),
        (lambda: Sections((), (GRID,), SiteEnvelope((), 0, 0)), "device_unknown"),
        (lambda: Sections((), (), SiteEnvelope((BOUNDS,), 0, 0)), "device_unknown"),
        (lambda: SiteEnvelope((), -1, 0), "envelope_malformed"),
        (lambda: SiteEnvelope((), 0, -1), "envelope_malformed"),
        (lambda: replace(GRID, ceiling_watts=-1), "enrolments_malformed"),
        (lambda: replace(GRID, utility=""), "enrolments_malformed"),
        (lambda: Sections.decode({"inventory": b"\x80"}), "section_missing"),
    ],
)
def test_sections_that_contradict_themselves(make, reason):
    with pytest.raises(SectionError, match=reason):
        make()


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=4), st.binary(max_size=4)),
    lambda inner: st.lists(inner, max_size=9),
    max_leaves=12,
)


def swapped(rows, member, junk):
    return [[*row[:member], junk, *row[member + 1 :]] for row in rows]


def read_or_refused(decode, encode, data):
    """Whether `data` is read to a value that encodes to the same bytes, or refused as documented."""
    try:
        return encode(decode(data)) == data
    except WattsealError as error:
        return error.reason.endswith("_malformed")


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 8), JUNK)
def test_only_documented_errors_escape(member, junk):
    """Each member replaced by anything at all: decoded to a value that encodes to the same bytes, or refused."""
    for encoded, decode, encode in (
        (encode_inventory((ROW,)), decode_inventory, encode_inventory),
        (encode_enrolments((GRID,)), decode_enrolments, encode_enrolments),
    ):
        assert read_or_refused(decode, encode, cbor.encode(swapped(cbor2.loads(encoded), member, junk)))
    envelope = cbor2.loads(encode_envelope(WHOLE.envelope))
    rows = swapped(envelope[1], member, junk)
    for spoilt in (envelope | {1: rows}, envelope | {member: junk}, junk):
        assert read_or_refused(decode_envelope, encode_envelope, cbor.encode(spoilt))


def test_the_meter_has_a_key_of_its_own_and_none_where_there_is_none():
    """A manifest without a meter has the bytes that it had before there were meters."""
    assert cbor2.loads(METERED.encode()["envelope"])[4] == "m"
    assert set(cbor2.loads(WHOLE.encode()["envelope"])) == {1, 2, 3}
    assert Sections.decode(METERED.encode()) == METERED


@pytest.mark.parametrize("meter", ["", 5, None, ["m"]])
def test_a_meter_without_a_name_is_refused(meter):
    section = cbor.encode({**cbor.decode(METERED.encode()["envelope"]), 4: meter})
    with pytest.raises(SectionError, match="envelope_malformed"):
        decode_envelope(section)


def test_a_meter_outside_the_inventory_is_refused():
    with pytest.raises(SectionError, match="device_unknown"):
        replace(METERED, inventory=(ROW,))
