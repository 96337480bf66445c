"""What handling one message gives, and the little that every handler needs besides the message."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.vocabulary import ResponseCode
from wattseal.protocols.openadr20b.vtn.config import VtnConfig
from wattseal.protocols.openadr20b.vtn.happenings import AnyHappening
from wattseal.protocols.openadr20b.vtn.state import EventRecord, VenRecord


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What holds while one message is handled. `draw` makes an identifier that was never used, by its prefix."""

    now: datetime
    config: VtnConfig
    peer: PeerIdentity | None
    events: dict[str, EventRecord]
    draw: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer, the sender's record afterwards (None: it has none any more), and what happened."""

    answer: Message
    ven: VenRecord | None
    happenings: tuple[AnyHappening, ...] = ()


class RefusedTurn(Exception):  # noqa: N818 - internal: a turn that ends in a refusal, raised where it is found out
    """Internal: the message is refused with this code and nothing changes."""

    def __init__(self, code: ResponseCode, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason
        self.sentence = sentence
