"""Policy: Cedar over opaque names. Parsed once, decided often, the same at the core and at the gate.

Knows neither utilities nor devices: entity types, actions and context keys are words of whoever asks. Every policy must
carry an `@id`, because a decision that cannot name the rule behind it proves nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import cedarpy

from wattseal.certs.errors import MisuseError

Context: TypeAlias = Mapping[str, "str | int | bool"]

_MOST_DECIDED: Final = 8192  # every device of a large fleet, under more than one circumstance
EVALUATION_ERROR: Final = "evaluation-error"


class PolicyError(MisuseError):
    """A policy text that Cedar refuses, or a policy without an `@id`."""


@dataclass(frozen=True, slots=True)
class Name:
    """An entity: its type and its id, as in `Device::"battery"`."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}::{json.dumps(self.id)}"


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity with its attributes; a tuple of names or texts is a Cedar set."""

    name: Name
    attributes: "Mapping[str, Attribute]"


Attribute: TypeAlias = str | int | bool | Name | tuple[Name, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it is allowed, and the sorted ids of the deciding policies. None, and not allowed: no rule fits."""

    allowed: bool
    policy_ids: tuple[str, ...]


class Policy:
    """A policy text and the entities it is asked about, parsed. Raises `PolicyError` where either is unfit."""

    def __init__(self, text: bytes, entities: Sequence[Entity]) -> None:
        self.text = text
        self.digest = hashlib.sha256(text).digest()
        self._policies = _parse(text)
        self._entities = _entities(entities)
        self._decided: dict[object, Verdict] = {}

    def decide(self, principal: Name, action: str, resource: Name, context: Context) -> Verdict:
        """One decision. Deny by default. Text and entities never change, so equal questions have equal answers.

        Cedar skips a policy whose evaluation fails; a skipped `forbid` would open the door, so any error denies.
        """
        # True and 1 are equal keys in Python and different words in Cedar, so the type stands in the key as well.
        asked = (principal, action, resource, tuple((key, type(value), value) for key, value in context.items()))
        verdict = self._decided.get(asked)
        if verdict is None:
            verdict = self._decide(principal, action, resource, context)
            if len(self._decided) >= _MOST_DECIDED:
                self._decided.clear()
            self._decided[asked] = verdict
        return verdict

    def _decide(self, principal: Name, action: str, resource: Name, context: Context) -> Verdict:
        request = {
            "principal": _uid(principal),
            "action": _uid(Name("Action", action)),
            "resource": _uid(resource),
            "context": dict(context),
        }
        result = cedarpy.is_authorized(request, self._policies, self._entities)
        diagnostics = result.diagnostics
        if diagnostics.errors:
            return Verdict(allowed=False, policy_ids=(EVALUATION_ERROR,))
        ids = sorted(diagnostics.id_annotations_by_reason.values())
        return Verdict(result.decision is cedarpy.Decision.Allow, tuple(ids))


def _parse(text: bytes) -> cedarpy.PolicySet:
    try:
        decoded = text.decode()
        policies = cedarpy.PolicySet.from_str(decoded)
        parsed = json.loads(cedarpy.policies_to_json_str(decoded))
    except (ValueError, UnicodeDecodeError) as error:
        raise PolicyError("policy_malformed", f"The policy text is not Cedar: {error}.") from error
    if parsed["templates"]:
        raise PolicyError("policy_template", "The policy text holds a template; write each policy out.")
    ids = [policy["annotations"].get("id") if "annotations" in policy else None for policy in _policies_in(parsed)]
    if not ids or None in ids:
        raise PolicyError("policy_without_id", "Every policy needs an @id, so that a decision can name its reason.")
    if len(set(ids)) != len(ids):
        raise PolicyError("policy_id_twice", "Two policies have the same @id.")
    return policies


def _policies_in(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    return list(parsed["staticPolicies"].values())


def _entities(entities: Sequence[Entity]) -> cedarpy.Entities:
    rows = [
        {
            "uid": _uid(entity.name),
            "attrs": {key: _attribute(value) for key, value in entity.attributes.items()},
            "parents": [],
        }
        for entity in entities
    ]
    try:
        return cedarpy.Entities.from_json_str(json.dumps(rows))
    except ValueError as error:
        raise PolicyError("policy_entities_malformed", f"Cedar refuses the entities: {error}.") from error


def _uid(name: Name) -> dict[str, str]:
    return {"type": name.type, "id": name.id}


def _attribute(value: Attribute) -> Any:
    if isinstance(value, tuple):
        return [_attribute(item) for item in value]
    if isinstance(value, Name):
        return {"__entity": _uid(value)}
    return value
