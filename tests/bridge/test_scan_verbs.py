"""`wattseal scan utility`: what is told of the servers that answered."""

from typer.testing import CliRunner

from wattseal.bridge.cli.main import app
from wattseal.protocols.ieee2030_5 import discovery
from wattseal.protocols.ieee2030_5.discovery import Found


def test_the_verb_tells_what_answered(monkeypatch):
    asked = []

    async def answered(sfdi, *, seconds, interfaces):
        asked.append((sfdi, seconds, interfaces))
        return (Found("meter-1", "https://192.0.2.7:8443/dcap", has_our_device=True),)

    monkeypatch.setattr(discovery, "discover", answered)
    arguments = ["scan", "utility", "--sfdi", "167261211391", "--seconds", "1", "--interface", "127.0.0.1"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0
    assert asked == [(167261211391, 1.0, ("127.0.0.1",))]
    assert "https://192.0.2.7:8443/dcap" in told.output


def test_nobody_answering_is_told_apart_from_a_wrong_call(monkeypatch):
    async def answered(sfdi, *, seconds, interfaces):
        assert (sfdi, seconds, interfaces) == (None, 3.0, ())
        return ()

    monkeypatch.setattr(discovery, "discover", answered)
    assert CliRunner().invoke(app, ["scan", "utility"]).exit_code == 1
    assert CliRunner().invoke(app, ["scan", "utility", "--seconds", "0"]).exit_code == 2
