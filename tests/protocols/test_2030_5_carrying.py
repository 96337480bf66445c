"""The predicate of what can be carried says exactly what the translator does: there is one rule book."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ieee2030_5_values import values

from wattseal.protocols.ieee2030_5.carrying import carried_settings, refusal
from wattseal.protocols.ieee2030_5.client.config import DerType, Managed, Ratings
from wattseal.protocols.ieee2030_5.der_control import DERControlBase, DERCurve
from wattseal.protocols.ieee2030_5.engine.force import InForce, Source
from wattseal.protocols.ieee2030_5.engine.forecast import Segment
from wattseal.protocols.ieee2030_5.engine.inputs import Setting
from wattseal.protocols.ieee2030_5.modes import STRANGER, settings_of
from wattseal.protocols.ieee2030_5.profiles import CSIP_2023
from wattseal.protocols.ieee2030_5.translate import TranslationContext, translate
from wattseal.protocols.ieee2030_5.translating.table import CARRIED, NOT_CARRIED

LFDI = b"\x01" * 20


def ratings(inject: int, absorb: int, *can: str) -> Ratings:
    return Ratings(inject_watts=inject, absorb_watts=absorb, modes=frozenset(can))


@given(values(DERControlBase, CSIP_2023), values(DERCurve, CSIP_2023), st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_what_is_refused_is_what_the_translator_would_not_carry(base, curve, inject, absorb):
    """A value makes an event exactly where there is no refusal; a mode that is switched off makes none either."""
    for mode, encoded in ((one.mode, one.value) for one in settings_of(base, lambda _: curve) if one.mode in CARRIED):
        known = ratings(inject, absorb, mode)
        force = InForce(mode, encoded, None, Source.EVENT, b"\x0a" * 16, b"\x0b" * 16, None)
        managed = Managed("battery", LFDI, 1, DerType.BATTERY, known)
        made = translate([Segment((LFDI,), 0, 60, force)], TranslationContext("north", {LFDI: managed}))
        refused = [one.what for one in made.remarks if one.what.startswith("is not carried")]
        why = refusal(mode, encoded, known)
        assert refused == ([] if why is None else [why])
        off = any("switched off" in one.what for one in made.remarks)
        assert bool(made.events) == (why is None and not off)


@pytest.mark.parametrize("mode", sorted(NOT_CARRIED))
def test_a_mode_that_no_wish_holds_is_refused_with_its_reason(mode):
    assert refusal(mode, b"", ratings(1, 1)) == NOT_CARRIED[mode]


def test_bytes_of_another_release_are_refused():
    assert "value_unreadable" in (refusal("opModFixedVar", b"\xc1", ratings(1, 1)) or "")


def test_only_a_mode_that_a_device_can_do_is_judged():
    """The engine answers for the others; they keep their name."""
    wrong = Setting("opModFixedVar", b"\xc1")
    other = Setting("opModMaxLimW", b"\xc1")
    able = frozenset({ratings(1, 1, "opModFixedVar")})
    stranger, kept = sorted(carried_settings((wrong, other), able), key=lambda one: one.mode)
    assert (stranger.mode, kept) == (f"{STRANGER}opModFixedVar", other)
    assert b"value_unreadable" in stranger.value
    assert carried_settings((wrong,), frozenset()) == (wrong,)
