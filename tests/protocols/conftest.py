"""What several protocol tests need: the 2.0b schema (from the installed openleadr, tests only) and our own vectors."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.openadr20b.codec import decode, encode
from wattseal.protocols.openadr20b.common import EiResponse, QualifiedEventID
from wattseal.protocols.openadr20b.event import EventResponse
from wattseal.protocols.openadr20b.messages import CreatedEvent, CreatePartyRegistration, Message, Poll
from wattseal.protocols.openadr20b.vocabulary import OptType
from wattseal.protocols.openadr20b.vtn.config import VtnConfig
from wattseal.protocols.openadr20b.vtn.draft import EventDraft, SignalDraft, Step
from wattseal.protocols.openadr20b.vtn.happenings import AnyHappening
from wattseal.protocols.openadr20b.vtn.session import Vtn
from wattseal.protocols.openadr20b.vtn.state import VtnState
from wattseal.protocols.openadr20b.vtn.table import SERVICES


@pytest.fixture(scope="session")
def openadr20b_schema() -> etree.XMLSchema:
    """The XSD of OpenADR 2.0b, an oracle that is not ours."""
    spec = importlib.util.find_spec("openleadr")
    assert spec is not None
    assert spec.origin is not None
    return etree.XMLSchema(etree.parse(Path(spec.origin).parent / "schema" / "oadr_20b.xsd"))


@pytest.fixture(scope="session")
def openadr20b_vectors() -> dict[str, bytes]:
    """The hand-written 2.0b messages by the name of what they show."""
    folder = Path(__file__).parent / "vectors" / "openadr20b"
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.xml"))}


START = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class VtnBench:
    """A VTN session on a virtual clock, and VENs that say what a test wants; every answer is checked by the XSD."""

    schema: etree.XMLSchema
    vtn: Vtn
    now: datetime = START
    happenings: list[AnyHappening] = field(default_factory=list)

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def post(self, service: str, raw: bytes, peer: PeerIdentity | None = None) -> tuple[int, Message | None]:
        """HTTP status and answer to raw bytes; None where the answer is no message."""
        answer = self.vtn.received(self.now, peer, service, raw)
        self.happenings += answer.happenings
        if answer.status != 200:
            return answer.status, None
        self.schema.assertValid(etree.fromstring(answer.body))
        payload = decode(answer.body)
        assert payload.wrapped
        assert not payload.notes
        return 200, payload.message

    def say(self, message: Message, peer: PeerIdentity | None = None, service: str | None = None) -> Any:
        """The answer to a message that is posted to its own service."""
        status, answer = self.post(service or min(SERVICES[type(message)]), encode(message), peer)
        assert status == 200
        return answer

    def register(self, name: str = "ven", peer: PeerIdentity | None = None, **details: Any) -> str:
        """Registers a VEN; gives its venID."""
        details = {"report_only": False, "xml_signature": False, "http_pull_model": True, "ven_name": name} | details
        answer = self.say(CreatePartyRegistration(request_id="R1", **details), peer)
        assert answer.ei_response.response_code == "200", answer
        return answer.ven_id

    def poll(self, ven_id: str, peer: PeerIdentity | None = None) -> Any:
        return self.say(Poll(ven_id=ven_id), peer)

    def opt(self, ven_id: str, event_id: str, number: int = 0, opt: OptType = OptType.OPT_IN, code: str = "200") -> Any:
        """Answers one event by oadrCreatedEvent."""
        response = EventResponse(
            response_code=code,
            request_id="E1",
            qualified_event_id=QualifiedEventID(event_id=event_id, modification_number=number),
            opt_type=opt,
        )
        ok = EiResponse(response_code="200", request_id="E1")
        return self.say(CreatedEvent(ei_response=ok, event_responses=(response,), ven_id=ven_id))

    def draft(self, **details: Any) -> EventDraft:
        """A SIMPLE event of an hour that starts in ten minutes, unless told otherwise."""
        seconds = details.get("duration_seconds", 3600)
        signals = details.pop("signals", (SignalDraft(steps=(Step(seconds, Decimal(1)),)),))
        base = {
            "market_context": "http://utility.example/programme",
            "dtstart": self.now + timedelta(minutes=10),
            "duration_seconds": seconds,
            "signals": signals,
        }
        return EventDraft(**(base | details))

    def add(self, **details: Any) -> str:
        return self.vtn.add_event(self.now, self.draft(**details))

    def restarted(self) -> "VtnBench":
        """Another session that goes on from the bytes of this one's state."""
        state = VtnState.from_bytes(self.vtn.state.to_bytes())
        assert state == self.vtn.state
        return VtnBench(self.schema, Vtn(self.vtn.config, state), self.now)


@pytest.fixture
def vtn_bench(openadr20b_schema: etree.XMLSchema) -> Callable[..., VtnBench]:
    """Makes a bench for a VTN with these settings (own_metadata off unless asked for)."""

    def make(**settings: Any) -> VtnBench:
        config = VtnConfig(**({"own_metadata": False} | settings))
        return VtnBench(openadr20b_schema, Vtn(config, VtnState(epoch="t")))

    return make
