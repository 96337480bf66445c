"""Bad input from a utility in mid-event: recorded with its bytes, answered, and nothing else disturbed."""

import functools
import time
from pathlib import Path

import pytest
from box_world import accounted, complete, proven, until, world
from scripted_vtn import scripted_vtn
from ven_world import dispatch, distribute, oadr_event, simple

from wattseal.certs.statement import Kind
from wattseal.protocols.http_client import MAX_RESPONSE_BYTES
from wattseal.protocols.ingress import CARRIED
from wattseal.protocols.openadr20b import common, event
from wattseal.protocols.openadr20b.codec import encode
from wattseal.protocols.openadr20b.messages import Message
from wattseal.protocols.openadr20b.vocabulary import EventStatus

pytestmark = pytest.mark.slow

BATTERY = common.Target(resource_ids=("battery-1",))


def running_event(watts: str = "1500", number: int = 0, event_id: str = "E-good") -> event.OadrEvent:
    return oadr_event(event_id, number, start=begun(), duration=600, signals=(dispatch(watts, 600),), target=BATTERY)


@functools.cache
def begun() -> int:
    """When the events of a test begin: a moment before the first of them is asked for, and the same for all."""
    return int(time.time()) - 5


@pytest.fixture(autouse=True)
def _begins_anew() -> None:
    begun.cache_clear()


class Bad:
    """What comes instead of a good list, and what is owed for it."""

    def __init__(self, raw: Message | bytes, reason: str, code: str | None = None, *, event_id: str = "") -> None:
        self.raw = raw if isinstance(raw, bytes) else encode(raw)
        self.reason = reason
        self.code = code
        self.event_id = event_id


def good_list(*more: event.OadrEvent) -> bytes:
    return encode(distribute(running_event(), *more))


def with_value(text: bytes) -> bytes:
    """A list in which the second event's value is `text`."""
    other = oadr_event("E-odd", start=begun(), duration=600, signals=(dispatch("77", 600),), target=BATTERY)
    raw = good_list(other)
    assert raw.count(b">77<") == 1
    return raw.replace(b">77<", b">" + text + b"<")


async def test_bad_messages_are_recorded_and_the_running_event_goes_on(tmp_path: Path) -> None:
    """Malformed, oversized, DTD, schema-breaking, unknown root: an ingress each, with reason and raw bytes."""
    async with scripted_vtn(running_event()) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_setpoint("battery", 1500)
        await until(vtn.created_events, 10, "the first answer")
        frames = len(w.device("battery").writes())
        good = good_list()
        entity = b'?><!DOCTYPE p [<!ENTITY who SYSTEM "file:///etc/passwd">]>'
        bad = {
            "truncated": good[: len(good) // 2],
            "dtd": good.replace(b"?>", entity, 1),
            "schema": good.replace(b"</oadr:oadrDistributeEvent>", b"<oadr:oadrMore/></oadr:oadrDistributeEvent>"),
            "root": b"<?xml version='1.0'?><hello xmlns='http://utility.example/'/>",
            "text": b"It works!",
            "deep": b"<a>" * 5000 + b"</a>" * 5000,
            "latin": good.replace(b"utf-8", b"latin-1", 1)
            .replace(b"UTF-8", b"latin-1", 1)
            .replace(b"R-list", b"R\xe9"),
        }
        for raw in bad.values():
            vtn.queue.append(raw)
        vtn.queue.append(b"<x>" + b" " * (MAX_RESPONSE_BYTES + 1) + b"</x>")
        await until(lambda: not vtn.queue, 60, "all bad answers are fetched", pause=0.2)
        await until(lambda: vtn.polls_since_last_queued() >= 2, 30, "polls go on", pause=0.2)
        kept = {raw: ingress.verdict for ingress, raw in w.diary.ingresses()}
        for name, raw in bad.items():
            assert raw in kept, f"{name} was not kept"
            assert kept[raw] != CARRIED, name
        # What is cut off before it is read leaves no bytes to keep, but its refusal is on record.
        assert "response_oversized" in {ingress.verdict for ingress, _ in w.diary.ingresses()}
        assert await w.device("battery").setpoint() == 1500
        assert all(len(f["words"]) > 1 for f in w.device("battery").writes()[frames:]), "only heartbeats since"
        assert len(w.diary.orders("battery")) == 1
        answers = vtn.created_events()
        assert {one.ei_response.response_code for one in answers} >= {"200"}
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "bad.wse")


async def test_bad_events_are_answered_one_by_one_and_the_good_one_stands(tmp_path: Path) -> None:
    """Each event gets its own response code; the list's other events stand (rules of the event service)."""
    async with scripted_vtn(running_event()) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_setpoint("battery", 1500)
        late = {"start": begun(), "duration": 600}
        unknown = oadr_event("E-signal", signals=(simple(duration=600),), **late)
        raw_unknown = encode(distribute(running_event(), unknown)).replace(b">SIMPLE<", b">x-WISHFUL<")
        foreign = oadr_event("E-foreign", target=common.Target(ven_ids=("SOMEBODY-ELSE",)), **late)
        resource = oadr_event("E-resource", target=common.Target(resource_ids=("boiler-9",)), **late)
        market = oadr_event("E-market", context="http://nobody.example/x", target=BATTERY, **late)
        cases = {
            "E-signal": (raw_unknown, {"460"}),
            "E-foreign": (good_list(foreign), {"452", "462"}),
            "E-resource": (good_list(resource), {"462", "452"}),
            "E-market": (good_list(market), {"453"}),
        }
        for raw, _ in cases.values():
            vtn.queue.append(raw)
        odd = {text: with_value(text) for text in (b"NaN", b"INF", b"-INF", b"1e39")}
        for raw in odd.values():
            vtn.queue.append(raw)
        await until(lambda: not vtn.queue, 40, "all lists are fetched", pause=0.2)
        await until(lambda: vtn.polls_since_last_queued() >= 2, 30, "polls go on", pause=0.2)
        codes = vtn.event_codes()
        for event_id, (_, expected) in cases.items():
            assert {code for code, _ in codes[event_id]} <= expected, (event_id, codes)
            assert {opt for _, opt in codes[event_id]} == {"optOut"}
        assert all(code != "200" for code, _ in codes.get("E-odd", ()))
        kept = {raw: ingress for ingress, raw in w.diary.ingresses()}
        for text, raw in odd.items():
            assert raw in kept, text
            ingress = kept[raw]
            assert ingress.verdict != CARRIED or any(one[0] == "E-odd" for one in ingress.refused), text
        for event_id, (raw, _) in cases.items():
            assert any(one[0] == event_id for one in kept[raw].refused), event_id
        assert await w.device("battery").setpoint() == 1500
        assert len(w.diary.orders("battery")) == 1
        accounted(w)
        await proven(w.box, tmp_path / "odd.wse")


async def test_modification_numbers_rise_or_nothing_moves(tmp_path: Path) -> None:
    """A duplicate moves nothing, a newer number is taken, an older one is refused and the newer stands."""
    async with scripted_vtn(running_event("1500", 3)) as vtn, world(tmp_path, vtn.base) as w:
        await w.until_setpoint("battery", 1500)
        vtn.queue.append(encode(distribute(running_event("1500", 3))))
        vtn.queue.append(encode(distribute(running_event("1500", 3), request_id="R-again")))
        await until(lambda: vtn.polls_since_last_queued() >= 1, 15, "the duplicates", pause=0.2)
        assert len(w.diary.orders("battery")) == 1
        assert len(w.diary.of(Kind.INTENT)) == 1

        vtn.events = (running_event("1800", 4),)
        vtn.queue.append(encode(distribute(*vtn.events)))
        await w.until_setpoint("battery", 1800)
        older = encode(distribute(running_event("900", 2)))
        vtn.queue.append(older)
        await until(lambda: vtn.polls_since_last_queued() >= 2, 15, "the older one", pause=0.2)
        assert await w.device("battery").setpoint() == 1800
        assert ("450", "optOut") in vtn.event_codes()["E-good"] or ("450", "optIn") in vtn.event_codes()["E-good"]
        kept = {raw: ingress for ingress, raw in w.diary.ingresses()}
        assert older in kept

        cancelled = oadr_event(
            "E-good", 5, status=EventStatus.CANCELLED, start=begun(), duration=600, signals=(dispatch("1800", 600),),
            target=BATTERY,
        )  # fmt: skip
        vtn.queue.append(encode(distribute(cancelled)))
        await w.until_setpoint("battery", None)
        accounted(w)
        complete(w.diary)
        await proven(w.box, tmp_path / "numbers.wse")
