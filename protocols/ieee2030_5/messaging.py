"""Texts for people."""

from typing import Annotated

from wattseal.protocols.ieee2030_5.base import Event, ListLink, SubscribableIdentifiedObject, SubscribableList
from wattseal.protocols.ieee2030_5.lexicals import STRING20, STRING42, UINT8, UINT32
from wattseal.protocols.ieee2030_5.vocabulary import MessagePriority
from wattseal.protocols.xml_wire import wire


class TextMessage(Event, frozen=True, kw_only=True):
    """A text to be shown for a time."""

    originator: Annotated[str | None, wire("originator?", STRING20)] = None
    priority: Annotated[MessagePriority, wire("priority")]
    text_message: Annotated[str, wire("textMessage")]


class TextMessageList(SubscribableList, frozen=True, kw_only=True):
    """TextMessageList."""

    items: Annotated[tuple[TextMessage, ...], wire("TextMessage*", apart=True)] = ()


class MessagingProgram(SubscribableIdentifiedObject, frozen=True, kw_only=True):
    """A program of texts in one language."""

    active_text_message_list_link: Annotated[ListLink | None, wire("ActiveTextMessageListLink?", apart=True)] = None
    locale: Annotated[str | None, wire("locale!", STRING42)] = None
    primacy: Annotated[int, wire("primacy", UINT8)]
    text_message_list_link: Annotated[ListLink | None, wire("TextMessageListLink?", apart=True)] = None


class MessagingProgramList(SubscribableList, frozen=True, kw_only=True):
    """MessagingProgramList."""

    poll_rate: Annotated[int | None, wire("@pollRate?", UINT32)] = None
    items: Annotated[tuple[MessagingProgram, ...], wire("MessagingProgram*", apart=True)] = ()
