"""The gate: what becomes of one sealed message. Deny by default, one legal order, no I/O, no look at a clock.

`Gate.consider` runs the numbered steps of `steps.py` and says what they came to. Whoever calls it makes the mark
durable together with the write steps (step 11) before anything is written (12), reads back (13) and signs the receipt
(14).
"""

from collections.abc import Mapping
from dataclasses import replace

from wattseal.certs import cose
from wattseal.certs.clock import Instant
from wattseal.certs.errors import MisuseError, WattsealError
from wattseal.certs.manifest import Manifest
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Statement, digest
from wattseal.drivers.commands import Command, Hail, Renewal
from wattseal.drivers.gate.memory import GateMemory
from wattseal.drivers.gate.outcomes import Accepted, Hailed, LocalFacts, Outcome, Refused, Remembered, Renewed
from wattseal.drivers.gate.passage import Ground, Passage
from wattseal.drivers.gate.steps import STEPS, Step
from wattseal.drivers.manifest_sections import Sections

__all__ = ["Accepted", "Gate", "Hailed", "LocalFacts", "Outcome", "Refused", "Remembered", "Renewed"]


class Gate:
    """One gateway's gate, for one epoch and one manifest (a new manifest means a new start, and so a new epoch).

    Raises `MisuseError` (`policy_digest_wrong`, `gateway_wrong`) where policy or name are not those of the manifest.
    """

    def __init__(
        self, manifest: Manifest, policy: Policy, sections: Sections, memory: GateMemory, gateway: str
    ) -> None:
        if policy.digest != manifest.policy_digest:
            raise MisuseError("policy_digest_wrong", "The policy text is not the one that the owner signed.")
        if gateway != manifest.gateway:
            raise MisuseError("gateway_wrong", f"The manifest is for {manifest.gateway!r}, not for {gateway!r}.")
        self._ground = Ground(manifest, policy, sections, memory, gateway)

    @property
    def memory(self) -> GateMemory:
        """Epoch, high-water mark and what else is remembered."""
        return self._ground.memory

    def remember(self, own: Statement) -> None:
        """Note a statement that this gateway sealed itself (reading, hello), so that facts may name it."""
        self.memory.remember_own(own)

    def consider(self, raw: bytes, now: Instant, local: Mapping[str, LocalFacts]) -> Outcome:
        """What becomes of one sealed message. `local` has one entry for each device of the inventory.

        A parent that is known already is not verified again: naming costs one hash, so a core may send the whole
        ancestry of each command and need not guess what is still remembered.
        """
        if len(raw) <= cose.MAX_BYTES and (known := self.memory.parent(digest(raw))) is not None:
            return Remembered(known)
        passage = Passage(raw, now, local, self._ground)
        for step in STEPS:
            try:
                step.check(passage)
            except WattsealError as error:
                return _refused(passage, step, error)
        return self._passed(passage, passage.said)

    def _passed(self, passage: Passage, said: Statement) -> Outcome:
        match passage.body:
            case Command() as command if passage.order is not None and passage.ruling.watts is not None:
                ask, watts, rule = passage.ask, passage.ruling.watts, passage.ruling.rule
                self.memory.accept(said.digest, replace(ask, watts=watts))
                clamped_by = None if rule is None else str(rule)
                return Accepted(said, command, passage.order, ask.watts, watts, clamped_by, command.sequence)
            case Renewal() as renewal:
                return Renewed(said, renewal, passage.renewed, renewal.sequence, passage.dropped)
            case Hail() as hail:
                return Hailed(said, hail)
        self.memory.remember(said)
        return Remembered(said)


def _refused(passage: Passage, step: Step, error: WattsealError) -> Refused:
    believed = passage.sealed is not None
    return Refused(
        error.reason,
        error.sentence,
        step.number,
        passage.sealed,
        passage.consumed,
        passage.body if believed and isinstance(passage.body, Command) else None,
        passage.order if believed else None,
    )
