"""Making, signing and opening a box: each fault told before anything runs. docs/statements.md, "Who may"."""

import shutil

import pytest
from bridge_world import NOW, SITE_TEXT, Time, make_bench
from server_line_world import SERVER_SITE
from ven_world import dispatch, oadr_event

from wattseal.bridge.core.opening import TIME_FLOOR, open_estate
from wattseal.bridge.core.status import status
from wattseal.bridge.doctor import examine
from wattseal.bridge.journal import keep_mark
from wattseal.bridge.making import RUNNING_ROLES, default_policy, make_box, sections_of, sign_manifest
from wattseal.bridge.site.mistakes import SiteFileError
from wattseal.bridge.site.reader import read_site
from wattseal.certs.box import Box, BoxError, write_durably
from wattseal.certs.clock import ClockQuality, VirtualTime
from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.certs.statement import Role
from wattseal.drivers.gateway.opening import open_estate as open_gateway
from wattseal.drivers.manifest_sections import Sections

NOT_LAB = SITE_TEXT.replace(b"lab = true", b"lab = false")


@pytest.fixture
def box(signed_box, tmp_path):
    shutil.copytree(signed_box.root, tmp_path / "b")
    return Box(tmp_path / "b")


def opened(box, time=None):
    estate = open_estate(box, time or Time())
    estate.store.close()
    return estate


def refused(box, kind=MisuseError):
    with pytest.raises(kind) as caught:
        opened(box)
    return caught.value.reason


class HandMoved(VirtualTime):
    """A lab's clock that stands at one moment."""

    def __init__(self, wall=NOW + 60.0):
        self.at = wall

    def wall(self):
        return self.at

    def monotonic(self):
        return 0.0


def test_a_lab_on_loopback_opens_on_a_virtual_clock_and_says_so(box):
    """DESIGN, one event: a running box accepts a virtual clock only in lab mode and on loopback."""
    estate = opened(box, HandMoved())
    assert estate.clock.now().quality is ClockQuality.VIRTUAL
    gateway = open_gateway(box.root, None, HandMoved())
    gateway.store.close()
    assert gateway.clock.now().quality is ClockQuality.VIRTUAL


@pytest.mark.parametrize("opening", ["core", "gateway"])
@pytest.mark.parametrize(
    ("text", "wall", "reason"),
    [
        (NOT_LAB, NOW + 60, "clock_outside_lab"),
        (SITE_TEXT.replace(b"tcp://127.0.0.1:1503", b"tcp://192.0.2.7:502"), NOW + 60, "clock_not_loopback"),
        (SITE_TEXT, NOW - 60, "clock_behind"),
    ],
)
def test_any_other_virtual_clock_is_refused(tmp_path, opening, text, wall, reason):
    made = Box(tmp_path / "b")
    make_box(made.root, now=NOW, site_text=text)
    sign_manifest(made.root, now=NOW)
    shutil.move(made.owner, tmp_path / "safe")
    with pytest.raises(MisuseError) as caught:
        _ = open_estate(made, HandMoved(wall)) if opening == "core" else open_gateway(made.root, None, HandMoved(wall))
    assert caught.value.reason == reason


def test_a_utility_elsewhere_is_no_part_of_a_lab_on_a_virtual_clock(tmp_path):
    made = Box(tmp_path / "b")
    text = SITE_TEXT.replace(b'"http://127.0.0.1:8080"', b'"http://utility.example/"\ninsecure = "a bench"')
    make_box(made.root, now=NOW, site_text=text)
    sign_manifest(made.root, now=NOW)
    with pytest.raises(MisuseError) as caught:
        open_estate(made, HandMoved())
    assert caught.value.reason == "clock_not_loopback"


def test_a_lab_on_a_virtual_clock_listens_on_this_machine_alone(tmp_path):
    """Notifications come from outside as much as answers do."""
    made = Box(tmp_path / "b")
    door = b'[utility.listener]\naddress = "0.0.0.0:8443"\nuri = "https://box.example/notes"\n'
    make_box(made.root, now=NOW, site_text=SERVER_SITE + door)
    sign_manifest(made.root, now=NOW)
    with pytest.raises(MisuseError) as caught:
        open_estate(made, HandMoved())
    assert caught.value.reason == "clock_not_loopback"


def test_a_virtual_clock_before_the_time_floor_is_refused(box):
    """What the box has lived through, on whatever clock, lies behind it."""
    with open_estate(box, HandMoved()).store as store:
        store.commit_now(lambda db: keep_mark(db, TIME_FLOOR, NOW + 3600))
    with pytest.raises(MisuseError) as caught:
        opened(box, HandMoved())
    assert caught.value.reason == "clock_behind"
    assert opened(box, HandMoved(NOW + 3600)).clock.floor == NOW + 3600


def test_a_box_holds_one_closed_key_for_each_role(box):
    kids = {box.signer(role).public.kid for role in RUNNING_ROLES}
    assert len(kids) == len(RUNNING_ROLES)
    for role in RUNNING_ROLES:
        assert box.key_file(role).stat().st_mode & 0o077 == 0
    assert box.owner.stat().st_mode & 0o077 == 0
    assert not (box.root / "box" / "keys" / "owner.pem").exists()


def test_the_manifest_says_what_the_site_file_says(box):
    manifest = opened(box).manifest
    site = read_site(SITE_TEXT)
    assert Sections.decode(manifest.sections) == sections_of(site)
    assert (manifest.site, manifest.lab, manifest.version) == ("bench", True, 1)
    assert {key.role for key in manifest.keys.values()} == set(RUNNING_ROLES)
    (enrolment,) = sections_of(site).enrolments
    assert (enrolment.devices, enrolment.programmes) == (("battery", "charger"), ("dispatch",))


def test_a_box_is_not_made_twice(box):
    with pytest.raises(MisuseError, match="There is a box"):
        make_box(box.root, now=NOW, site_text=SITE_TEXT)


def test_signing_again_raises_the_version_and_keeps_the_old_one(box):
    box.site_file.write_bytes(SITE_TEXT.replace(b"ceiling_watts = 7400", b"ceiling_watts = 7500"))
    assert refused(box) == "site_not_signed"
    assert sign_manifest(box.root, now=NOW).version == 2
    opened(box)
    assert len(box.trusts()) == 2


def test_owner_keys_beside_a_box_that_is_no_lab(tmp_path):
    box = make_bench(tmp_path / "b", NOT_LAB)
    assert refused(box) == "owner_keys_present"
    for key in box.owner.glob("*.pem"):
        key.unlink()
    assert opened(box).site.lab is False


@pytest.mark.parametrize("change", [b"min_watts = -5001", b"max_watts = 5001"])
def test_an_envelope_wider_than_signed(box, change):
    name = change.split(b" = ")[0]
    text = SITE_TEXT.replace(name + b" = -5000", change).replace(name + b" = 5000", change)
    assert text != SITE_TEXT
    box.site_file.write_bytes(text)
    assert refused(box) == "site_not_signed"


def test_a_policy_that_was_not_signed(box):
    box.policy_file.write_bytes(default_policy() + b"\n// harmless\n")
    assert refused(box) == "policy_not_signed"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("site.toml", "box_file_missing"),
        ("box/policy.cedar", "box_file_missing"),
        ("box/trust/manifest.cose", "box_file_missing"),
        ("box/trust/root.hex", "box_file_missing"),
    ],
)
def test_a_file_that_is_not_there(box, path, reason):
    (box.root / path).unlink()
    assert refused(box, BoxError) == reason


def test_a_key_that_is_not_there(box):
    box.key_file(Role.ISSUER).unlink()
    with pytest.raises(WattsealError):
        opened(box)


def test_a_site_file_with_mistakes(box):
    box.site_file.write_bytes(b"[site]\n")
    with pytest.raises(SiteFileError):
        opened(box)


def test_a_box_that_wakes_in_1970_opens(box):
    """It must still be able to release its devices; it only cannot tell what is in force."""
    estate = open_estate(box, Time(1000.0))
    assert estate.clock.now().quality is ClockQuality.UNTRUSTED
    assert estate.clock.floor >= NOW - 100
    estate.store.close()


def test_the_time_floor_is_remembered(box):
    estate = open_estate(box, Time())
    estate.store.commit_now(lambda db: keep_mark(db, TIME_FLOOR, NOW + 500))
    estate.store.close()
    assert opened(box).clock.floor == NOW + 500


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "f"
    write_durably(path, b"old")
    write_durably(path, b"new")
    assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


async def test_status_tells_what_is_in_force_and_why(bench):
    await bench.connect()
    await bench.reading("battery", 512)
    event = oadr_event("E1", start=NOW, signals=(dispatch("2000"),))
    await bench.tell(event, oadr_event("E2", start=NOW + 50))
    told = status(bench.core.memory, bench.estate.site, bench.estate.clock.now(), 7)
    assert [(one["event"], one["until"]) for one in told["in_force"]] == [("E1", "2027-01-15T09:00:00Z")]
    battery = told["devices"]["battery"]
    assert (battery["operation"], battery["watts"], battery["standing"]) == ("set_power", 2000, "commanded")
    assert (battery["soc_permille"], battery["last_seen"]) == (512, "2027-01-15T08:00:00Z")
    assert told["gateway"] == {"connected": True, "held": 1}
    assert [one["event"] for one in told["events"]] == ["E1", "E2"]


METER = b"""
[[device]]
name = "meter"
profile = "sunspec_meter_import_positive"
link = "simulator"
address = "tcp://127.0.0.1:1504"

[[utility]]"""


def test_the_doctor_says_that_site_limits_have_no_meter(tmp_path):
    """CSIP-AUS limits hold at the connection point: a utility that may limit is told of where nothing measures it."""
    metered = SITE_TEXT.replace(b"[[utility]]", METER, 1).replace(b"[site]", b'[site]\nmeter = "meter"', 1)
    unlimited = SITE_TEXT.replace(b'"set_power", "limit_inject", "limit_absorb"', b'"set_power"', 1)
    told = {}
    for name, text in (("bare", SITE_TEXT), ("metered", metered), ("unlimited", unlimited)):
        found = examine(make_bench(tmp_path / name, text).root)
        told[name] = [(one.bad, one.sentence[:5]) for one in found if one.reason == "site_meter_missing"]
    assert told == {"bare": [(False, "north")], "metered": [], "unlimited": []}
