"""A small 2030.5 server as a client sees it: surveys as values, and a hand that carries errands there and back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from ieee2030_5_schemas import schema_of
from lxml import etree

from wattseal.protocols.ieee2030_5.base import Link, ListLink
from wattseal.protocols.ieee2030_5.client.config import ClientConfig, DerType, Managed, Ratings, Role
from wattseal.protocols.ieee2030_5.client.duty import Duty, Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer
from wattseal.protocols.ieee2030_5.client.survey import ClockRead, DeviceRead, ProgramRead, Survey
from wattseal.protocols.ieee2030_5.codec import decode
from wattseal.protocols.ieee2030_5.core_resources import EndDevice, FunctionSetAssignments, Registration
from wattseal.protocols.ieee2030_5.der_control import DERProgram
from wattseal.protocols.ieee2030_5.der_status import DER
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018, CSIPAUS_1_3, Profile

PEN = 64_222
SEED = bytes(range(32))
NOW = 1_795_800_000
LFDI = bytes.fromhex("3E4F45AB31EDFE5B67E343E5E4562E31984E23E5")
SFDI = 167_261_211_391
OTHER_LFDI = bytes.fromhex("00112233445566778899AABBCCDDEEFF00112233")
AGGREGATOR_LFDI = bytes.fromhex("FFEEDDCCBBAA99887766554433221100FFEEDDCC")
LINKS = {"EndDeviceListLink": "/edev", "MirrorUsagePointListLink": "/mup"}
RATINGS = Ratings(
    inject_watts=32_768,
    absorb_watts=20_000,
    inject_vars=5_000,
    absorb_vars=4_000,
    volt_amperes=40_000,
    storage_watt_hours=100_000,
    volts=230,
    modes=frozenset({"opModEnergize", "opModConnect", "opModMaxLimW", "opModTargetW", "csipaus:opModExpLimW"}),
)


def managed(name: str = "battery", lfdi: bytes = LFDI, sfdi: int = SFDI, **more: Any) -> Managed:
    """A device of ours."""
    return Managed(name, lfdi, sfdi, **{"der_type": DerType.BATTERY, "ratings": RATINGS, **more})


def config(profile: Profile = CSIP_2018, **more: Any) -> ClientConfig:
    """A device under its own certificate, unless said otherwise."""
    fields = {"devices": (managed(),), "seed": SEED, "pen": PEN, "pin": 111_115, **more}
    return ClientConfig(profile, fields.pop("role", Role.DEVICE), fields.pop("lfdi", LFDI), SFDI, **fields)


def fleet(profile: Profile = CSIP_2018, **more: Any) -> ClientConfig:
    """An aggregator with two devices."""
    devices = (managed(), managed("charger", OTHER_LFDI, 1, der_type=DerType.EV_CHARGER))
    return config(profile, **{"role": Role.AGGREGATOR, "lfdi": AGGREGATOR_LFDI, "devices": devices, **more})


def der(number: int = 1) -> DER:
    """A DER with all four links."""
    at = f"/edev/{number}/der/1"
    return DER(
        href=at,
        der_availability_link=Link(href=f"{at}/dera"),
        der_capability_link=Link(href=f"{at}/dercap"),
        der_settings_link=Link(href=f"{at}/derg"),
        der_status_link=Link(href=f"{at}/ders"),
    )


def device_read(lfdi: bytes = LFDI, number: int = 1, **more: Any) -> DeviceRead:
    """An EndDevice with everything linked, and its Registration read."""
    at = f"/edev/{number}"
    fields = {
        "href": at,
        "lfdi": lfdi.hex().upper(),
        "sfdi": SFDI if lfdi == LFDI else 1,
        "configuration_link": Link(href=f"{at}/cfg"),
        "device_information_link": Link(href=f"{at}/di"),
        "power_status_link": Link(href=f"{at}/ps"),
        "log_event_list_link": ListLink(href=f"{at}/log"),
        "registration_link": Link(href=f"{at}/rg"),
        "connection_point_link": Link(href=f"{at}/cp"),
        "subscription_list_link": ListLink(href=f"{at}/sub"),
        "function_set_assignments_list_link": ListLink(href=f"{at}/fsa"),
        **more,
    }
    assignments = FunctionSetAssignments(mrid="0A", der_program_list_link=ListLink(href=f"{at}/fsa/1/derp"))
    return DeviceRead(
        lfdi,
        at,
        EndDevice(**fields),
        registration=Registration(date_time_registered=0, pin=111_115),
        ders=((f"{at}/der/1", der(number)),),
        assignments=(assignments,),
        programs=("0B",),
    )


def survey(*devices: DeviceRead, offset: int = 0, own: DeviceRead | None = None) -> Survey:
    """Everything read whole, with these EndDevices of ours."""
    program = DERProgram(
        mrid="0B",
        primacy=1,
        der_control_list_link=ListLink(href="/derp/1/derc"),
        default_der_control_link=Link(href="/derp/1/dderc"),
    )
    return Survey(
        links=LINKS,
        clock=ClockRead("/tm", offset, 7),
        own=own,
        devices={one.lfdi: one for one in devices},
        programs={"0B": ProgramRead(program)},
    )


def without(read: DeviceRead, **fields: Any) -> DeviceRead:
    """The same EndDevice with other fields."""
    return replace(read, end_device=msgspec.structs.replace(read.end_device, **fields))


def carry(
    duty: Duty, seen: Survey, now: int, answer: Callable[[Errand], Answer], rounds: int = 40
) -> tuple[list[Errand], list[Any]]:
    """Carry errands, one after the other, until none is due. Fails where a duty never has enough."""
    carried: list[Errand] = []
    happenings: list[Any] = []
    for _ in range(rounds):
        errands = duty.due(seen, now)
        if not errands:
            return carried, happenings
        carried.append(errands[0])
        happenings += duty.settled(errands[0], answer(errands[0]), now)
    raise AssertionError(f"still due after {rounds} rounds: {[one.key for one in carried]}")


def created(errand: Errand) -> Answer:
    """201 for a POST, with a Location made of the key; 204 for the rest."""
    if errand.request.method == "POST":
        return Answer(201, location=f"{errand.request.href}/{'-'.join(errand.key).replace('/', '_')}")
    return Answer(204)


def document(errand: Errand, profile: Profile = CSIPAUS_1_3) -> Any:
    """What an errand carries, read back by the codec."""
    return decode(errand.request.body, profile).resource


def xml(errand: Errand) -> etree._Element:
    """What an errand carries, as any XML reader sees it."""
    return etree.fromstring(errand.request.body)


def texts(errand: Errand, name: str) -> list[str]:
    """The texts of all elements with a local name."""
    return [str(one.text) for one in xml(errand).iter("{*}" + name)]


def assert_valid(errands: Sequence[Errand], profile: Profile) -> None:
    """Every document is valid by the schema that other people ship."""
    schema = schema_of(profile.name)
    for errand in errands:
        if errand.request.body:
            schema.assertValid(xml(errand))
