"""One reading of one address, from the first question to the last page: redirects, pages, what did not change.

A document with the digest of the last reading's is not decoded again, which is what most polls bring. Sans-I/O: say
what to ask, feed the answer, get one of `Ask`, `Got`, `Failed`.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit

from wattseal.certs.errors import PeerError
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request, Silence
from wattseal.protocols.ieee2030_5.client.happenings import MessageRefused
from wattseal.protocols.ieee2030_5.client.hrefs import with_page
from wattseal.protocols.ieee2030_5.client.kinds import NATURES, Kind
from wattseal.protocols.ieee2030_5.client.paging import LIMIT, Paging, Verdict
from wattseal.protocols.ieee2030_5.client.reading import (
    Known,
    Leaf,
    digest_of,
    known_list,
    known_single,
    leaf_of,
    page_of,
    refused,
    unreadable,
)
from wattseal.protocols.ieee2030_5.client.redirects import STATUSES, Redirects, Trail
from wattseal.protocols.ieee2030_5.profiles import Profile

_GONE: Final = frozenset({404, 410})
_PAGE_KEYS: Final = frozenset({"s", "l", "a"})


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask this next."""

    request: Request


@dataclass(frozen=True, slots=True)
class Got:
    """Read whole. `changed`: something differs from the last reading; `fresh`: the documents that brought it."""

    known: Known
    changed: bool
    fresh: tuple[Leaf, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Not read; what was known stands. `refusals`: bytes that could not be taken.

    `answered`: the server is there (it said no, or nonsense). `final`: asking again at once would bring the same.
    `gone`: it says that there is nothing.
    """

    reason: str
    answered: bool
    final: bool
    gone: bool = False
    retry_after_seconds: int | None = None
    refusals: tuple[MessageRefused, ...] = ()


Outcome: TypeAlias = Ask | Got | Failed


@dataclass(frozen=True, slots=True)
class Terms:
    """What all readings share."""

    profile: Profile
    authority: str
    redirects: Redirects


class Fetch:
    """One reading of the address `href`; `before` is the last good one."""

    def __init__(self, terms: Terms, kind: Kind, href: str, before: Known | None) -> None:
        self.kind = kind
        self.href = href
        self._terms = terms
        self._before = before
        self._trail = terms.redirects.trail(href)
        self._paging: Paging[Any] | None = Paging() if NATURES[kind].item else None
        self._leaves: list[Leaf] = []
        self._remembered = {leaf.digest: leaf for leaf in before.leaves} if before is not None else {}

    def ask(self) -> Ask:
        """The question that is due."""
        place = self._trail.place
        if self._paging is not None:
            place = with_page(place, self._paging.start, LIMIT)
        return Ask(Request(Method.GET, place))

    def take(self, answer: Answer | Silence) -> Outcome:
        """What an answer makes of the reading."""
        if isinstance(answer, Silence):
            self._terms.redirects.failed(self._trail)
            oversized = answer.reason == "response_oversized"
            told = (refused(self.href, b"", answer.reason, "The answer is longer than is read."),) if oversized else ()
            return Failed(answer.reason, answered=oversized, final=oversized, refusals=told)
        if answer.status in STATUSES:
            return self._redirected(answer)
        if answer.good:
            self._terms.redirects.arrived(self._trail)
            return self._read(answer.body)
        moved = self._terms.redirects.failed(self._trail)
        reason = f"http_{answer.status}"
        if moved and len(self._trail.places) > 1 and answer.final:  # the remembered place is stale: the old one again
            self._trail = Trail((self.href,))
            return self.ask()
        gone = answer.status in _GONE
        answered = answer.status < 500  # noqa: PLR2004 - the class of the server's own failures
        return Failed(reason, answered, answer.final, gone, answer.retry_after_seconds)

    def _redirected(self, answer: Answer) -> Outcome:
        followed = self._terms.redirects.follow(self._trail, _unpaged(answer) if self._paging is not None else answer)
        if isinstance(followed, Trail):
            self._trail = followed
            return self.ask()
        self._terms.redirects.failed(self._trail)
        sentence = f"The redirect to {answer.location[:200]!r} is not followed."
        told = refused(self.href, answer.body, followed, sentence)
        return Failed(followed, answered=True, final=True, refusals=(told,))

    def _read(self, body: bytes) -> Outcome:
        digest = digest_of(body)
        leaf = self._remembered.get(digest)
        if leaf is None:
            try:
                leaf = leaf_of(self.kind, self.href, body, self._terms.profile, self._terms.authority)
            except PeerError as error:
                told = unreadable(error, self.href, body)
                return Failed(error.reason, answered=True, final=True, refusals=(told,))
        if self._paging is None:
            self._leaves.append(leaf)
            return self._got(known_single(self.kind, leaf))
        return self._paged(self._paging, leaf, body)

    def _paged(self, paging: Paging[Any], leaf: Leaf, body: bytes) -> Outcome:
        start = paging.start
        verdict = paging.take(page_of(self.kind, leaf))
        if verdict is Verdict.BROKEN:
            sentence = f"The list cannot be read whole ({paging.reason}); what was known of it stands."
            told = refused(self.href, body, paging.reason, sentence)
            return Failed(paging.reason, answered=True, final=True, refusals=(told,))
        if verdict is Verdict.MORE and paging.start <= start:
            self._leaves.clear()  # the list starts again
            return self.ask()
        self._leaves.append(leaf)
        if verdict is Verdict.MORE:
            return self.ask()
        leaves = tuple(self._leaves)
        return self._got(known_list(self.kind, leaves, paging.items, self._before), tuple(paging.duplicates))

    def _got(self, known: Known, duplicates: tuple[str, ...] = ()) -> Got:
        before = self._before
        if before is not None and not before.absent and before.digests == known.digests:
            return Got(before, changed=False)
        fresh = tuple(leaf for leaf in known.leaves if leaf.digest not in self._remembered)
        told = [one for leaf in fresh for one in leaf.refusals]
        if duplicates:
            sentence = f"{', '.join(duplicates[:4])}: listed more than once; the first counts."
            told.append(refused(self.href, known.leaves[0].raw, "listed_twice", sentence))
        return Got(Known(known.kind, known.leaves, known.items, known.left_out, refusals=tuple(told)), True, fresh)


def _unpaged(answer: Answer) -> Answer:
    """A redirect of a page, as a redirect of the list; one that is no address stays as it is, and is not followed."""
    try:
        parts = urlsplit(answer.location)
    except ValueError:
        return answer
    query = urlencode([pair for pair in parse_qsl(parts.query) if pair[0] not in _PAGE_KEYS])
    return Answer(answer.status, answer.body, location=parts._replace(query=query).geturl())
