"""From the raw bytes of a message, again, every intent that it can have given: what a replay compares with the record.

The session decides what changed; this says what the message *means* against the events that stood before it, with no
state of its own. It gives the unchanged ones too, so that each recorded intent is found by its key.
"""

from collections.abc import Mapping

from wattseal.protocols.grid_event import GridEvent
from wattseal.protocols.openadr20b.codec import decode
from wattseal.protocols.openadr20b.event import DistributeEvent, OadrEvent
from wattseal.protocols.openadr20b.party import CanceledPartyRegistration, CancelPartyRegistration
from wattseal.protocols.openadr20b.translate import Refusal, TranslationContext, cancelled, translate, withdrawn
from wattseal.protocols.openadr20b.vocabulary import EventStatus

Previous = Mapping[tuple[str, str], GridEvent]


def intents_of(raw: bytes, context: TranslationContext, previous: Previous) -> tuple[GridEvent, ...]:
    """The GridEvents that `raw` denotes, in its order, then those that it withdraws, by key.

    `previous` holds, by `Origin.key`, the events of this utility that stood before it. A message that ends the
    registration withdraws all of them; any other message but oadrDistributeEvent gives nothing. Raises the codec's
    errors.
    """
    message = decode(raw).message
    if isinstance(message, CancelPartyRegistration | CanceledPartyRegistration):
        return _withdrawn_all(previous, context, frozenset())
    if not isinstance(message, DistributeEvent):
        return ()
    found = [_intent(event, context, previous) for event in message.events]
    listed = frozenset(event.ei_event.event_descriptor.event_id for event in message.events)
    return tuple(event for event in found if event is not None) + _withdrawn_all(previous, context, listed)


def _intent(event: OadrEvent, context: TranslationContext, previous: Previous) -> GridEvent | None:
    descriptor = event.ei_event.event_descriptor
    before = previous.get((context.utility, descriptor.event_id))
    if before is not None and descriptor.modification_number < before.origin.version:
        return None
    if descriptor.event_status is EventStatus.CANCELLED:
        return None if before is None else cancelled(before, descriptor.modification_number)
    meant = translate(event, context)
    if not isinstance(meant, Refusal):
        return meant.event
    return None if before is None else withdrawn(before)


def _withdrawn_all(previous: Previous, context: TranslationContext, listed: frozenset[str]) -> tuple[GridEvent, ...]:
    return tuple(
        withdrawn(event)
        for (utility, event_id), event in sorted(previous.items())
        if utility == context.utility and event_id not in listed
    )
