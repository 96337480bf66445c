"""Bodies of the statements that go to the gateway, and of its hello: order, decision, command, hail, hello, renewal.

Every number is an integer, with scale (power of ten) and unit beside it. Sign is the generator's: positive watts are
injected into the site, negative are absorbed. Times are unix seconds.

    order    {1: device, 2: operation, 3: value, 4: scale, 5: unit, 6: not before, 7: hold seconds (0: open-ended),
              8: [operation, value] to revert to, 9: tolerance, 10: profile digest,
              11: function, only in a release, and only of another function than power}
    decision {1: allow, 2: [policy id, ...], 3: order, 4: policy digest, 5: [principal type, principal id, action,
              resource id], 6: [[context key, value], ...] sorted by key}
    command  {1: order, 2: epoch, 3: sequence, 4: lease seconds, 5: digest of the command it supersedes or null}
    hail     {1: nonce, 2: highest chain number of the gateway's statements that the core holds durably}
    hello    {1: nonce, 2: epoch, 3: highest sequence consumed, 4: clock quality}
    renewal  {1: epoch, 2: sequence, 3: lease seconds, 4: highest chain number held durably};  its parents live on

Which operations there are, of which function each is, and what its value looks like: `operations.py`. A value that is
no single number is a nested list of integers, null and short names. The revert-to is of the order's own function.

The order body says nothing of events or utilities: one intent gives the same bytes whichever dialect brought it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wattseal.certs import cbor
from wattseal.drivers.operations import FUNCTION_OF, WATT, BodyError, Function, Operation, Seat, Value, plain, unit_of

__all__ = [
    "DIGEST_BYTES",
    "EPOCH_BYTES",
    "MAX_LEASE_SECONDS",
    "MOST_COUNT",
    "NONCE_BYTES",
    "WATT",
    "BodyError",
    "Command",
    "Decision",
    "Function",
    "Hail",
    "Hello",
    "Operation",
    "Order",
    "Renewal",
    "Seat",
    "Value",
    "release_of",
]

MAX_LEASE_SECONDS: Final = 900
EPOCH_BYTES: Final = 16
NONCE_BYTES: Final = 16
DIGEST_BYTES: Final = 32
MOST_COUNT: Final = 1 << 62  # what a database counts to, with room to go on
_MAX_SCALE: Final = 9


@dataclass(frozen=True, slots=True)
class Order:
    """One wish for one device, free of who asked. `value` times ten to the `scale` is in `unit`.

    `released` is the function that a release ends, and power for every other operation.
    """

    device: str
    operation: Operation
    value: Value
    not_before: int
    hold_seconds: int
    revert_to: tuple[Operation, Value]
    tolerance: int
    profile_digest: bytes
    scale: int = 0
    unit: str = WATT
    released: Function = Function.POWER
    _body: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def function(self) -> Function:
        """The function of the device that this order is for."""
        return FUNCTION_OF.get(self.operation, self.released)

    @property
    def seat(self) -> Seat:
        """Where the order has its place: no other order of the device supersedes it than one of its function."""
        return Seat(self.device, self.function)

    @property
    def watts(self) -> int:
        """`value` in whole watts; 0 for a function that is not power. Raises `BodyError` (`order_malformed`) where a
        power order has another unit, or a broken watt.
        """
        return self._in_watts(self.value)

    @property
    def revert_watts(self) -> int:
        """The value of `revert_to` in whole watts; scale and unit are the order's. Raises as `watts` does."""
        return self._in_watts(self.revert_to[1])

    @property
    def tolerance_watts(self) -> int:
        """`tolerance` in whole watts, rounded down; scale and unit are the order's."""
        if self.function is not Function.POWER:
            return 0
        return self.tolerance * int(10 ** max(self.scale, 0)) // int(10 ** max(-self.scale, 0))

    def _in_watts(self, value: Value) -> int:
        if self.function is not Function.POWER:
            return 0
        if not isinstance(value, int):
            raise BodyError("order_malformed", "Watts are one whole number.")
        if self.unit == WATT and self.scale == 0:
            return value
        if self.unit != WATT or abs(self.scale) > _MAX_SCALE:
            raise BodyError(
                "order_malformed", f"An order in {self.unit} times ten to the {self.scale} is not in watts."
            )
        watts, rest = divmod(value * int(10 ** max(self.scale, 0)), int(10 ** max(-self.scale, 0)))
        if rest:
            raise BodyError("order_malformed", "The order's value is not a whole number of watts.")
        return watts

    def encode(self) -> bytes:
        """The order body: deterministic, so that equal orders are equal bytes."""
        if not self._body:  # asked for by plan, policy, journal and facts alike, for each device of a fleet
            object.__setattr__(self, "_body", _order_body(self))
        return self._body

    @classmethod
    def decode(cls, data: bytes) -> "Order":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(device),
                2: str(operation),
                3: value,
                4: int(scale),
                5: str(unit),
                6: int(not_before),
                7: int(hold),
                8: [str(revert), revert_value],
                9: int(tolerance),
                10: bytes(profile),
                **rest,
            } if set(rest) <= {11}:
                asked = _operation(operation)
                return cls(
                    device,
                    asked,
                    plain(value),
                    not_before,
                    hold,
                    (_operation(revert), plain(revert_value)),
                    tolerance,
                    profile,
                    scale,
                    unit,
                    _released(asked, rest),
                )
        raise BodyError("order_malformed", "The order body is not laid out as this release reads it.")


def release_of(device: str, function: Function, profile_digest: bytes) -> Order:
    """The order that lets a device go back to its own default in one function; it holds without an end."""
    unit, scale = unit_of(Operation.RELEASE, function)
    back = (Operation.RELEASE, 0)
    return Order(device, Operation.RELEASE, 0, 0, 0, back, 0, profile_digest, scale, unit, released=function)


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said of one order, and everything it was asked, so that anyone can ask it again."""

    allowed: bool
    policy_ids: tuple[str, ...]
    order: bytes
    policy_digest: bytes
    principal_type: str
    principal_id: str
    action: str
    resource_id: str
    context: Mapping[str, str | int | bool]

    def encode(self) -> bytes:
        """The decision body."""
        return cbor.encode(
            {
                1: self.allowed,
                2: self.policy_ids,
                3: self.order,
                4: self.policy_digest,
                5: (self.principal_type, self.principal_id, self.action, self.resource_id),
                6: tuple((key, self.context[key]) for key in sorted(self.context)),
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Decision":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: bool(allowed),
                2: [*ids],
                3: bytes(order),
                4: bytes(policy_digest),
                5: [str(principal_type), str(principal_id), str(action), str(resource_id)],
                6: [*pairs],
                **rest,
            } if not rest and len(policy_digest) == DIGEST_BYTES:
                return cls(
                    allowed,
                    tuple(_policy_id(item) for item in ids),
                    order,
                    policy_digest,
                    principal_type,
                    principal_id,
                    action,
                    resource_id,
                    _context(pairs),
                )
        raise BodyError("decision_malformed", "The decision body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Command:
    """An order made valid for one gateway, one epoch and one number."""

    order: bytes
    epoch: bytes
    sequence: int
    lease_seconds: int
    supersedes: bytes | None = None

    def encode(self) -> bytes:
        """The command body."""
        return cbor.encode({1: self.order, 2: self.epoch, 3: self.sequence, 4: self.lease_seconds, 5: self.supersedes})

    @classmethod
    def decode(cls, data: bytes) -> "Command":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: bytes(order),
                2: bytes(epoch),
                3: int(sequence),
                4: int(lease),
                5: (bytes() | None) as supersedes,
                **rest,
            } if not rest and len(epoch) == EPOCH_BYTES:
                return cls(order, epoch, sequence, lease, supersedes)
        raise BodyError("command_malformed", "The command body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Hail:
    """The issuer asks for the gateway's epoch; `held` is the highest chain number it holds durably."""

    nonce: bytes
    held: int

    def encode(self) -> bytes:
        """The hail body."""
        return cbor.encode({1: self.nonce, 2: self.held})

    @classmethod
    def decode(cls, data: bytes) -> "Hail":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {1: bytes(nonce), 2: int(held), **rest} if not rest and len(nonce) == NONCE_BYTES:
                return cls(nonce, held)
        raise BodyError("hail_malformed", "The hail body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Hello:
    """The gateway's answer to a hail."""

    nonce: bytes
    epoch: bytes
    sequence: int
    clock: str

    def encode(self) -> bytes:
        """The hello body."""
        return cbor.encode({1: self.nonce, 2: self.epoch, 3: self.sequence, 4: self.clock})

    @classmethod
    def decode(cls, data: bytes) -> "Hello":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {1: bytes(nonce), 2: bytes(epoch), 3: int(sequence), 4: str(clock), **rest} if not rest and (
                0 <= sequence < MOST_COUNT
            ):
                return cls(nonce, epoch, sequence, clock)
        raise BodyError("hello_malformed", "The hello body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Renewal:
    """The commands named as parents live on for `lease_seconds` from its arrival; all others stay as they are.

    It consumes a sequence number like a command. `held` acknowledges the gateway's statements.
    """

    epoch: bytes
    sequence: int
    lease_seconds: int
    held: int

    def encode(self) -> bytes:
        """The renewal body."""
        return cbor.encode({1: self.epoch, 2: self.sequence, 3: self.lease_seconds, 4: self.held})

    @classmethod
    def decode(cls, data: bytes) -> "Renewal":
        """Raises `BodyError` or `CborError`."""
        match cbor.decode(data):
            case {1: bytes(epoch), 2: int(sequence), 3: int(lease), 4: int(held), **rest} if not rest:
                return cls(epoch, sequence, lease, held)
        raise BodyError("renewal_malformed", "The renewal body is not laid out as this release reads it.")


def _policy_id(value: cbor.Value) -> str:
    if not isinstance(value, str):
        raise BodyError("decision_malformed", "A policy id of the decision is not text.")
    return value


def _context(pairs: Sequence[cbor.Value]) -> Mapping[str, str | int | bool]:
    """The context; its keys must rise strictly, so that equal contexts are equal bytes."""
    context: dict[str, str | int | bool] = {}
    last = ""
    for pair in pairs:
        match pair:
            case [str(key), (str() | int()) as value] if key > last:
                context[key] = value
                last = key
            case _:
                raise BodyError("decision_malformed", "The decision's context is not a sorted list of keys and values.")
    return context


def _operation(value: cbor.Value) -> Operation:
    try:
        return Operation(str(value))
    except ValueError as error:
        raise BodyError("operation_unknown", f"{value!r} is no operation that this release knows.") from error


def _released(operation: Operation, rest: Mapping[object, object]) -> Function:
    """The function that a release ends. It stands there only where it must: one encoding for each order."""
    if not rest:
        return Function.POWER
    named = rest[11]
    if operation is not Operation.RELEASE or named == Function.POWER or named not in set(map(str, Function)):
        raise BodyError("order_malformed", "Only a release names a function, and only another one than power.")
    return Function(str(named))


def _order_body(order: Order) -> bytes:
    body: dict[int, cbor.Value] = {
        1: order.device,
        2: str(order.operation),
        3: order.value,
        4: order.scale,
        5: order.unit,
        6: order.not_before,
        7: order.hold_seconds,
        8: (str(order.revert_to[0]), order.revert_to[1]),
        9: order.tolerance,
        10: order.profile_digest,
    }
    if order.operation is Operation.RELEASE and order.released is not Function.POWER:
        body[11] = str(order.released)
    return cbor.encode(body)
