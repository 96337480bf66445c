"""The budget of decoding: a list of 10 controls within twice lxml parsing and `msgspec` conversion done by hand.

Measured in processor time, best of many, side by side, so that a busy machine slows both.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from lxml import etree

from wattseal.protocols.ieee2030_5.base import DateTimeInterval, EventStatus
from wattseal.protocols.ieee2030_5.codec import decode, encode
from wattseal.protocols.ieee2030_5.der_control import DERControl, DERControlBase, DERControlList
from wattseal.protocols.ieee2030_5.profiles import CSIPAUS_1_3
from wattseal.protocols.ieee2030_5.quantities import ActivePower, ActivePowerControl, PerCentControl
from wattseal.protocols.ieee2030_5.vocabulary import EventState

PAGE = DERControlList(
    href="/derp/1/derc",
    all=10,
    results=10,
    items=tuple(
        DERControl(
            href=f"/derp/1/derc/{number}",
            reply_to="/rsps/1/rsp",
            response_required=3,
            mrid=f"{number:032X}",
            description="control",
            version=1,
            creation_time=1_795_398_244,
            event_status=EventStatus(
                current_status=EventState.ACTIVE, date_time=1_795_398_244, potentially_superseded=False
            ),
            interval=DateTimeInterval(duration=300, start=1_795_399_444),
            randomize_start=30,
            der_control_base=DERControlBase(
                op_mod_connect=True,
                op_mod_max_lim_w=PerCentControl(value=5000),
                op_mod_target_w=ActivePowerControl(multiplier=0, value=3000),
                op_mod_exp_lim_w=ActivePower(multiplier=0, value=5000),
            ),
        )
        for number in range(10)
    ),
)


WIRE_NAMES = {
    "op_mod_connect": "opModConnect",
    "op_mod_max_lim_w": "opModMaxLimW",
    "op_mod_target_w": "opModTargetW",
    "op_mod_exp_lim_w": "opModExpLimW",
    "current_status": "currentStatus",
    "date_time": "dateTime",
    "potentially_superseded": "potentiallySuperseded",
    "reply_to": "replyTo",
    "response_required": "responseRequired",
    "mrid": "mRID",
    "creation_time": "creationTime",
    "event_status": "EventStatus",
    "randomize_start": "randomizeStart",
    "der_control_base": "DERControlBase",
    "items": "DERControl",
}


class Quantity(msgspec.Struct, frozen=True):
    multiplier: int
    value: int


class Base(msgspec.Struct, frozen=True, rename=WIRE_NAMES):
    op_mod_connect: bool
    op_mod_max_lim_w: int
    op_mod_target_w: Quantity
    op_mod_exp_lim_w: Quantity


class Status(msgspec.Struct, frozen=True, rename=WIRE_NAMES):
    current_status: int
    date_time: int
    potentially_superseded: bool


class Interval(msgspec.Struct, frozen=True):
    duration: int
    start: int


class Control(msgspec.Struct, frozen=True, rename=WIRE_NAMES):
    href: str
    reply_to: str
    response_required: str
    mrid: str
    description: str
    version: int
    creation_time: int
    event_status: Status
    interval: Interval
    randomize_start: int
    der_control_base: Base


class Page(msgspec.Struct, frozen=True, rename=WIRE_NAMES):
    href: str
    all: int
    results: int
    items: list[Control]


def plain(element: etree._Element) -> Any:
    """The usual conversion by hand: dictionaries and lists of texts."""
    found: dict[str, Any] = dict(element.attrib)
    if not len(element) and not found:
        return element.text or ""
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name == "DERControl":
            found.setdefault(name, []).append(plain(child))
        else:
            found[name] = plain(child)
    return found


def cost(work: Callable[[], object]) -> float:
    began = time.process_time()
    for _ in range(20):
        work()
    return time.process_time() - began


@pytest.mark.alone
def test_decoding_ten_controls_costs_at_most_twice_the_work_by_hand() -> None:
    data = encode(PAGE, CSIPAUS_1_3)

    def by_hand() -> Page:
        return msgspec.convert(plain(etree.fromstring(data)), Page, strict=False)

    def decoded() -> object:
        return decode(data, CSIPAUS_1_3).resource

    assert decoded() == PAGE
    assert [control.mrid for control in by_hand().items] == [one.mrid for one in PAGE.items]
    costs = [(cost(by_hand), cost(decoded)) for _ in range(25)]
    hand, ours = min(one for one, _ in costs), min(other for _, other in costs)
    assert ours <= 2 * hand, f"{ours / hand:.2f} times the work by hand"
