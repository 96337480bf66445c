"""BASIC-001 to 003 of the CSIP procedures: who the box says that it is, and the groups of a topology.

Expectations are those of the CSIP Conformance Test Procedures 1.3 and of IEEE 2030.5's identities: LFDI, the first 20
octets of the SHA-256 of the certificate; SFDI, its first 36 bits and a digit that makes the sum of digits 0 modulo 10;
the labs' PIN 111115.
"""

import hashlib
import ssl

import pytest
from csip_lab_events import LAST, LEAD, PROMPT, heard, limits, max_lim, whole
from csip_lab_world import PIN, POLL, CsipLab

from wattseal.protocols.ieee2030_5.core_resources import EndDevice

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
DEVICE = pytest.mark.parametrize("shared_lab", ["device"], indirect=True)

LEVELS = ("system", "sub-transmission", "substation", "feeder", "segment", "transformer", "service point")


async def test_basic_001_identity(lab: CsipLab) -> None:
    """LFDI, SFDI and PIN as they follow from the certificate that was shown; an aggregator's devices have their own."""
    pem = (lab.box.root / "tls" / "box.pem").read_text()
    leaf = pem[pem.index("-----BEGIN") : pem.index("-----END CERTIFICATE-----") + 25] + "\n"
    own = hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).hexdigest()[:40].upper()
    assert {one.lfdi for one in await lab.requests()} == {own}, "to the server it is who its certificate says"
    posted = [one.resource for one in lab.messages("POST /edev")]
    made = {one.lfdi.upper(): one.sfdi for one in posted if isinstance(one, EndDevice)}
    if len(lab.devices) == 1:
        assert set(made) == {own}
    assert len(made) == len(lab.devices)
    for lfdi, sfdi in made.items():
        assert sfdi // 10 == int(lfdi[:9], 16)
        assert sum(int(digit) for digit in str(sfdi)) % 10 == 0
    sent = [one for one in lab.messages("GET /edev/", direction="sent") if one.about.endswith("/rg")]
    assert len({one.about for one in sent}) == len(lab.devices), "the PIN of each is read"
    assert {str(one.resource.pin) for one in sent} == {PIN}
    assert set((await lab.running.status())["utilities"]["north"]["devices"].values()) == {"registered"}


@DEVICE
async def test_basic_002_groups_of_seven_levels(lab: CsipLab) -> None:
    """A programme at each level, the nearer the device the lower its primacy number: its default holds; an event of
    the outermost level comes before every default, and one of the service point before it.
    """
    name = lab.device.name
    programmes = [
        await lab.add_programme(primacy=70 - 10 * place, description=level) for place, level in enumerate(LEVELS)
    ]
    for place, programme in enumerate(programmes):
        await lab.set_default(programme, max_lim(9000 - 1000 * place))
    mark = await lab.count()
    posted, begin = lab.now, lab.now + LEAD
    outer = await lab.add_control(programmes[0], max_lim(9500), start_in=LEAD, duration=LAST)
    await lab.advance(2 * POLL)
    await limits(lab, {name: 3000})
    read = {one.path for one in await lab.requests(mark, method="GET", route="derp/#/derc")}
    assert read == {f"/derp/{one.serial}/derc" for one in programmes}
    inner = await lab.add_control(programmes[-1], max_lim(1500), start_in=int(begin - lab.now) + POLL, duration=LAST)
    await lab.advance_to(begin + PROMPT)
    await limits(lab, {name: 9500})
    await lab.advance_to(begin + POLL + PROMPT)
    await limits(lab, {name: 1500})
    await lab.advance_to(begin + POLL + LAST + PROMPT)
    await limits(lab, {name: 3000})
    await heard(lab, outer, posted, {name: ((1, None), (2, begin), (14, begin + POLL))})
    assert await lab.statuses(inner) == [1, 2, 3]


@DEVICE
async def test_basic_003_the_topology_is_changed_in_mid_test(lab: CsipLab) -> None:
    """The device is switched from one feeder to another: what holds on the new one is followed, and answered; what is
    posted on the old one is none of its business any more.
    """
    name = lab.device.name
    system = await lab.add_programme(primacy=60)
    old = await lab.add_programme(primacy=30)
    (new_group,) = [(await lab.admin.ask("add_group", members=[]))["serial"]]
    new = await lab.add_programme(primacy=30, group=new_group)
    for programme, limit in ((system, 9000), (old, 7000), (new, 5000)):
        await lab.set_default(programme, max_lim(limit))
    await lab.advance(2 * POLL + PROMPT)
    await limits(lab, {name: 7000})
    await lab.admin.ask("move_device", device=lab.lfdis[name], to=new_group, out_of=old.group)
    await lab.advance(2 * POLL + PROMPT)
    await limits(lab, {name: 5000})
    mark = await lab.count()
    posted, begin = lab.now, lab.now + LEAD
    strange = await lab.add_control(old, max_lim(1000), start_in=LEAD, duration=LAST)
    mine = await lab.add_control(new, max_lim(2000), start_in=LEAD, duration=LAST)
    await lab.advance_to(begin + PROMPT)
    await limits(lab, {name: 2000})
    await lab.advance_to(begin + LAST + PROMPT)
    await limits(lab, {name: 5000})
    await heard(lab, mine, posted, {name: whole(begin)})
    await heard(lab, strange, posted, {})
    asked = {one.path for one in await lab.requests(mark, method="GET")}
    assert not any(path.startswith(f"/derp/{old.serial}/") for path in asked), "the old programme is left alone"
