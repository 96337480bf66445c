"""The 23 messages of OpenADR 2.0b, under one name each, for whoever sends or receives them."""

from typing import Final

from wattseal.protocols.openadr20b.event import CreatedEvent, DistributeEvent, RequestEvent
from wattseal.protocols.openadr20b.opt import CanceledOpt, CancelOpt, CreatedOpt, CreateOpt
from wattseal.protocols.openadr20b.party import (
    CanceledPartyRegistration,
    CancelPartyRegistration,
    CreatedPartyRegistration,
    CreatePartyRegistration,
    QueryRegistration,
    RequestReregistration,
)
from wattseal.protocols.openadr20b.poll import Poll
from wattseal.protocols.openadr20b.report import (
    CanceledReport,
    CancelReport,
    CreatedReport,
    CreateReport,
    RegisteredReport,
    RegisterReport,
    UpdatedReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.response import Response

__all__ = [
    "MESSAGE_TYPES",
    "CancelOpt",
    "CancelPartyRegistration",
    "CancelReport",
    "CanceledOpt",
    "CanceledPartyRegistration",
    "CanceledReport",
    "CreateOpt",
    "CreatePartyRegistration",
    "CreateReport",
    "CreatedEvent",
    "CreatedOpt",
    "CreatedPartyRegistration",
    "CreatedReport",
    "DistributeEvent",
    "Message",
    "Poll",
    "QueryRegistration",
    "RegisterReport",
    "RegisteredReport",
    "RequestEvent",
    "RequestReregistration",
    "Response",
    "UpdateReport",
    "UpdatedReport",
]

Message = (
    DistributeEvent
    | CreatedEvent
    | RequestEvent
    | Response
    | CancelOpt
    | CanceledOpt
    | CreateOpt
    | CreatedOpt
    | CancelReport
    | CanceledReport
    | CreateReport
    | CreatedReport
    | RegisterReport
    | RegisteredReport
    | UpdateReport
    | UpdatedReport
    | CancelPartyRegistration
    | CanceledPartyRegistration
    | CreatePartyRegistration
    | CreatedPartyRegistration
    | RequestReregistration
    | QueryRegistration
    | Poll
)

MESSAGE_TYPES: Final[tuple[type[Message], ...]] = (
    DistributeEvent,
    CreatedEvent,
    RequestEvent,
    Response,
    CancelOpt,
    CanceledOpt,
    CreateOpt,
    CreatedOpt,
    CancelReport,
    CanceledReport,
    CreateReport,
    CreatedReport,
    RegisterReport,
    RegisteredReport,
    UpdateReport,
    UpdatedReport,
    CancelPartyRegistration,
    CanceledPartyRegistration,
    CreatePartyRegistration,
    CreatedPartyRegistration,
    RequestReregistration,
    QueryRegistration,
    Poll,
)
"""In the order of the schema's choice under oadrSignedObject."""
