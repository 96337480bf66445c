"""The tree of addresses: who led to whom, what was read of each, and how often each is to be read. Keyed by address.

An address stays as long as something that was read leads to it. The interval is what the resource itself says, else
what the nearest above it says, else the profile's default for its kind. Changes touch only what they touch, so that a
thousand devices cost what one costs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wattseal.protocols.ieee2030_5.client.kinds import NATURES, Kind, Ours, links_of
from wattseal.protocols.ieee2030_5.client.poller import Poller
from wattseal.protocols.ieee2030_5.client.reading import Known


@dataclass(slots=True)
class Branch:
    """One address. `rates`: what each address that leads here has in force for it (pollRate, seconds)."""

    kind: Kind
    rates: dict[str, int | None] = field(default_factory=dict)
    leads_to: tuple[tuple[Kind, str], ...] = ()
    known: Known | None = None
    tried: bool = False

    @property
    def rate(self) -> int | None:
        """The pollRate in force, seconds; None: nobody said one."""
        own = self.known.poll_rate if self.known is not None else None
        if own is not None:
            return own
        return min((rate for rate in self.rates.values() if rate is not None), default=None)

    @property
    def interval_seconds(self) -> int:
        """How often it is read."""
        rate = self.rate
        return NATURES[self.kind].seconds if rate is None else rate


class Tree:
    """All addresses under DeviceCapability."""

    def __init__(self, dcap: str, ours: Ours, poller: Poller) -> None:
        self._dcap = dcap
        self._ours = ours
        self._poller = poller
        self._branches: dict[str, Branch] = {}
        self._by_kind: dict[Kind, dict[str, Branch]] = {kind: {} for kind in Kind}
        self._clocks: Counter[tuple[str, str]] = Counter()
        self._untried = 0

    @property
    def dcap(self) -> str:
        """Where it begins."""
        return self._dcap

    @property
    def settled(self) -> bool:
        """Whether everything that is led to was read, or refused, at least once."""
        return self._untried == 0 and self._dcap in self._branches

    def begin(self, now: float) -> None:
        """Watch the root."""
        self._add(self._dcap, Kind.DCAP, "", None, now)

    def branch(self, href: str) -> Branch | None:
        """What is known of an address; None: nothing leads there."""
        return self._branches.get(href)

    def known(self, href: str | None, kind: Kind) -> Known | None:
        """The last good reading of an address as a kind; None: not read."""
        branch = self._branches.get(href) if href is not None else None
        return branch.known if branch is not None and branch.kind is kind else None

    def above(self, href: str) -> tuple[str, ...]:
        """The addresses that lead to an address."""
        branch = self._branches.get(href)
        return () if branch is None else tuple(source for source in branch.rates if source)

    def of_kind(self, kind: Kind) -> Iterator[tuple[str, Branch]]:
        """All addresses of a kind."""
        return iter(self._by_kind[kind].items())

    @property
    def clocks(self) -> tuple[str, ...]:
        """The addresses of the clocks that assignments name, by the mRID of these. Asked at every answer."""
        return tuple(href for _, href in sorted(self._clocks))

    def in_reading_order(self) -> list[str]:
        """All addresses, the root first."""
        order = {kind: place for place, kind in enumerate(Kind)}
        return sorted(self._branches, key=lambda href: order[self._branches[href].kind])

    def tried(self, href: str) -> bool:
        """A question there had an end, good or bad; True if it was the first."""
        branch = self._branches.get(href)
        if branch is None or branch.tried:
            return False
        branch.tried = True
        self._untried -= 1
        return True

    def learn(self, href: str, known: Known, now: float) -> None:
        """Something new was read at an address: follow its links, forget what is no longer led to."""
        branch = self._branches.get(href)
        if branch is None:
            return
        self._clocks -= _clocks_in(branch)
        branch.known = known
        self._clocks += _clocks_in(branch)
        self._rewatch(href, branch, now)
        if branch.kind is Kind.DCAP:
            for other, devices in list(self.of_kind(Kind.END_DEVICES)):
                self._relink(other, devices, now)

    def _rewatch(self, href: str, branch: Branch, now: float) -> None:
        self._poller.watch(href, branch.interval_seconds, now)
        self._relink(href, branch, now)

    def _relink(self, href: str, branch: Branch, now: float) -> None:
        if branch.known is None:
            return
        before = branch.leads_to
        dcap = self.known(self._dcap, Kind.DCAP)
        links = links_of(
            branch.kind, branch.known.resource, branch.known.items, self._ours, dcap.resource if dcap else None
        )
        branch.leads_to = tuple(dict.fromkeys(links)) if branch.known.leaves else ()
        here = {target for _, target in branch.leads_to}
        self._leave(href, (target for _, target in before if target not in here))
        for kind, target in branch.leads_to:
            self._add(target, kind, href, branch.rate, now)

    def _add(self, href: str, kind: Kind, source: str, rate: int | None, now: float) -> None:
        branch = self._branches.get(href)
        if branch is None:
            branch = self._branches[href] = self._by_kind[kind][href] = Branch(kind)
            self._untried += 1
        elif branch.kind is not kind:
            return  # one address cannot be two things; who came first keeps it
        before = branch.rate
        branch.rates[source] = rate
        self._poller.watch(href, branch.interval_seconds, now)
        if branch.rate != before:
            for _, target in branch.leads_to:
                self._add(target, self._branches[target].kind, href, branch.rate, now)

    def _leave(self, source: str, targets: Iterable[str]) -> None:
        for target in targets:
            branch = self._branches.get(target)
            if branch is None:
                continue
            branch.rates.pop(source, None)
            if branch.rates:
                continue
            del self._branches[target], self._by_kind[branch.kind][target]
            self._clocks -= _clocks_in(branch)
            self._poller.drop(target)
            if not branch.tried:
                self._untried -= 1
            self._leave(target, (further for _, further in branch.leads_to))


def _clocks_in(branch: Branch) -> Counter[tuple[str, str]]:
    """The clocks that assignments name: mRID of the assignment, and address."""
    items = branch.known.items if branch.known is not None and branch.kind is Kind.ASSIGNMENTS else ()
    return Counter({(one.mrid, one.time_link.href): 1 for one in items if one.time_link is not None})
