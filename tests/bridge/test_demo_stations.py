"""The demo's milliseconds: of a command that a message brought about, and of no other."""

from types import SimpleNamespace

from bridge_world import NOW

from wattseal.bridge.core.outbound import Bundle
from wattseal.bridge.demo.stations import Stations
from wattseal.certs.keys import Algorithm, create_key
from wattseal.certs.statement import Header, Kind, seal


def said(tmp_path, name, parents=()):
    key = create_key(f"file:{tmp_path / name}.pem", Algorithm.ESP256)
    return seal(key, Header(Kind.REPORT, "s", name, NOW, parents=parents, contents=(bytes(32),)), b"\xa0")


class Watched:
    """A core's stations, a millisecond apart."""

    def __init__(self):
        self.stations = Stations()
        self.at = 0

    def pass_by(self, *names, **fields):
        for name in names:
            self.at += 1_000_000
            self.stations.watch(name, {"at": self.at, **fields})

    def ordered(self, command):
        run = SimpleNamespace()
        self.pass_by("sealed", "committed", "bundle", bundle=Bundle(run, (command,), (command,)))


def test_a_message_that_is_followed_at_once_has_its_way_told_once(tmp_path):
    watched, command = Watched(), said(tmp_path, "a")
    watched.pass_by("arrived", "taken", "consented")
    watched.ordered(command)
    watched.pass_by("receipt", statement=said(tmp_path, "b", (command.digest,)))
    assert watched.stations.line(command.digest).endswith("6.0 ms in all")
    assert watched.stations.line(command.digest) is None


def test_what_time_alone_brings_about_is_not_laid_to_the_last_message(tmp_path):
    """A control that was told ahead begins by itself: the message that told it was done long before."""
    watched, command = Watched(), said(tmp_path, "a")
    watched.pass_by("arrived", "taken", "consented")
    watched.pass_by("sealed", "committed", bundle=None)
    watched.ordered(command)
    watched.pass_by("receipt", statement=said(tmp_path, "b", (command.digest,)))
    assert watched.stations.line(command.digest) is None
