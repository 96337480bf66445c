"""The core: a request, who asks and the time go in; the next world and an answer come out. No sockets, no clock.

In this order: host (400), method known (501), what the client accepts (406), address and guard (404), verb (405), then
the query, or the body: its type (415), its size (413), what it says (400, with an Error). What nobody may see is not
told apart from what does not exist.
"""

import json
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

import msgspec

from wattseal.certs.errors import MisuseError, PeerError
from wattseal.protocols.ieee2030_5.base import Error
from wattseal.protocols.ieee2030_5.codec import Limits, decode, encode
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3, MEDIA_TYPE, Profile
from wattseal.protocols.ieee2030_5.server.config import ServerConfig
from wattseal.protocols.ieee2030_5.server.hrefs import Hrefs
from wattseal.protocols.ieee2030_5.server.notifying import settle
from wattseal.protocols.ieee2030_5.server.paging import page_of, query_of
from wattseal.protocols.ieee2030_5.server.rows import Row, Table, Write, pattern_of
from wattseal.protocols.ieee2030_5.server.state import World
from wattseal.protocols.ieee2030_5.server.subscribing import SUBSCRIPTIONS
from wattseal.protocols.ieee2030_5.server.tailoring import tailored
from wattseal.protocols.ieee2030_5.server.turn import Answer, Listing, Outcome, Request, Turn
from wattseal.protocols.ieee2030_5.server.views import VIEWS
from wattseal.protocols.ieee2030_5.vocabulary import ErrorReason

ROUTES: Final[Table] = {**VIEWS, **SUBSCRIPTIONS}
METHODS: Final = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"})
WELL_KNOWN: Final = "/.well-known/csipaus"
_UNSEEN: Final = frozenset({"responses", "serial"})
_READ: Final = frozenset({"", MEDIA_TYPE, "application/xml", "text/xml"})
_ACCEPTED: Final = frozenset({MEDIA_TYPE, "application/xml", "text/xml", "application/*", "*/*"})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in bytes. `route` is the pattern of the path, empty where none is known."""

    status: int
    body: bytes = b""
    media_type: str = MEDIA_TYPE
    headers: tuple[tuple[str, str], ...] = ()
    route: str = ""


def respond(
    world: World, config: ServerConfig, hrefs: Hrefs, request: Request, caller: str, now: int
) -> tuple[World, Reply]:
    """What a request of `caller` (the LFDI of its TLS certificate, upper case) does at `now` (unix seconds, wall).

    A world that changed has the notices in it that follow.
    """
    turn = Turn(world, config, hrefs, caller, now, hrefs.read(request.path) or "", request)
    outcome = _outcome(turn)
    if outcome.world is not world and may_show(world, outcome.world):
        outcome = replace(outcome, world=settle(turn.after(outcome.world)))
    pattern, _ = pattern_of(turn.path)
    return outcome.world, _reply(turn, outcome.answer, pattern if pattern in ROUTES else "")


def may_show(before: World, after: World) -> bool:
    """Whether a subscriber can see the difference. Responses stand in no list: a fleet posts thousands at a time."""
    names = (name for name in World.__struct_fields__ if name not in _UNSEEN)
    return any(getattr(before, name) is not getattr(after, name) for name in names)


def tick(world: World, config: ServerConfig, hrefs: Hrefs, now: int) -> World:
    """The world after time has passed: what subscribers are to be told of it is in the outbox."""
    return settle(Turn(world, config, hrefs, "", now)) if world.subscribers else world


def _outcome(turn: Turn) -> Outcome:
    request = turn.request
    if request.host is None:
        return turn.refuse(HTTPStatus.BAD_REQUEST)
    if request.method not in METHODS:
        return turn.refuse(HTTPStatus.NOT_IMPLEMENTED)
    if request.path == WELL_KNOWN and turn.config.profile.name == CSIPAUS_1_3.name:
        return _versions(turn)
    if not _accepts(turn.config.profile, request.accept):
        return turn.refuse(HTTPStatus.NOT_ACCEPTABLE)
    pattern, ids = pattern_of(turn.path)
    row = ROUTES.get(pattern)
    found = None if row is None else row.guard(turn, ids)
    if row is None or found is None:
        return turn.refuse(HTTPStatus.NOT_FOUND)
    if request.method not in row.verbs:
        return Outcome(Answer(HTTPStatus.METHOD_NOT_ALLOWED, allow=row.verbs), turn.world)
    if request.method in {"GET", "HEAD"}:
        return _read(turn, row, found)
    if request.method == "DELETE" and row.delete is not None:
        return row.delete(turn, found)
    return _written(turn, row.writes[request.method], found)


def _read(turn: Turn, row: Row[object], found: object) -> Outcome:
    view = None if row.get is None else row.get(turn, found)
    if view is None:
        return turn.refuse(HTTPStatus.NOT_FOUND)
    if not isinstance(view, Listing):
        return Outcome(Answer(HTTPStatus.OK, view), turn.world)
    try:
        query = query_of(turn.request.query)
    except PeerError:
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_VALUES)
    href = turn.hrefs.write(turn.path)
    poll = turn.poll_seconds(view.poll)
    page = page_of(view, query, href, turn.config.profile, poll, turn.config.page_most)
    return Outcome(Answer(HTTPStatus.OK, page), turn.world)


def _written(turn: Turn, write: Write[object], found: object) -> Outcome:
    request = turn.request
    if request.media_type not in _READ:
        return turn.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if len(request.body) > turn.config.body_bytes:
        return turn.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    profile = turn.config.profile
    try:
        document = decode(request.body, profile, limits=Limits(max_bytes=turn.config.body_bytes))
        if not isinstance(document.resource, write.kinds) or (document.notes and turn.config.strict_bodies):
            return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_FORMAT)
        if write.returned:
            encode(tailored(document.resource, profile), profile)
    except (PeerError, MisuseError):
        return turn.refuse(HTTPStatus.BAD_REQUEST, ErrorReason.INVALID_FORMAT)
    return write.do(replace(turn, document=document.resource), found)


def _versions(turn: Turn) -> Outcome:
    """Which versions of the CSIP-AUS schema are spoken, and from where each is entered."""
    if turn.request.method not in {"GET", "HEAD"}:
        return Outcome(Answer(HTTPStatus.METHOD_NOT_ALLOWED, allow=("GET", "HEAD")), turn.world)
    spoken = {turn.config.profile.aus_namespace: {"dcap": [turn.config.dcap_path]}}
    document = json.dumps({"supportedSchemaVersions": spoken}).encode()
    return Outcome(Answer(HTTPStatus.OK, document=("application/json", document)), turn.world)


def _accepts(profile: Profile, accept: str) -> bool:
    """Whether a client takes what this profile writes; a profile that marks its Accept header wants just that."""
    ranges = [[part.strip() for part in one.lower().split(";")] for one in accept.split(",")]
    if profile.name == CSIPAUS_1_3.name:
        return any(one[0] == MEDIA_TYPE and "csipaus=1.3" in one[1:] for one in ranges)
    return not accept.strip() or any(one[0] in _ACCEPTED for one in ranges)


def _reply(turn: Turn, answer: Answer, route: str) -> Reply:
    headers: list[tuple[str, str]] = []
    if answer.location is not None:
        headers.append(("Location", turn.hrefs.write(answer.location)))
    if answer.allow:
        headers.append(("Allow", ", ".join(answer.allow)))
    if answer.document is not None:
        return Reply(answer.status, answer.document[1], answer.document[0], tuple(headers), route)
    body = b"" if answer.resource is None else _encoded(answer.resource, turn.config.profile)
    return Reply(answer.status, body, media_type_of(turn.config.profile), tuple(headers), route)


def media_type_of(profile: Profile) -> str:
    """What Content-Type says."""
    return profile.accept if profile.name == CSIPAUS_1_3.name else MEDIA_TYPE


def _encoded(resource: msgspec.Struct, profile: Profile) -> bytes:
    return encode(resource if isinstance(resource, Error) else tailored(resource, profile), profile)
