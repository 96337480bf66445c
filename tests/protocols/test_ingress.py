"""Ingress and report as bodies of statements: there and back, and every other layout refused."""

import contextlib
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattseal.certs import cbor
from wattseal.certs.errors import PeerError
from wattseal.protocols.ingress import CARRIED, UNSIGNED, Ingress, IngressError, Report

WHOLE = st.integers(-(2**40), 2**40)
TEXT = st.text(max_size=12)
ROWS = st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=3).map(tuple)
INGRESS = st.builds(Ingress, TEXT, TEXT, TEXT, TEXT, WHOLE, WHOLE, TEXT, TEXT, TEXT, ROWS, TEXT)
REPORT = st.builds(Report, TEXT, TEXT, TEXT, WHOLE, WHOLE, TEXT, TEXT)
WRONG = st.sampled_from([None, -1, "x", b"x", (), ("a",), (("a", "b"),), (("a", "b", 1),), {1: 1}, True])


@given(INGRESS | REPORT)
@settings(max_examples=120, deadline=None)
def test_there_and_back(body):
    encoded = body.encode()
    assert type(body).decode(encoded) == body
    for field in fields(body):
        value = getattr(body, field.name)
        other = (*value, ("x", "y", "z")) if isinstance(value, tuple) else value + type(value)(1)
        assert replace(body, **{field.name: other}).encode() != encoded, field.name


@given(INGRESS | REPORT, st.integers(1, 12), WRONG)
@settings(max_examples=200, deadline=None)
def test_a_field_of_another_kind(body, key, value):
    changed = dict(cbor.decode(body.encode()))
    changed[key] = value
    encoded = cbor.encode(changed)
    with contextlib.suppress(PeerError):
        assert type(body).decode(encoded).encode() == encoded


@pytest.mark.parametrize("kind", [Ingress, Report])
@pytest.mark.parametrize("data", [b"", b"\xa0", b"\x80", b"\xff", cbor.encode({1: "a"})])
def test_layouts_that_are_refused(kind, data):
    with pytest.raises(PeerError):
        kind.decode(data)


def test_a_report_is_no_ingress():
    with pytest.raises(IngressError):
        Ingress.decode(Report("a", "b", "c", 1, 2, "200", "trusted").encode())


def test_what_is_not_said_is_unsigned_and_carried():
    """No signature of the utility is claimed unless one was verified over these bytes."""
    body = Ingress("openadr-2.0b", "north", "127.0.0.1", "application/xml", 10, 1, "trusted")
    assert (body.upstream_signature, body.verdict, body.refused) == (UNSIGNED, CARRIED, ())
    assert Ingress.decode(body.encode()).upstream_signature == "none"
