"""The verdict: every rule in its one order, then what became of each device, and how far that can be believed.

Assurance levels are computed here, never declared: AL4 signed inside a certified meter, AL3 the device itself signs,
AL2 a hardware key over an authenticated link, AL1 the same over plain Modbus, AL0 a software key or a simulator. A
chain has the lowest level of its links. This release verifies no proof that a gateway's key lives in hardware, so every
gateway key counts as software, whatever its receipts say.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from .case import Case, Device, Rule, Said
from .cose_reader import BrokenError
from .statement_rules import RELATION_RULES, STATEMENT_RULES
from .story_rules import RESULTS, STORY_RULES
from .trust_rules import FILE_RULES, LOG_RULES, TRUST_RULES

# The one order: the file, from the root to the keys, the log, each statement, what it rests on, the story.
RULES: Final = (*FILE_RULES, *TRUST_RULES, *LOG_RULES, *STATEMENT_RULES, *RELATION_RULES, *STORY_RULES)
_ENDINGS, _HARDWARE_KEY_LEVEL = frozenset({"refused", "reverted", "superseded"}), 2
_MODBUS: Final = (
    "The gateway {gateway} states that it wrote registers at {address} and read them back. The device did not sign. "
    "Anyone with access to that network could have written or answered; that the box there is the device named, that "
    "no one else wrote, and that power followed, is not proven by this file."
)
_SIMULATOR: Final = "This device is a simulator; what is proven is what the gateway {gateway} says of it."
_UNKNOWN: Final = (0, "This release does not know links of this kind and gives them no credit.")
_LINKS: Final = {"simulator": (0, _SIMULATOR), "modbus-tcp": (1, _MODBUS)}


def verify(data: bytes, root: str, rules: Iterable[Rule] = RULES) -> dict[str, Any]:
    """The verdict on one evidence file under the root of that digest (hex), in plain values. Raises nothing."""
    case = Case(data, root)
    try:
        for rule in rules:
            for subject in rule.subjects(case):
                if not _holds(rule, case, subject):
                    return _broken(root, BrokenError(rule.reason, subject.place, rule.sentence, subject.leaf))
        return _proven(case)
    except BrokenError as error:
        return _broken(root, error)


def assurance_level(link: str, *, hardware_key: bool, lab: bool) -> int:
    """The level of a chain over that kind of link: the lowest of its links."""
    key = _HARDWARE_KEY_LEVEL if hardware_key and not lab else 0
    return min(_LINKS.get(link, _UNKNOWN)[0], key)


def _holds(rule: Rule, case: Case, subject: object) -> bool:
    try:
        return rule.holds(case, subject)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return False  # values of the wrong kind: what cannot be judged does not hold


def _broken(root: str, error: BrokenError) -> dict[str, Any]:
    first = {"reason": error.reason, "where": error.place, "leaf": error.leaf, "sentence": error.sentence}
    return {"verdict": "broken", "first_broken": first, "root": root}


def _proven(case: Case) -> dict[str, Any]:
    newest, extract, lab = case.manifests[-1], case.leaves[-1], any(manifest.lab for manifest in case.manifests)
    known = {name: device for manifest in case.manifests for name, device in manifest.devices.items()}
    devices = {name: _device(device, newest.gateway, lab=lab) for name, device in sorted(known.items())}
    stray = _device(Device("", "", b""), newest.gateway, lab=lab)
    for reading in case.of_kind("reading"):
        devices.get(reading.body[1], stray)["readings"] += 1
    receipts: dict[bytes, list[Said]] = {}
    for receipt in case.of_kind("receipt"):
        receipts.setdefault(receipt.parents[0], []).append(receipt)
    for command in case.of_kind("command"):
        _tell(command, receipts.get(command.sealed.digest, []), devices.get(command.order[1], stray))
    told = [device["assurance"] for device in devices.values() if device["commands"] or device["readings"]]
    return {
        "verdict": "proven",
        "first_broken": None,
        "root": case.root,
        "site": newest.site,
        "gateway": newest.gateway,
        "from": _time(extract.body[2]),
        "to": _time(extract.body[3]),
        "statements": len(case.leaves),
        "commands": sum(1 for _ in case.of_kind("command")),
        "assurance": min(told, default="AL0"),
        "lab": lab,
        "virtual_clock": any(leaf.virtual for leaf in case.leaves),
        "devices": devices,
    }


def _device(device: Device, gateway: str, *, lab: bool) -> dict[str, Any]:
    sentence = _LINKS.get(device.link, _UNKNOWN)[1].format(gateway=gateway, address=device.address)
    level = f"AL{assurance_level(device.link, hardware_key=False, lab=lab)}"
    told = {"link": device.link, "address": device.address, "assurance": level, "sentence": sentence}
    counts = dict.fromkeys(("commands", "readings", *RESULTS), 0)
    return {**told, **counts, "refusals": [], "without_receipt": [], "without_final_receipt": []}


def _tell(command: Said, receipts: list[Said], told: dict[str, Any]) -> None:
    """Counts one command and its receipts; lists hold leaf indexes."""
    told["commands"] += 1
    results = {receipt.body[3] for receipt in receipts}
    for receipt in receipts:
        told[receipt.body[3]] = told.get(receipt.body[3], 0) + 1
        if receipt.body[3] == "refused":
            told["refusals"].append({"leaf": command.leaf, "reason": receipt.body[4]})
    if not results:
        told["without_receipt"].append(command.leaf)
    if not _ENDINGS & results and not (command.order[2] == "release" and "applied" in results):
        told["without_final_receipt"].append(command.leaf)


def _time(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError, TypeError):
        return str(milliseconds)
