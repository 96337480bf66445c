"""The ten steps of acceptance, in the one legal order. Each refuses with its own reason codes, or lets pass.

     1 size            message_oversized
     2 key             key_unknown  key_out_of_term  role_wrong  kind_unexpected
     3 form            cose_malformed  cbor_...  unprotected_not_empty  header_malformed  ..._malformed
     4 seal            algorithm_mismatch  signature_invalid  signature_not_low_s
     5 address         audience_wrong  device_unknown  profile_changed
     6 freshness       epoch_wrong  sequence_replayed  sequence_jump          (here the sequence number is consumed)
                       gateway_chain_lost
     7 time            lease_too_long  clock_untrusted  manifest_expired  expiry_missing  not_yet_valid  expired
     8 parents         parent_missing  parent_too_many  parent_kind_wrong  decision_denied  decision_other_order
                       policy_digest_wrong  principal_unknown
     9 policy          storage_full  clock_untrusted  policy_denied
    10 envelope        device_unavailable  envelope_...

(11 persist, 12 write, 13 read back and 14 sign the receipt are the gateway process's.)

Step 2 refuses what it can make out of a header that nobody vouches for yet; what it cannot make out, step 3 refuses. A
message that passed 6 has used up its number, whatever comes after. What is refused before has used up nothing: it was
not shown to be this issuer's word to this gateway in this epoch, under a number that is its turn.

Freshness never rests on time. So where the clock is untrusted, a release is still taken by epoch and number alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from wattseal.certs import cbor, cose, statement
from wattseal.certs.clock import ClockQuality
from wattseal.certs.statement import ROLE_OF, Header, Kind
from wattseal.drivers.authorisation import CLOCK_TRUSTED, STORAGE_LOW
from wattseal.drivers.commands import (
    MAX_LEASE_SECONDS,
    BodyError,
    Command,
    Decision,
    Hail,
    Order,
    Renewal,
)
from wattseal.drivers.gate.chain import require_chain
from wattseal.drivers.gate.envelope import Ask, judge, outgrown
from wattseal.drivers.gate.passage import Body, Passage, RefusalError
from wattseal.drivers.operations import FUNCTION_OF, Function, unit_of, value_fits

MAX_SEQUENCE_JUMP: Final = 1000
MAX_WATTS: Final = 1_000_000_000  # no device here has a gigawatt; keeps every sum far inside 64 bits
MAX_CHAIN: Final = 1 << 62
SLACK_SECONDS: Final[Mapping[ClockQuality, int]] = {
    ClockQuality.TRUSTED: 2,
    ClockQuality.VIRTUAL: 2,
    ClockQuality.HOLDOVER: 30,
}
ADDRESSED: Final = frozenset({Kind.COMMAND, Kind.RENEWAL, Kind.HAIL})
HEARD: Final = ADDRESSED | {Kind.INGRESS, Kind.INTENT, Kind.FACTS, Kind.DECISION, Kind.READING, Kind.HELLO}


def size(passage: Passage) -> None:
    """Step 1."""
    if len(passage.raw) > cose.MAX_BYTES:
        raise RefusalError("message_oversized", f"The message has {len(passage.raw)} bytes; cap: {cose.MAX_BYTES}.")


def key(passage: Passage) -> None:
    """Step 2. A clock below the manifest's own date is wrong, so terms are judged no earlier than that date."""
    header = cose.glimpse(passage.raw)
    kid = None if header is None else header.get(cose.KEY_ID)
    if header is None or not isinstance(kid, bytes):
        return
    manifest = passage.ground.manifest
    passage.role_key = manifest.key_of(kid, max(passage.now.unix, manifest.statement.header.issued_at))
    kind = statement.kind_named_in(header)
    if kind is None:
        return
    if ROLE_OF.get(kind) is not passage.role_key.role:
        raise RefusalError("role_wrong", f"A {passage.role_key.role} key may not sign a {kind} statement.")
    if kind not in HEARD:
        raise RefusalError("kind_unexpected", f"A gateway takes no {kind} statements.")


def form(passage: Passage) -> None:
    """Step 3. Strict decode of envelope, header and body; all of it in canonical form."""
    passage.envelope = cose.take_apart(passage.raw)
    passage.said = statement.read_outside(passage.envelope)
    passage.body = _BODIES.get(passage.kind, _opaque)(passage.said.body)
    if isinstance(passage.body, Command):
        passage.order = Order.decode(passage.body.order)
        _require_sense(passage.body, passage.order)
    if isinstance(passage.body, Renewal):
        _require_counts(passage.body.sequence, passage.body.lease_seconds)
    if isinstance(passage.body, Hail | Renewal):
        _require_chain_number(passage.body.held)


def seal(passage: Passage) -> None:
    """Step 4. From here on the statement may be believed to come from whom it says."""
    if passage.role_key is None:
        raise RefusalError("key_unknown", "The message names no key.")
    passage.envelope.verify(passage.role_key.key)
    passage.sealed = passage.said


def address(passage: Passage) -> None:
    """Step 5."""
    if passage.kind not in ADDRESSED:
        return
    audience, gateway = passage.said.header.audience, passage.ground.gateway
    if audience != gateway:
        raise RefusalError("audience_wrong", f"The message is for {audience!r}; this gateway is {gateway!r}.")
    if passage.order is None:
        return
    row = passage.ground.sections.device(passage.order.device)
    if row is None:
        raise RefusalError("device_unknown", f"{passage.order.device!r} is not in the inventory.")
    if passage.order.profile_digest != row.profile_digest:
        raise RefusalError("profile_changed", f"The order was made for another profile of {row.device!r}.")


def freshness(passage: Passage) -> None:
    """Step 6. Passing it consumes the sequence number."""
    if not isinstance(passage.body, Command | Renewal):
        return
    memory, sequence = passage.ground.memory, passage.body.sequence
    if passage.body.epoch != memory.epoch:
        raise RefusalError("epoch_wrong", "The message belongs to another start of this gateway; hail it again.")
    if sequence <= memory.high_water:
        raise RefusalError("sequence_replayed", f"Number {sequence} is used up; the last one is {memory.high_water}.")
    if sequence - memory.high_water > MAX_SEQUENCE_JUMP:
        raise RefusalError("sequence_jump", f"Number {sequence} is too far above {memory.high_water}; hail it again.")
    memory.consume(sequence)
    passage.consumed = sequence
    if memory.chain_lost and not passage.releases:
        raise RefusalError(
            "gateway_chain_lost", "The gateway's database is not the one it spoke from before; only a release is taken."
        )


def time(passage: Passage) -> None:
    """Step 7."""
    if not isinstance(passage.body, Command | Renewal):
        return
    if passage.body.lease_seconds > MAX_LEASE_SECONDS:
        raise RefusalError("lease_too_long", f"A lease of {passage.body.lease_seconds} s exceeds {MAX_LEASE_SECONDS}.")
    slack = SLACK_SECONDS.get(passage.now.quality)
    if slack is None or not passage.may_order_by_clock:
        if passage.releases:
            return
        raise RefusalError("clock_untrusted", "The clock is not trusted yet; only a release is taken.")
    now = passage.now.unix
    if now >= passage.ground.manifest.expires_at and not passage.releases:
        raise RefusalError("manifest_expired", "The manifest has expired, only a release is taken; sign a new one.")
    _require_window(passage.said.header, now, slack)
    if passage.order is not None:
        _require_due(passage.order, now, slack)


def parents(passage: Passage) -> None:
    """Step 8. See `chain.py`."""
    require_chain(passage)


def policy(passage: Passage) -> None:
    """Step 9. The same policy once more, now with what the gateway itself knows.

    Where one fact of the gateway's own decides, so that the policy would allow without it, that fact gives the reason.
    """
    if passage.order is None:
        return
    asked, text = passage.question, passage.ground.policy
    verdict = asked.put_to(text)
    if verdict.allowed:
        return
    named = ", ".join(verdict.policy_ids) or "no rule that permits it"
    for (fact, calm), (reason, sentence) in _DECIDING.items():
        if asked.context[fact] is not calm and asked.supposing(fact, calm).put_to(text).allowed:
            raise RefusalError(reason, f"{sentence} ({named}).")
    raise RefusalError("policy_denied", f"With the gateway's own facts the policy denies: {named}.")


def envelope(passage: Passage) -> None:
    """Step 10. Clamps, or refuses; see `envelope.py`. What a device has outgrown meanwhile is not renewed."""
    bounds, local, monotonic = passage.ground.sections.envelope, passage.local, passage.now.monotonic
    if passage.order is not None:
        passage.ask = _ask_of(passage.order)
        passage.ruling = judge(passage.ask, bounds, local, monotonic)
        if passage.ruling.watts is None:
            raise RefusalError(str(passage.ruling.rule), f"The envelope of {passage.ask.device!r} does not permit it.")
    if isinstance(passage.body, Renewal):
        named = ((digest, passage.ground.memory.allowed(digest)) for digest in passage.renewed)
        rules = {digest: outgrown(ask, bounds, local, monotonic) for digest, ask in named if ask is not None}
        passage.dropped = tuple((digest, str(rule)) for digest, rule in rules.items() if rule is not None)
        passage.renewed = tuple(digest for digest, rule in rules.items() if rule is None)
        if not passage.renewed:
            raise RefusalError(passage.dropped[0][1], "The safety envelope permits none of the commands any longer.")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its number, its name, and the check, which returns or raises."""

    number: int
    name: str
    check: Callable[[Passage], None]


STEPS: Final = tuple(
    Step(number, check.__name__, check)
    for number, check in enumerate(
        (size, key, form, seal, address, freshness, time, parents, policy, envelope), start=1
    )
)

_DECIDING: Final[Mapping[tuple[str, bool], tuple[str, str]]] = {
    (STORAGE_LOW, False): ("storage_full", "The gateway's disk is short, so the policy denies this; make room"),
    (CLOCK_TRUSTED, True): ("clock_untrusted", "The gateway's clock is not trusted, so the policy denies this; set it"),
}

_BODIES: Final[Mapping[Kind, Callable[[bytes], Body]]] = {
    Kind.COMMAND: Command.decode,
    Kind.RENEWAL: Renewal.decode,
    Kind.HAIL: Hail.decode,
    Kind.DECISION: Decision.decode,
}


def _ask_of(order: Order) -> Ask:
    return Ask(
        order.device, order.operation, order.watts, (order.revert_to[0], order.revert_watts), released=order.released
    )


def _opaque(body: bytes) -> None:
    cbor.decode(body)


def _require_sense(command: Command, order: Order) -> None:
    _require_counts(command.sequence, command.lease_seconds)
    numbers = (order.not_before, order.hold_seconds, order.tolerance, order.scale)
    if any(isinstance(number, bool) for number in numbers):
        raise BodyError("order_malformed", "A number of the order is a truth value.")
    if min(order.not_before, order.hold_seconds, order.tolerance) < 0:
        raise BodyError("order_malformed", "A time or tolerance of the order is negative.")
    for operation, value in ((order.operation, order.value), order.revert_to):
        if not value_fits(operation, value):
            raise BodyError("order_malformed", f"{value!r} is no value for {operation}.")
    _require_one_function(order)


def _require_one_function(order: Order) -> None:
    """Revert-to and unit are those of the order's own function. (Watts may have a scale: they had from the start.)"""
    if FUNCTION_OF.get(order.revert_to[0], order.function) is not order.function:
        raise BodyError("order_malformed", f"{order.operation} cannot revert to another function's.")
    if order.function is not Function.POWER:
        if (order.unit, order.scale) != unit_of(order.operation, order.function):
            raise BodyError("order_malformed", f"{order.operation} is not in {order.unit}.")
        return
    if max(abs(order.watts), abs(order.revert_watts)) > MAX_WATTS:
        raise BodyError("order_malformed", f"{order.watts} W is no value for {order.operation}.")


def _require_counts(sequence: int, lease_seconds: int) -> None:
    if isinstance(sequence, bool) or isinstance(lease_seconds, bool) or min(sequence, lease_seconds) < 1:
        raise BodyError("count_malformed", "Sequence and lease are whole numbers from 1.")


def _require_chain_number(held: int) -> None:
    """-1: nothing is held. No chain is longer than what a database can count."""
    if isinstance(held, bool) or not -1 <= held < MAX_CHAIN:
        raise BodyError("count_malformed", "What the core holds is a number of the gateway's chain, or -1.")


def _require_window(header: Header, now: int, slack: int) -> None:
    if header.expires_at is None:
        raise RefusalError("expiry_missing", "A message that orders something must say until when it may be taken.")
    if max(header.issued_at, header.not_before or 0) > now + slack:
        raise RefusalError("not_yet_valid", "The message is not valid yet; compare the clocks of core and gateway.")
    if header.expires_at <= now - slack:
        raise RefusalError("expired", "The message has expired.")


def _require_due(order: Order, now: int, slack: int) -> None:
    if order.not_before > now + slack:
        raise RefusalError("not_yet_valid", "The order begins later; send it when it is due.")
    if order.hold_seconds and order.not_before + order.hold_seconds <= now - slack:
        raise RefusalError("expired", "The time for which the order holds is over.")
