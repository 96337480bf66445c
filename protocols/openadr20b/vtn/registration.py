"""EiRegisterParty: who a sender is, and its way in and out.

A venID belongs to one certificate: the one of its allocation, otherwise the one that it registered with. Over plain
HTTP (peer None) there is nothing to compare, unless the venID is bound to a certificate: then nobody gets in without.
"""

from collections.abc import Collection

import msgspec

from wattseal.certs.identity import PeerIdentity
from wattseal.protocols.openadr20b.messages import (
    CanceledPartyRegistration,
    CanceledReport,
    CancelPartyRegistration,
    CreatedReport,
    CreatePartyRegistration,
    Message,
    RegisterReport,
    UpdateReport,
)
from wattseal.protocols.openadr20b.vocabulary import ProfileName, ResponseCode, TransportName
from wattseal.protocols.openadr20b.vtn.answers import acknowledgement, ei_response, profiles_answer, ven_id_of
from wattseal.protocols.openadr20b.vtn.config import Allocation, VtnConfig
from wattseal.protocols.openadr20b.vtn.happenings import Deregistered, Registered
from wattseal.protocols.openadr20b.vtn.state import VenRecord
from wattseal.protocols.openadr20b.vtn.table import Standing
from wattseal.protocols.openadr20b.vtn.turn import Circumstances, RefusedTurn, Turn


def standing_of(
    message: Message, peer: PeerIdentity | None, vens: dict[str, VenRecord], config: VtnConfig
) -> tuple[Standing, VenRecord | None]:
    """Where the sender stands, and its record if it has one."""
    named = ven_id_of(message)
    ven = _unnamed(message, peer, vens.values(), config) if named is None else vens.get(named)
    allocation = config.allocation(ven.ven_id if ven else named or "")
    if not _is_bound_to(peer, allocation, ven):
        return Standing.IMPOSTOR, None
    if ven is None:
        return Standing.STRANGER, None
    return (Standing.LEAVING if ven.leaving else Standing.REGISTERED), ven


def register(message: CreatePartyRegistration, ven: VenRecord | None, around: Circumstances, taken: set[str]) -> Turn:
    """Registration and re-registration. `ven` is the sender's record, `taken` are the venIDs that have one.

    A sender that names its registrationID keeps it, and with it all that is known about it; one that comes without has
    lost its memory: it gets a new one, and is told everything again.
    """
    _check_offer(message)
    if message.registration_id is not None and (ven is None or ven.registration_id != message.registration_id):
        raise RefusedTurn(ResponseCode.INVALID_ID, "registration_unknown", "This registrationID is not known here.")
    ven_id = ven.ven_id if ven else _allot(message, around, taken)
    base = ven or VenRecord(ven_id=ven_id, ven_name=None, registration_id="", registered=around.now)
    record = msgspec.structs.replace(
        base,
        ven_name=message.ven_name,
        registration_id=message.registration_id or around.draw("REG"),
        registered=around.now,
        certificate=around.peer.sha256 if around.peer else base.certificate,
        report_only=message.report_only,
        xml_signature=message.xml_signature,
        leaving=False,
        reregister=False,
        metadata_tries=0 if around.config.own_metadata else -1,
    )
    if message.registration_id is None:
        record = msgspec.structs.replace(record, told=(), repeated=False)
    answer = profiles_answer(message.request_id, around.config, record.registration_id, record.ven_id)
    happened = Registered(
        at=around.now,
        ven_id=record.ven_id,
        ven_name=record.ven_name,
        registration_id=record.registration_id,
        again=ven is not None,
        fingerprint=around.peer.fingerprint if around.peer else None,
    )
    return Turn(answer, record, (happened,))


def deregister(message: CancelPartyRegistration, ven: VenRecord, around: Circumstances) -> Turn:
    """The VEN ends its registration."""
    if message.registration_id != ven.registration_id:
        raise RefusedTurn(ResponseCode.INVALID_ID, "registration_unknown", "This registrationID is not the VEN's.")
    answer = CanceledPartyRegistration(
        ei_response=ei_response(message.request_id), registration_id=message.registration_id, ven_id=ven.ven_id
    )
    return Turn(answer, None, (Deregistered(at=around.now, ven_id=ven.ven_id, by_ven=True),))


def confirm_leaving(message: CanceledPartyRegistration, ven: VenRecord, around: Circumstances) -> Turn:
    """The VEN confirms that we ended its registration; with an error code too, it knows now."""
    happened = Deregistered(at=around.now, ven_id=ven.ven_id, by_ven=False)
    return Turn(acknowledgement(message, ven.ven_id), None, (happened,))


def _check_offer(message: CreatePartyRegistration) -> None:
    """We speak 2.0b over HTTP, and the VEN has to ask."""
    if message.profile_name is not ProfileName.PROFILE_20B or message.transport_name is not TransportName.SIMPLE_HTTP:
        raise RefusedTurn(ResponseCode.DEPLOYMENT_ERROR, "profile_not_offered", "This VTN speaks 2.0b over HTTP only.")
    if message.http_pull_model is False:
        raise RefusedTurn(ResponseCode.DEPLOYMENT_ERROR, "push_not_offered", "This VTN is pulled; it does not push.")


def _allot(message: CreatePartyRegistration, around: Circumstances, taken: set[str]) -> str:
    """The venID of one who has no record: the agreed one (402), otherwise a new one if anybody may come."""
    config, peer = around.config, around.peer
    if message.ven_id is not None:
        if config.allocation(message.ven_id) is None:
            raise RefusedTurn(ResponseCode.INVALID_ID, "ven_id_unknown", "This venID was not agreed with this VTN.")
        return message.ven_id
    for one in config.allocations:
        if one.ven_id not in taken and _is_meant(one, message, peer):
            return one.ven_id
    if not config.open_registration:
        raise RefusedTurn(ResponseCode.NOT_REGISTERED, "not_agreed", "This VEN was not agreed with this VTN.")
    return around.draw("VEN")


def _is_meant(allocation: Allocation, message: CreatePartyRegistration, peer: PeerIdentity | None) -> bool:
    if allocation.fingerprint is not None:
        return peer is not None and peer.fingerprint == allocation.fingerprint
    return allocation.ven_name is not None and allocation.ven_name == message.ven_name


def _is_bound_to(peer: PeerIdentity | None, allocation: Allocation | None, ven: VenRecord | None) -> bool:
    """Whether this peer may speak for the venID."""
    if allocation is not None and allocation.fingerprint is not None:
        return peer is not None and peer.fingerprint == allocation.fingerprint
    if ven is not None and ven.certificate is not None:
        return peer is not None and peer.sha256 == ven.certificate
    return True


def _unnamed(
    message: Message, peer: PeerIdentity | None, vens: Collection[VenRecord], config: VtnConfig
) -> VenRecord | None:
    """The sender of a message that names no venID: by its certificate, its registrationID, its name, or the report
    requests that it speaks of.
    """
    mine = set(_requests_in(message))
    registration_id = getattr(message, "registration_id", None)
    for ven in vens:
        if peer is not None and ven.certificate == peer.sha256:
            return ven
        if registration_id is not None and ven.registration_id == registration_id:
            return ven
        if mine and any(one.request_id in mine for one in ven.requests):
            return ven
    if isinstance(message, CreatePartyRegistration) and message.ven_name is not None and registration_id is None:
        return next((ven for ven in vens if _is_agreed_name(ven, message.ven_name, config)), None)
    return None


def _is_agreed_name(ven: VenRecord, ven_name: str, config: VtnConfig) -> bool:
    """A VEN that lost its memory and was agreed by its name comes back as the same."""
    allocation = config.allocation(ven.ven_id)
    return allocation is not None and allocation.ven_name == ven_name


def _requests_in(message: Message) -> tuple[str, ...]:
    match message:
        case UpdateReport() | RegisterReport():
            return tuple(one.report_request_id for one in message.reports)
        case CreatedReport() | CanceledReport():
            return message.pending_reports
    return ()
