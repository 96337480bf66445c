"""What a device can be asked for over IEEE 2030.5 is what its operations carry out, and nothing else."""

from bridge_world import SITE_TEXT

from wattseal.bridge import profiles
from wattseal.bridge.abilities import modes_of, operations_for
from wattseal.bridge.site.reader import read_site
from wattseal.drivers.profiles.catalogue import profile_named
from wattseal.protocols.ieee2030_5 import modes
from wattseal.protocols.ieee2030_5.translating.table import CARRIED

SITE = read_site(SITE_TEXT)
EVERYTHING = {
    "set_power", "limit_inject", "limit_absorb", "energize", "power_factor_inject", "power_factor_absorb", "fixed_var",
    "target_var", "freq_droop", "ramp_rate", "return_to_service", "freq_watt", "volt_var", "volt_watt", "watt_pf",
    "watt_var", "hf_may_trip", "hf_must_trip", "hv_may_trip", "hv_momentary_cessation", "hv_must_trip", "lf_may_trip",
    "lf_must_trip", "lv_may_trip", "lv_momentary_cessation", "lv_must_trip",
}  # fmt: skip


def test_all_operations_together_are_all_modes_that_become_a_wish():
    """No mode is promised that is not translated, and none is translated that no operation could ever promise.

    But for opModConnect: it becomes a wish, and no operation disconnects a device galvanically.
    """
    assert modes_of(EVERYTHING) == CARRIED.keys() - {"opModConnect"}
    assert modes_of(EVERYTHING) <= modes.modes().keys()


def test_each_operation_is_worth_modes_that_no_other_is():
    """But for setpoints, which a charger that can only be limited is told as the most that it may draw."""
    for operation in EVERYTHING - {"set_power", "fixed_var"}:
        assert modes_of({operation}, at_site=()) - modes_of(EVERYTHING - {operation}, at_site=())
    # Parts of a setMaxVar that the server was told are carried as vars, so this mode needs both.
    assert modes_of({"fixed_var"}, at_site=()) == frozenset()
    assert modes_of({"target_var"}, at_site=()) == {"opModTargetVar"}
    assert modes_of({"fixed_var", "target_var"}, at_site=()) == {"opModTargetVar", "opModFixedVar"}
    assert modes_of({"set_power"}) < modes_of({"limit_absorb"})


def test_release_and_strange_names_are_worth_none():
    assert modes_of({"release", "explode"}) == frozenset()


def test_limits_of_the_site_are_every_devices_where_one_can_hold_them():
    """1.5: csipaus import and export limits hold at the connection point, whoever there can hold them."""
    charger = operations_for(SITE, SITE.utilities[0], "charger")
    battery = operations_for(SITE, SITE.utilities[0], "battery")
    assert charger == {"limit_absorb"}
    assert "csipaus:opModExpLimW" not in modes_of(charger)
    assert "csipaus:opModExpLimW" in modes_of(charger, at_site=charger | battery)
    assert "csipaus:opModGenLimW" not in modes_of(charger, at_site=charger | battery)


def test_what_the_enrolment_or_the_envelope_forbids_is_not_told():
    text = SITE_TEXT.replace(b'["set_power", "limit_inject", "limit_absorb"]', b'["set_power", "limit_inject"]')
    text = text.replace(b"soc_ceiling_percent = 95", b'soc_ceiling_percent = 95\nforbidden = ["limit_inject"]')
    site = read_site(text)
    assert operations_for(site, site.utilities[0], "battery") == {"set_power"}
    assert operations_for(site, site.utilities[0], "charger") == frozenset()
    assert operations_for(site, site.utilities[0], "nobody") == frozenset()


def test_every_curve_of_a_profile_is_an_ability():
    """SunSpec 705 to 712: what the profile can write as a curve, the deck may order and the server is told of."""
    battery = profile_named("sunspec_battery")
    assert {one.operation for one in battery.curves} <= profiles.operations_of("sunspec_battery")
    assert "opModVoltVar" in modes_of({str(one) for one in profiles.operations_of("sunspec_battery")})
