"""Everything that is read: what to ask next, and what an answer adds to the tree. One question per address at a time.

Joins poller, fetching, tree, redirects, contact and the server's clock; knows no event, no device and no duty.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from wattseal.certs.clock import Instant
from wattseal.protocols.ieee2030_5.client.clock import ServerClock, anchor_of
from wattseal.protocols.ieee2030_5.client.config import ClientConfig
from wattseal.protocols.ieee2030_5.client.contact import Contact
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Request, Silence
from wattseal.protocols.ieee2030_5.client.fetching import Ask, Failed, Fetch, Got, Terms
from wattseal.protocols.ieee2030_5.client.happenings import Heard, MessageRefused
from wattseal.protocols.ieee2030_5.client.hrefs import resolve
from wattseal.protocols.ieee2030_5.client.kinds import NATURES, Kind, Ours
from wattseal.protocols.ieee2030_5.client.poller import Poller
from wattseal.protocols.ieee2030_5.client.reading import Known
from wattseal.protocols.ieee2030_5.client.redirects import Redirects
from wattseal.protocols.ieee2030_5.client.sets.reading import Asked
from wattseal.protocols.ieee2030_5.client.survey import ClockRead
from wattseal.protocols.ieee2030_5.client.surveying import Surveyed, clocks_of, survey_of
from wattseal.protocols.ieee2030_5.client.tree import Tree

_OF_DEVICES = frozenset({Kind.REGISTRATION, Kind.ASSIGNMENTS, Kind.DERS})
HEARD_MOST = 64


@dataclass(frozen=True, slots=True)
class Reading:
    """A question at an address, and when it was asked (monotonic seconds)."""

    href: str
    request: Request
    asked: float


class Reader:
    """What is read of one server. `changed` until `survey` is asked for: something differs from the last survey.

    `urgent`: not only in what a fleet's devices show of themselves, which comes device by device.
    """

    def __init__(self, config: ClientConfig, redirects: Redirects) -> None:
        self.contact = Contact()
        self.changed = self.urgent = False
        self._ours = Ours(
            frozenset(device.lfdi.hex().upper() for device in config.devices), config.lfdi.hex().upper(), config.sfdi
        )
        self._terms = Terms(config.profile, config.authority, redirects)
        self._poller = Poller()
        self.tree = Tree(resolve("/", config.dcap, config.authority) or "/dcap", self._ours, self._poller)
        self._clock = ServerClock()
        self._fetches: dict[str, Fetch] = {}
        self._onward: deque[str] = deque()
        self._heard: list[Heard] = []

    def begin(self, now: Instant) -> None:
        """Start at the root."""
        self.tree.begin(now.monotonic)

    def next(self, now: Instant, held: Callable[[str], bool]) -> Reading | None:
        """The next question, None where none is due. `held`: what a living subscription tells of."""
        while self._onward:
            onward = self._onward.popleft()
            if onward in self._fetches:
                return Reading(onward, self._fetches[onward].ask().request, now.monotonic)
        href = self._probe(now) if self.contact.lost else self._poller.next(now.monotonic, held)
        branch = None if href is None else self.tree.branch(href)
        if href is None or branch is None:
            return None
        fetch = self._fetches[href] = Fetch(self._terms, branch.kind, href, branch.known)
        return Reading(href, fetch.ask().request, now.monotonic)

    def wake_at(self, now: Instant) -> float | None:
        """When `next` has something, monotonic seconds."""
        if self._onward:
            return now.monotonic
        if self.contact.lost:
            return None if self.tree.dcap in self._fetches else self.contact.probe_at
        return self._poller.wake_at()

    def received(self, now: Instant, reading: Reading, answer: Answer | Silence) -> tuple[MessageRefused, ...]:
        """Take an answer; gives what could not be taken of it."""
        href = reading.href
        fetch = self._fetches.get(href)
        if fetch is None:
            return ()
        outcome = fetch.take(answer)
        if isinstance(outcome, Ask):
            self._onward.append(href)
            return ()
        del self._fetches[href]
        if self.tree.branch(href) is None:  # nothing leads there any more
            return ()
        if self.tree.tried(href):
            self.changed = self.urgent = True
        if isinstance(outcome, Failed):
            self._failed(now, href, fetch.kind, outcome)
            return outcome.refusals
        self._poller.answered(href, now.monotonic)
        self._got(now, reading, outcome)
        return outcome.known.refusals if outcome.changed else ()

    def take(self, now: Instant, href: str, known: Known) -> None:
        """Something was pushed: as if it had been read."""
        self.tree.learn(href, known, now.monotonic)
        self._hear(href, known.kind, (known.leaves[0].raw,), pushed=True)
        self.changed = self.urgent = True

    def hurry(self, now: Instant, href: str) -> None:
        """Something may have changed there."""
        self._poller.hurry(href, now.monotonic)

    def hurry_above(self, now: Instant, href: str) -> None:
        """The same for the resources that lead there."""
        for source in self.tree.above(href):
            self._poller.hurry(source, now.monotonic)

    def unasked(self, now: Instant, reading: Reading) -> None:
        """The question was never answered because the loop ended: it is due again."""
        self._fetches.pop(reading.href, None)
        self._poller.unasked(reading.href, now.monotonic)
        if self.contact.lost and reading.href == self.tree.dcap:
            self.contact.failed(now.monotonic, dcap=True)

    def back(self, now: Instant) -> None:
        """The server answers again: everything is read once, spread."""
        self._poller.spread(now.monotonic, self.tree.in_reading_order()[1:])

    def clock(self, now: Instant) -> ClockRead | None:
        """The server's clock, None while none was read."""
        return self._clock.read(clocks_of(self.tree), now)

    @property
    def has_clock(self) -> bool:
        """Whether the server names a clock."""
        return any(True for _ in self.tree.of_kind(Kind.TIME))

    def survey(self, now: Instant, asked: Asked) -> Surveyed:
        """What was read so far; what changes from now on is news. `asked`: which flow reservations are ours."""
        self.changed = self.urgent = False
        return survey_of(self.tree, self._ours, self.clock(now), asked)

    def heard(self) -> tuple[Heard, ...]:
        """The messages that brought something new since this was last asked, the latest of them."""
        found, self._heard = tuple(self._heard), []
        return found

    def _probe(self, now: Instant) -> str | None:
        at, dcap = self.contact.probe_at, self.tree.dcap
        if at is None or at > now.monotonic or dcap in self._fetches:
            return None
        self.contact.probing()
        return dcap

    def _got(self, now: Instant, reading: Reading, outcome: Got) -> None:
        href, known = reading.href, outcome.known
        if known.kind is Kind.TIME:
            anchor = anchor_of(href, known.resource, reading.asked, now.monotonic)
            if anchor is not None:
                self._clock.heard(anchor)
        if not outcome.changed:
            return
        self.tree.learn(href, known, now.monotonic)
        if known.kind is not Kind.TIME:
            self.changed = True
            self.urgent |= known.kind is not Kind.DERS
            self._hear(href, known.kind, tuple(leaf.raw for leaf in outcome.fresh))

    def _failed(self, now: Instant, href: str, kind: Kind, outcome: Failed) -> None:
        if outcome.final:
            self._poller.answered(href, now.monotonic)
        else:
            self._poller.failed(href, now.monotonic, outcome.retry_after_seconds)
        branch = self.tree.branch(href)
        if not outcome.gone or branch is None:
            return
        if kind is Kind.DEFAULT and (branch.known is None or not branch.known.absent):
            self.tree.learn(href, Known(kind, absent=True), now.monotonic)
            self.changed = self.urgent = True
        if kind in _OF_DEVICES:  # perhaps its device was deleted
            for devices, _ in self.tree.of_kind(Kind.END_DEVICES):
                self._poller.hurry(devices, now.monotonic)

    def _hear(self, href: str, kind: Kind, raws: tuple[bytes, ...], *, pushed: bool = False) -> None:
        if NATURES[kind].heard:
            self._heard = [*self._heard, *(Heard(href, raw, pushed) for raw in raws)][-HEARD_MOST:]
