"""Random plans of a 2030.5 server over two minutes, for the tests of the event engine and of its forecast."""

from engine_2030_5_world import DER, DER_2, EXPORT, VAR, W, World, control, default, mrid
from hypothesis import strategies as st
from msgspec.structs import replace

from wattseal.protocols.ieee2030_5.engine.inputs import Control, CurrentStatus, Device

MODES = (W, VAR, EXPORT)
HORIZON = 130
POLLS = 4
DEFAULT = {W: 9001, VAR: 9002}
DEVICES = (Device(DER, tuple(mrid(n) for n in (1, 2, 3))), Device(DER_2, tuple(mrid(n) for n in (1, 2))))


@st.composite
def plans(draw):
    """What a server does over two minutes: (poll second, primacies, {programme: controls}) each."""
    seconds = sorted(draw(st.sets(st.integers(0, 90), min_size=1, max_size=POLLS)))
    lives = []
    for number in range(1, draw(st.integers(1, 6)) + 1):
        modes = draw(st.sets(st.sampled_from(MODES), min_size=1))
        first = control(
            number, draw(st.integers(0, 16)) * 5, draw(st.sampled_from([1, 5, 10, 20, 40, 0xFFFFFFFF])),
            {mode: number * 10 + k for k, mode in enumerate(MODES) if mode in modes},
            creation_time=draw(st.integers(1, 3)),
            randomize_start_seconds=draw(st.sampled_from([0, 0, 7, -7, 20])),
            randomize_duration_seconds=draw(st.sampled_from([0, 0, 9, -9])),
        )  # fmt: skip
        appears, vanishes, cancels = (draw(st.integers(0, top)) for top in (1, 6, 6))
        status = draw(st.sampled_from([CurrentStatus.CANCELLED, CurrentStatus.CANCELLED_RANDOMIZED]))
        lives.append((draw(st.integers(1, 3)), first, appears, appears + 1 + vanishes, appears + cancels, status))
    primacies = draw(st.lists(st.tuples(*[st.integers(1, 3)] * 3), min_size=len(seconds), max_size=len(seconds)))
    plan = []
    for index, second in enumerate(seconds):
        lists: dict[int, list[Control]] = {1: [], 2: [], 3: []}
        for program, first, appears, vanishes, cancels, status in lives:
            if appears <= index < vanishes:
                lists[program].append(replace(first, status=status) if index >= cancels else first)
        plan.append((second, dict(zip((1, 2, 3), primacies[index], strict=True)), lists))
    return plan


def world_of(rules) -> World:
    defaults = {n: default(opModFixedW=9001, opModFixedVar=9002) for n in (1, 2)}
    return World(rules=rules, devices=DEVICES, primacies={1: 1, 2: 1, 3: 1}, defaults=defaults)


def polled(world, plan, second) -> None:
    """The world's poll of this second, if there is one."""
    for at, primacies, lists in plan:
        if at == second:
            world.primacies, world.controls = primacies, lists
            world.poll(at=second)
