"""Which readings go to the duties of a 2030.5 client: each one once, however late it reaches the journal."""

from pathlib import Path

from server_line_world import SERVER_SITE, LineWorld

from wattseal.bridge import journal
from wattseal.bridge.core.readings_told import ReadingsTold
from wattseal.bridge.core.server_config import client_config
from wattseal.bridge.journal import Sample
from wattseal.protocols.ieee2030_5.profiles import CSIP_2018


class Told:
    """A journal, and what is handed in from it."""

    def __init__(self, directory: Path) -> None:
        world = LineWorld(directory, SERVER_SITE)
        estate = world.bench.estate
        utility = estate.site.utilities[0]
        config = client_config(estate.site, utility, lfdi="5A" * 20, seed="seed", profile=CSIP_2018, dcap="/dcap")
        self.store, self.told = estate.store, ReadingsTold(config, estate.site)

    def keep(self, *seconds: int) -> None:
        """Readings of these times reach the journal."""
        samples = [Sample("battery", "watts", at * 1000, at, 0, "good", at.to_bytes(32)) for at in seconds]
        self.store.commit_now(lambda db: journal.keep_samples(db, samples))

    def newly(self, now: int) -> list[int]:
        return [one.at for one in self.store.read_now(lambda db: self.told.newly(db, now_ms=now * 1000))]


def test_a_reading_that_arrives_after_a_look_is_handed_in_at_the_next(tmp_path):
    """A reading carries the time at which it was read, and is in the journal a little later."""
    told = Told(tmp_path)
    assert told.newly(1000) == []
    told.keep(1000)
    assert told.newly(1010) == [1000]
    assert told.newly(1020) == []
    told.keep(1010, 1020)
    assert told.newly(1020) == [1010, 1020]
    assert told.newly(1030) == []


def test_after_a_step_back_of_the_clock_what_is_read_from_then_on_is_new(tmp_path):
    told = Told(tmp_path)
    told.keep(5000)
    assert told.newly(5000) == [5000]
    assert told.newly(1000) == []
    told.keep(1010)
    assert told.newly(1010) == [1010]


def test_after_a_start_what_was_read_within_five_minutes_is_news(tmp_path):
    told = Told(tmp_path)
    told.keep(600, 710, 1000)
    assert told.newly(1000) == [710, 1000]
