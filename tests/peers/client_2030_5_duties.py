"""A duty as tests need it: what it owes, forbids and finds out is said by the test."""

from collections.abc import Callable
from dataclasses import dataclass, field

from client_2030_5_world import T0, device

from wattseal.certs.errors import WorldError
from wattseal.protocols.ieee2030_5.client.duty import Errand
from wattseal.protocols.ieee2030_5.client.exchange import Answer, Method, Request
from wattseal.protocols.ieee2030_5.client.happenings import Happening, Registered, Told
from wattseal.protocols.ieee2030_5.client.survey import Survey
from wattseal.protocols.ieee2030_5.codec import encode
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3

BODY = encode(device(77), CSIPAUS_1_3)


@dataclass
class Chore:
    """A duty that owes one POST for each name in `owed`, may forbid devices, and finds a thing out."""

    owed: list[str] = field(default_factory=list)
    name: str = "chore"
    href: str = "/box"
    reread: str = ""
    served: Callable[[bytes], bool] = lambda _: True
    settled_with: list[tuple[str, int, str]] = field(default_factory=list)
    at: int | None = None
    asked: int = 0
    surveys: list[Survey] = field(default_factory=list)
    loaded: bytes = b""
    found: tuple[Happening, ...] = (Registered("der", "/edev/1"),)

    def due(self, survey: Survey, now: int) -> tuple[Errand, ...]:
        self.asked += 1
        self.surveys.append(survey)
        if survey.dcap is None or (self.at is not None and now < self.at):
            return ()
        return tuple(Errand((self.name, one), Request(Method.POST, self.href, BODY), self.reread) for one in self.owed)

    def wake_at(self, now: int) -> int | None:
        return self.at if self.at is not None and self.at > now else None

    def settled(self, errand: Errand, answer: Answer, now: int) -> tuple[Happening, ...]:
        assert now >= T0
        self.owed.remove(errand.key[1])
        self.settled_with.append((errand.key[1], answer.status, answer.location))
        return (Told("chore", errand.key[1], errand.request.href, errand.request.body, answer.status),)

    def dump(self) -> bytes:
        return ",".join(self.owed).encode()

    def load(self, data: bytes) -> None:
        if data == b"broken":
            raise WorldError("duty_state_unreadable", "No.")
        self.loaded = data

    def may_serve(self, device: bytes) -> bool:
        return self.served(device)

    def news(self) -> tuple[Happening, ...]:
        found, self.found = self.found, ()
        return found
