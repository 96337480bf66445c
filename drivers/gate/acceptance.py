"""The gate: what becomes of one sealed message. Deny by default, one legal order, no I/O, no look at a clock.

`Gate.consider` runs the numbered steps of `steps.py` and says what they came to. Whoever calls it makes the mark
durable together with the write steps (step 11) before anything is written (12), reads back (13) and signs the receipt
(14).
"""

from collections.abc import Mapping

from wattseal.certs.clock import Instant
from wattseal.certs.manifest import Manifest
from wattseal.certs.policy import Policy
from wattseal.certs.statement import Statement
from wattseal.drivers.gate.memory import GateMemory
from wattseal.drivers.gate.outcomes import Accepted, Hailed, LocalFacts, Outcome, Refused, Remembered, Renewed
from wattseal.drivers.manifest_sections import Sections

__all__ = ["Accepted", "Gate", "Hailed", "LocalFacts", "Outcome", "Refused", "Remembered", "Renewed"]


class Gate:
    """One gateway's gate, for one epoch and one manifest (a new manifest means a new start, and so a new epoch)."""

    def __init__(
        self, manifest: Manifest, policy: Policy, sections: Sections, memory: GateMemory, gateway: str
    ) -> None:
        self._manifest = manifest
        self._policy = policy
        self._sections = sections
        self._memory = memory
        self._gateway = gateway

    @property
    def memory(self) -> GateMemory:
        """Epoch, high-water mark and what else is remembered."""
        return self._memory

    def remember(self, own: Statement) -> None:
        """Note a statement that this gateway sealed itself (reading, hello), so that facts may name it."""
        self._memory.remember(own)

    def consider(self, raw: bytes, now: Instant, local: Mapping[str, LocalFacts]) -> Outcome:
        """What becomes of one sealed message. `local` has one entry for each device of the inventory."""
        raise NotImplementedError
