"""How a utility stands with us, for status and log: whether it answers, who is registered, what is not carried."""

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final

import structlog

from wattseal.bridge.core.told_texts import PRIORITIES, price_told, text_told
from wattseal.protocols.ieee2030_5.client.happenings import (
    Registered,
    RegistrationRefused,
    Shown,
    UtilityAnswers,
    UtilitySilent,
)
from wattseal.protocols.ieee2030_5.translate import Remark, TranslationContext

_MOST: Final = 64
_log = structlog.get_logger("utility")


class Contact:
    """One utility's entry in `contacts`, JSON-ready, replaced whole at each change."""

    def __init__(self, contacts: MutableMapping[str, Mapping[str, object]], utility: str) -> None:
        self._contacts = contacts
        self._utility = utility
        self._entry: dict[str, object] = {}
        self._devices: dict[str, str] = {}
        self._remarks: frozenset[Remark] = frozenset()

    def begin(self, profile: str, lfdi: str) -> None:
        """The line was opened."""
        self._put(profile=profile, lfdi=lfdi, answers=None, silent_for=None)

    def heard(self, happening: UtilitySilent | UtilityAnswers | Registered | RegistrationRefused) -> None:
        """Something about the contact itself."""
        match happening:
            case UtilitySilent(reason):
                _log.warning("utility_silent", utility=self._utility, reason=reason)
                self._put(answers=False, silent_for=reason)
            case UtilityAnswers():
                _log.info("utility_answers", utility=self._utility)
                self._put(answers=True, silent_for=None)
            case Registered(device, href):
                _log.info("device_registered", utility=self._utility, device=device, href=href)
                self._devices[device] = "registered"
                self._put(answers=True, devices=dict(self._devices))
            case RegistrationRefused(device, reason, sentence):
                _log.error(
                    "registration_refused", utility=self._utility, device=device, reason=reason, sentence=sentence
                )
                self._devices[device] = reason
                self._put(devices=dict(self._devices))

    def remarked(self, remarks: Iterable[Remark]) -> None:
        """What of the schedule is not carried as it was asked; each is logged when it first appears."""
        now = frozenset(remarks)
        for remark in sorted(now - self._remarks):
            _log.warning(
                "not_carried", utility=self._utility, about=remark.event_id, mode=remark.mode, what=remark.what
            )
        self._remarks = now
        told = sorted(now)[:_MOST]
        self._put(not_carried=[f"{one.event_id} {one.mode} {one.what}" for one in told])

    def denied(self, reasons: Mapping[str, str]) -> None:
        """Events that plan or policy do not let through, as far as is known when they are published."""
        for event_id, why in sorted(reasons.items()):
            _log.warning("event_not_followed", utility=self._utility, about=event_id, why=why)
        self._put(not_followed=dict(sorted(reasons.items())[:_MOST]))

    def priced(self, prices: Iterable[Shown], context: TranslationContext) -> None:
        """The prices in force. They are told here and in the log, and move no device."""
        told = [price_told(one, context) for one in prices]
        for one in told:
            _log.info("price_in_force", utility=self._utility, **_fields(one))
        self._put(prices=told[:_MOST])

    def showed(self, texts: Iterable[Shown], context: TranslationContext) -> None:
        """The texts to be shown, the most important first."""
        told = sorted((text_told(one, context) for one in texts), key=_importance)
        for one in told:
            _log.info("text_shown", utility=self._utility, **_fields(one))
        self._put(texts=told[:_MOST])

    def _put(self, **fields: object) -> None:
        self._entry.update(fields)
        self._contacts[self._utility] = dict(self._entry)


def _importance(text: Mapping[str, object]) -> tuple[int, str]:
    return -PRIORITIES.index(str(text["priority"])), str(text["event"])


def _fields(told: Mapping[str, object]) -> dict[str, object]:
    """The same for the log, where "event" is the name of what is logged."""
    return {"about" if key == "event" else key: value for key, value in told.items()}
