"""One message on its way through the gate: what it stands on, and what the steps have shown of it so far.

Values and the refusal; no step and no order of steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from wattseal.certs import cose
from wattseal.certs.clock import Instant
from wattseal.certs.errors import PeerError
from wattseal.certs.manifest import Manifest, RoleKey
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Kind, Statement
from wattseal.drivers.authorisation import Question
from wattseal.drivers.commands import Command, Decision, Hail, Operation, Order, Renewal
from wattseal.drivers.gate.envelope import Ask, Ruling
from wattseal.drivers.gate.memory import GateMemory
from wattseal.drivers.gate.outcomes import LocalFacts
from wattseal.drivers.manifest_sections import Sections

Body: TypeAlias = Command | Renewal | Hail | Decision | None


class RefusalError(PeerError):
    """The gate does not let a message pass."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What the gate stands on; the same for every message of an epoch, but for what the memory learns."""

    manifest: Manifest
    policy: Policy
    sections: Sections
    memory: GateMemory
    gateway: str


@dataclass(slots=True)
class Passage:
    """One message on its way through the steps. Each step adds what it has shown; `sealed` stays None up to step 4."""

    raw: bytes
    now: Instant
    local: Mapping[str, LocalFacts]
    ground: Ground
    role_key: RoleKey | None = None
    envelope: cose.Envelope = field(init=False)
    said: Statement = field(init=False)
    body: Body = None
    order: Order | None = None
    sealed: Statement | None = None
    consumed: int | None = None
    question: Question = field(init=False)
    ask: Ask = field(init=False)
    ruling: Ruling = field(init=False)
    renewed: tuple[bytes, ...] = ()
    dropped: tuple[tuple[bytes, str], ...] = ()

    @property
    def may_order_by_clock(self) -> bool:
        """Whether more than a release may rest on the time: a virtual clock is good in the owner's lab alone."""
        return self.now.quality.may_order(lab=self.ground.manifest.lab)

    @property
    def kind(self) -> Kind:
        """The kind of the statement; known from step 3 on."""
        return self.said.header.kind

    @property
    def releases(self) -> bool:
        """Whether this is a command to go back to the default."""
        return self.order is not None and self.order.operation is Operation.RELEASE
