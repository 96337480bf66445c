"""Bodies of the statements that a utility session makes: what came in, and what was told to the utility.

The raw bytes stand beside the statement as its one content (named by digest in the header), never inside it.

    ingress {1: dialect, 2: utility, 3: peer, 4: media type, 5: length, 6: upstream signature, 7: arrived, ms,
             8: clock quality, 9: verdict ("carried", or the reason why it was refused),
             10: [[event id, code, reason], ...] (events in it that were refused though the message was carried),
             11: addressee (our own id at that utility)}
    report  {1: dialect, 2: utility, 3: report request, 4: length, 5: answered, ms, 6: answer code, 7: clock quality}
"""

from dataclasses import dataclass
from typing import Final

from wattseal.certs import cbor
from wattseal.certs.errors import PeerError

CARRIED: Final = "carried"
UNSIGNED: Final = "none"


class IngressError(PeerError):
    """An ingress or report body that is not laid out as this release reads it."""


@dataclass(frozen=True, slots=True)
class Ingress:
    """These bytes were received. `peer` is who TLS says it was, or the address where TLS said nothing.

    `upstream_signature` is `none` unless a signature of the utility itself was verified over these bytes.
    """

    dialect: str
    utility: str
    peer: str
    media_type: str
    length: int
    arrived_ms: int
    clock: str
    verdict: str = CARRIED
    upstream_signature: str = UNSIGNED
    refused: tuple[tuple[str, str, str], ...] = ()
    addressee: str = ""

    def encode(self) -> bytes:
        """The ingress body."""
        return cbor.encode(
            {
                1: self.dialect,
                2: self.utility,
                3: self.peer,
                4: self.media_type,
                5: self.length,
                6: self.upstream_signature,
                7: self.arrived_ms,
                8: self.clock,
                9: self.verdict,
                10: self.refused,
                11: self.addressee,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Ingress":
        """Raises `IngressError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(dialect),
                2: str(utility),
                3: str(peer),
                4: str(media_type),
                5: int(length),
                6: str(signature),
                7: int(arrived),
                8: str(clock),
                9: str(verdict),
                10: (tuple() | list()) as refused,
                11: str(addressee),
                **rest,
            } if not rest:
                rows = tuple(_refusal(row) for row in refused)
                return cls(
                    dialect, utility, peer, media_type, length, arrived, clock, verdict, signature, rows, addressee
                )
        raise IngressError("ingress_malformed", "The ingress body is not laid out as this release reads it.")


@dataclass(frozen=True, slots=True)
class Report:
    """These bytes were sent as a report, and the utility answered with `code`."""

    dialect: str
    utility: str
    request: str
    length: int
    answered_ms: int
    code: str
    clock: str

    def encode(self) -> bytes:
        """The report body."""
        return cbor.encode(
            {
                1: self.dialect,
                2: self.utility,
                3: self.request,
                4: self.length,
                5: self.answered_ms,
                6: self.code,
                7: self.clock,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> "Report":
        """Raises `IngressError` or `CborError`."""
        match cbor.decode(data):
            case {
                1: str(dialect),
                2: str(utility),
                3: str(request),
                4: int(length),
                5: int(answered),
                6: str(code),
                7: str(clock),
                **rest,
            } if not rest:
                return cls(dialect, utility, request, length, answered, code, clock)
        raise IngressError("report_malformed", "The report body is not laid out as this release reads it.")


def _refusal(row: cbor.Value) -> tuple[str, str, str]:
    match row:
        case [str(event_id), str(code), str(reason)]:
            return event_id, code, reason
    raise IngressError("ingress_malformed", "A refused event is not event id, code and reason.")
