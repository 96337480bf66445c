"""The scribe: puts each thing the core says under the seal of the role that may say it.

Bodies come from the rooms that own them; this one adds header, parents and contents, and nothing of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from wattseal.bridge.facts import Facts
from wattseal.certs import statement
from wattseal.certs.clock import Instant
from wattseal.certs.keys import Signer
from wattseal.certs.statement import Header, Kind, Role, Statement
from wattseal.drivers.commands import Command, Decision, Hail, Order, Renewal
from wattseal.protocols.ingress import Ingress, Report

# How long a command may be under way before the gate must refuse it. Far below the lease: a late order is no order.
COMMAND_LIFE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Scribe:
    """Seals for one site and its gateway. `signers` holds one key for each role of the core."""

    site: str
    gateway: str
    signers: Mapping[Role, Signer]

    def ingress(self, body: Ingress, content: bytes, now: Instant) -> Statement:
        """Received bytes; `content` is their digest."""
        return self._seal(Kind.INGRESS, f"utility:{body.utility}", now, body.encode(), contents=(content,))

    def intent(self, event_id: str, body: bytes, parents: Sequence[bytes], site: bytes, now: Instant) -> Statement:
        """What one message asks for, read by the names of the site text `site`.

        Parents: the ingress, and for an end of the event its last intent.
        """
        contents = (statement.digest(site),)
        return self._seal(Kind.INTENT, f"event:{event_id}"[:200], now, body, parents=parents, contents=contents)

    def facts(self, body: Facts, parents: Sequence[bytes], now: Instant) -> Statement:
        """The inputs of a plan run; parents: the intents and readings used."""
        return self._seal(Kind.FACTS, self.site, now, body.encode(), parents=parents, contents=(body.site, body.policy))

    def decision(self, body: Decision, facts: bytes, now: Instant) -> Statement:
        """Policy's answer."""
        return self._seal(
            Kind.DECISION,
            f"device:{body.resource_id}",
            now,
            body.encode(),
            parents=(facts,),
            contents=(body.policy_digest,),
        )

    def command(self, body: Command, order: Order, decision: bytes, now: Instant) -> Statement:
        """One order to one device, good for `COMMAND_LIFE_SECONDS`."""
        header = Header(
            Kind.COMMAND,
            self.site,
            f"device:{order.device}",
            now.unix,
            audience=self.gateway,
            not_before=now.unix,
            expires_at=now.unix + COMMAND_LIFE_SECONDS,
            parents=(decision,),
            contents=(order.profile_digest,),
        )
        return statement.seal(self.signers[Role.ISSUER], header, body.encode())

    def hail(self, body: Hail, now: Instant) -> Statement:
        """A nonce for the gateway."""
        return self._seal(Kind.HAIL, self.gateway, now, body.encode(), audience=self.gateway)

    def renewal(self, body: Renewal, live: Sequence[bytes], now: Instant) -> Statement:
        """The commands in `live` live on. Good for as long as a command is: the gate takes no order without an end."""
        return self._seal(
            Kind.RENEWAL,
            self.gateway,
            now,
            body.encode(),
            parents=live,
            audience=self.gateway,
            expires_at=now.unix + COMMAND_LIFE_SECONDS,
        )

    def report(self, body: Report, content: bytes, parents: Sequence[bytes], now: Instant) -> Statement:
        """What was told to the utility; parents: the readings it rests on."""
        return self._seal(
            Kind.REPORT, f"utility:{body.utility}", now, body.encode(), parents=parents, contents=(content,)
        )

    def _seal(
        self,
        kind: Kind,
        subject: str,
        now: Instant,
        body: bytes,
        *,
        parents: Sequence[bytes] = (),
        contents: Sequence[bytes] = (),
        audience: str | None = None,
        expires_at: int | None = None,
    ) -> Statement:
        header = Header(
            kind,
            self.site,
            subject,
            now.unix,
            audience=audience,
            expires_at=expires_at,
            parents=tuple(parents),
            contents=tuple(contents),
        )
        return statement.seal(self.signers[statement.ROLE_OF[kind]], header, body)
