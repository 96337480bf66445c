"""A whole small trust world around one gate: root, owner, role keys, manifest, two devices and a utility."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from wattseal.certs import cbor, manifest, statement
from wattseal.certs.clock import ClockQuality, Instant
from wattseal.certs.keys import FileSigner
from wattseal.certs.manifest import RoleKey, Trust
from wattseal.certs.policy import Name, Policy
from wattseal.certs.statement import ROLE_OF, Header, Kind, Role, Statement
from wattseal.drivers import gate as gate_package
from wattseal.drivers.authorisation import question_of
from wattseal.drivers.commands import Command, Decision, Hail, Operation, Order, Renewal
from wattseal.drivers.gate.acceptance import Gate, LocalFacts, Outcome
from wattseal.drivers.gate.memory import GateMemory
from wattseal.drivers.manifest_sections import (
    DeviceEnvelope,
    Enrolment,
    EnrolmentKind,
    InventoryRow,
    LinkKind,
    Sections,
    SiteEnvelope,
    policy_entities,
)

NOW = 1_800_000_000
MONOTONIC = 50_000.0
EPOCH = bytes(range(16))
POLICY_TEXT = Path(gate_package.__file__).with_name("default_policy.cedar").read_bytes()
PROFILE = {device: hashlib.sha256(device.encode()).digest() for device in ("battery", "charger")}
BATTERY = DeviceEnvelope("battery", -5000, 5000, 0, 30, 6, 100, 950)
CHARGER = DeviceEnvelope("charger", -11000, 0, 0, 0, 0, 0, 1000, (Operation.LIMIT_INJECT,))
SECTIONS = Sections(
    (
        InventoryRow(
            "battery", LinkKind.SIMULATOR, "tcp://127.0.0.1:1502", 1, "battery-704", PROFILE["battery"], "", 5
        ),
        InventoryRow("charger", LinkKind.MODBUS_TCP, "tcp://127.0.0.1:1503", 1, "alfen", PROFILE["charger"], "", 5),
    ),
    (
        Enrolment(
            "grid",
            EnrolmentKind.OPENADR_2_0B,
            "AA:BB",
            ("dispatch",),
            ("battery", "charger"),
            (Operation.SET_POWER, Operation.LIMIT_ABSORB, Operation.LIMIT_INJECT),
            8000,
        ),
    ),
    SiteEnvelope((BATTERY, CHARGER), 9000, 12000),
)


def new_signer() -> FileSigner:
    return FileSigner(ec.generate_private_key(ec.SECP256R1()))


class GateWorld:
    """One gate and everybody who can talk to it. What is sealed here is sealed as the real roles would seal it."""

    NOW = NOW
    MONOTONIC = MONOTONIC
    EPOCH = EPOCH
    SECTIONS = SECTIONS
    PROFILE = PROFILE
    POLICY_TEXT = POLICY_TEXT

    def __init__(
        self,
        signers: Mapping[str, FileSigner],
        *,
        sections: Sections = SECTIONS,
        policy_text: bytes = POLICY_TEXT,
        manifest_expires: int = NOW + 86_400,
        lab: bool = True,
    ) -> None:
        self.signers = signers
        self.sections = sections
        root_record = manifest.root_record_of(1, [signers["root"].public])
        mandate = manifest.mandate_of(
            signers["root"], root_record, signers["owner"].public, issued_at=NOW - 9000, expires_at=NOW + 10**9
        )
        term = {"issuer-ended": (NOW - 9000, NOW - 10)}
        rows = []
        for name, signer in signers.items():
            if name.split("-")[0] in set(Role) - {Role.OWNER}:
                start, end = term.get(name, (NOW - 9000, NOW + 10**9))
                rows.append(RoleKey(Role(name.split("-")[0]), signer.public, start, end))
        sealed = manifest.manifest_of(
            signers["owner"],
            mandates=[mandate],
            version=7,
            issued_at=NOW - 8000,
            expires_at=manifest_expires,
            site="site-1",
            gateway="gw-1",
            keys=rows,
            policy_digest=hashlib.sha256(policy_text).digest(),
            sections=sections.encode(),
            lab=lab,
        )
        self.manifest = manifest.read_manifest(
            Trust(root_record, (mandate,), sealed), manifest.root_of(root_record), NOW
        )
        read = Sections.decode(self.manifest.sections)
        self.policy = Policy(policy_text, policy_entities(read.enrolments, read.inventory))
        self.memory = GateMemory.begin(EPOCH, 7, None)
        self.gate = Gate(self.manifest, self.policy, read, self.memory, "gw-1")
        self.local: dict[str, LocalFacts] = {"battery": LocalFacts(500, 0), "charger": LocalFacts(None, 0)}
        self.clock = Instant(NOW * 1000, MONOTONIC, ClockQuality.TRUSTED)

    def restart(self, epoch: bytes) -> None:
        """The same box, started again: only the mark outlives it."""
        mark = self.memory.mark
        self.memory = GateMemory.begin(epoch, 7, mark)
        read = Sections.decode(self.manifest.sections)
        self.gate = Gate(self.manifest, self.policy, read, self.memory, "gw-1")

    def say(self, message: Statement | bytes, **clock: Any) -> Outcome:
        """Put one message to the gate."""
        raw = message.raw if isinstance(message, Statement) else message
        return self.gate.consider(raw, replace(self.clock, **clock), self.local)

    def seal(self, kind: Kind, body: bytes, parents: Sequence[Statement] = (), **changes: Any) -> Statement:
        """A statement by the role that may say it; `signer` and every header field can be changed."""
        signer = changes.pop("signer", None) or self.signers[str(ROLE_OF[kind])]
        fields: dict[str, Any] = {"subject": "battery", "issued_at": NOW, "parents": tuple(p.digest for p in parents)}
        if kind in {Kind.COMMAND, Kind.RENEWAL, Kind.HAIL}:
            fields |= {"audience": "gw-1", "expires_at": NOW + 60}
        fields |= changes
        return statement.seal(signer, Header(kind, "site-1", **fields), body)

    @staticmethod
    def order(**changes: Any) -> Order:
        """3 kW out of the battery for ten minutes, back to its default then."""
        fields: dict[str, Any] = {
            "device": "battery",
            "operation": Operation.SET_POWER,
            "value": 3000,
            "not_before": NOW - 10,
            "hold_seconds": 600,
            "revert_to": (Operation.RELEASE, 0),
            "tolerance": 50,
        } | changes
        fields.setdefault("profile_digest", PROFILE.get(fields["device"], bytes(32)))
        return Order(**fields)

    def release(self, **changes: Any) -> Order:
        return self.order(**{"operation": Operation.RELEASE, "value": 0, "hold_seconds": 0} | changes)

    def decision_body(self, order: Order, /, **changes: Any) -> Decision:
        """What the policy role would say of that order, when it allows it."""
        principal = changes.pop("principal", Name("Utility", "grid"))
        asked: dict[str, Any] = {
            "programme": "dispatch",
            "test": False,
            "clock_trusted": True,
            "storage_low": False,
            "raises_power": True,
        }
        asked |= {name: changes.pop(name) for name in tuple(asked) if name in changes}
        question = question_of(order, principal, **asked)
        body = question.decision(
            self.policy.decide(principal, question.action, question.resource, question.context),
            order.encode(),
            self.manifest.policy_digest,
        )
        return replace(body, **{"allowed": True} | changes)

    def ancestry(self, order: Order, /, **decision: Any) -> tuple[Statement, ...]:
        """Ingress, intent, facts, decision."""
        ingress = self.seal(Kind.INGRESS, cbor.encode({1: "a poll answer"}))
        intent = self.seal(Kind.INTENT, cbor.encode({1: "an event"}), [ingress])
        facts = self.seal(Kind.FACTS, cbor.encode({1: "one plan run"}), [intent])
        decided = self.seal(Kind.DECISION, self.decision_body(order, **decision).encode(), [facts])
        return ingress, intent, facts, decided

    def command(self, order: Order, parents: Sequence[Statement], sequence: int = 1, **changes: Any) -> Statement:
        body = {"order": order.encode(), "epoch": self.memory.epoch, "sequence": sequence, "lease_seconds": 300}
        body |= {name: changes.pop(name) for name in ("order", "epoch", "lease_seconds") if name in changes}
        return self.seal(Kind.COMMAND, Command(**body).encode(), parents, **changes)

    def renewal(self, commands: Sequence[Statement], sequence: int, **changes: Any) -> Statement:
        body = {"epoch": self.memory.epoch, "sequence": sequence, "lease_seconds": 300, "held": 0}
        body |= {name: changes.pop(name) for name in ("epoch", "lease_seconds") if name in changes}
        return self.seal(Kind.RENEWAL, Renewal(**body).encode(), commands, **changes)

    def hail(self, **changes: Any) -> Statement:
        return self.seal(Kind.HAIL, Hail(bytes(16), 0).encode(), **changes)

    def introduce(self, order: Order, /, **decision: Any) -> Statement:
        """Send the whole ancestry of an order; the decision is handed back."""
        said = self.ancestry(order, **decision)
        for one in said:
            self.say(one)
        return said[-1]

    def tell(self, order: Order | None = None, sequence: int = 1, **changes: Any) -> Outcome:
        """The whole way: ancestry, then the command."""
        order = order or self.order()
        return self.say(self.command(order, [self.introduce(order)], sequence, **changes))


@pytest.fixture(scope="session")
def gate_signers() -> dict[str, FileSigner]:
    names = ("root", "owner", "ingress", "core", "policy", "issuer", "gateway", "log", "issuer-ended", "stranger")
    return {name: new_signer() for name in names}


@pytest.fixture
def new_gate_world(gate_signers: dict[str, FileSigner]) -> Callable[..., GateWorld]:
    """Worlds with other sections, policy or terms."""
    return lambda **changes: GateWorld(gate_signers, **changes)


@pytest.fixture
def gate_world(new_gate_world: Callable[..., GateWorld]) -> GateWorld:
    return new_gate_world()
