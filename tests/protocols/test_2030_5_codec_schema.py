"""The model against the schemas of other people: every type, every field, every profile.

Oracle: the XSDs of IEEE 2030.5-2018 and 2023 and of CSIP-AUS 1.2 and 1.3 as lxml reads them.
"""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ieee2030_5_schemas import EDITIONS, schema_document, schema_of
from ieee2030_5_values import full, values, written_fields
from lxml import etree

from wattseal.certs.errors import MisuseError
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.profiles import PROFILES, Profile
from wattseal.protocols.ieee2030_5.resources import RESOURCE_TYPES

XS = "{http://www.w3.org/2001/XMLSchema}"

# Function sets that the product does not have: the network below IP addresses, billing, prepayment, software download.
NOT_MODELLED = (
    ("IP", "LL", "Neighbor", "RPL"),
    ("Billing", "Customer", "HistoricalReading", "ProjectionReading", "TargetReading", "ServiceSupplier"),
    ("AccountBalance", "CreditRegister", "Prepay", "SupplyInterruption"),
    ("File",),
)


def kinds_of(profile: Profile) -> list[type[msgspec.Struct]]:
    return [kind for kind in RESOURCE_TYPES if not getattr(kind, "OF", "") or kind.OF in profile.speaks]


CASES = [(profile, kind) for profile in PROFILES.values() for kind in kinds_of(profile)]


def case_name(value: Any) -> str:
    return value.name if isinstance(value, Profile) else value.__name__


@pytest.mark.parametrize(("profile", "kind"), CASES, ids=case_name)
def test_every_field_of_every_resource_is_written_as_the_schema_wants_it(
    profile: Profile, kind: type[msgspec.Struct]
) -> None:
    """Every field filled: names, order, cardinality and types agree with the schema, and all of it is read again."""
    value = full(kind, profile)
    written = encode(value, profile)
    document = decode(written, profile)
    assert document.resource == value
    assert document.notes == ()
    assert document.left_out == ()
    schema_of(profile.name).assertValid(etree.fromstring(written))
    assert document.schema_version == profile.schema_version


@pytest.mark.parametrize("profile", PROFILES.values(), ids=case_name)
def test_any_resource_survives_the_wire(profile: Profile) -> None:
    """What is written is valid by the schema of the profile, and is the same value when read, without a note."""
    schema = schema_of(profile.name)
    kinds = st.sampled_from(kinds_of(profile))

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(kinds.flatmap(lambda kind: values(kind, profile)))
    def survives(value: msgspec.Struct) -> None:
        written = encode(value, profile)
        schema.assertValid(etree.fromstring(written))
        document = decode(written, profile)
        assert document.resource == value
        assert document.notes == ()
        assert document.left_out == ()

    survives()


def content_of(types: dict[str, etree._Element], name: str) -> tuple[list[str], set[str]]:
    """Elements in order and attributes of a complex type, those it inherits first."""
    one = types[name]
    extension = one.find(f".//{XS}extension")
    base = extension.get("base") if extension is not None else None
    elements, attributes = content_of(types, base) if base in types else ([], set())
    own = [(each.get("name") or each.get("ref"), each.get("type")) for each in one.iter(f"{XS}element")]
    elements = elements + [name for name, kind in own if kind != "Revision2_3Type"]
    return elements, attributes | {each.get("name") for each in one.iter(f"{XS}attribute")}


def test_no_resource_is_forgotten() -> None:
    """Every global element of the 2023 schema is modelled, but for the function sets named here (2018 has no other)."""
    modelled = {kind.__name__ for kind in RESOURCE_TYPES}
    away = tuple(prefix for group in NOT_MODELLED for prefix in group)
    roots = {str(one.get("name")) for one in schema_document("csip-2023").getroot().findall(f"{XS}element")}
    assert len(roots) > 100
    assert {name for name in roots - modelled if not name.startswith(away)} == set()


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_field_of_an_edition_has_its_place(edition: str) -> None:
    """The elements and attributes that a full value has are all that the schema's type has, in its order."""
    root = schema_document(edition).getroot()
    types = {one.get("name"): one for one in root.findall(f"{XS}complexType")}
    profile = PROFILES[edition]
    for kind in kinds_of(profile):
        written = etree.fromstring(encode(full(kind, profile), profile))
        elements, attributes = content_of(types, kind.__name__)
        present = list(dict.fromkeys(etree.QName(child).localname for child in written))
        assert present == elements, kind.__name__
        assert {str(name) for name in written.attrib} - {"schemaVer"} == attributes - {None}, kind.__name__


def test_a_profile_writes_nothing_that_it_does_not_speak() -> None:
    """A 2023 or CSIP-AUS value is refused by the 2018 profile instead of losing what it says."""
    plain = PROFILES["csip-2018"]
    speaking = [(profile, kind) for profile, kind in CASES if profile.speaks]
    more = [
        full(kind, profile)
        for profile, kind in speaking
        if written_fields(kind, profile) != written_fields(kind, plain)
    ]
    assert len(more) > 20
    for value in more:
        with pytest.raises(MisuseError, match="belongs to") as refusal:
            encode(value, plain)
        assert refusal.value.reason == "unencodable_message"
    for kind in set(kinds_of(PROFILES["csip-2023"])) - set(kinds_of(plain)):
        with pytest.raises(MisuseError, match="which csip-2018 does not speak"):
            encode(full(kind, PROFILES["csip-2023"]), plain)
